// SPDX-License-Identifier: BSD-3-Clause
// turnpikectl: asks a running turnpike-control, and edits the user database. Exit codes: 0 fine, 1 no answer
// or a refusal, 2 wrong usage.
#include <getopt.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "common/base/result.hpp"
#include "common/config/instance.hpp"
#include "common/config/secrets.hpp"
#include "control/ctl/client.hpp"
#include "control/ctl/format.hpp"
#include "control/ctl/store_verbs.hpp"
#include "control/ctl/upgrade_check.hpp"

namespace {

using turnpike::ctl::Json;
using turnpike::ctl::StoreCall;

constexpr const char* kUsage =
    "usage: turnpikectl [OPTIONS] VERB\n"
    "\n"
    "  status      programs, ports, workers with their rates, counters, errors\n"
    "  sessions    allocations with their live packets and bytes, both directions\n"
    "  drops       packets that ended here, by reason\n"
    "  io          how full the receive and send calls of socket ports are\n"
    "  perf        what a packet costs by stage, idle share, burst sizes and ring high-water marks, live\n"
    "  reload      read the configuration file again; says what needs a restart\n"
    "  drain       let nobody new in, and end when the calls have ended; undrain undoes it\n"
    "  upgrade-check BINARY\n"
    "              can this turnpike-dataplane or turnpike-control replace the running one in place?\n"
    "\n"
    "in the user database itself, whether turnpike-control runs or not:\n"
    "\n"
    "  user add NAME [PASSWORD]                  the key of the password is kept, never the password;\n"
    "  user delete NAME                          left out, it is asked for or read from standard input\n"
    "  secret add|delete [SECRET]                shared secrets of ephemeral credentials\n"
    "  peer-ip add|delete allowed|denied RANGE   FIRST-LAST, ADDRESS or PREFIX/LENGTH\n"
    "  user|secret|peer-ip list\n"
    "  schema                                    the SQL that makes the tables, for PostgreSQL\n"
    "\n"
    "  --json             the answer as JSON\n"
    "  --limit N          sessions: show at most N (default 1000, 0: all)\n"
    "  --all              drops, io: show what never happened too\n"
    "  --seconds N        perf: how long to look (default 1; 0: since the start)\n"
    "  --min-allocations N  drain: end when no more than N are left (default: as the options say)\n"
    "  --deadline N       drain: end after N seconds at the latest (0: never; default: as the options say)\n"
    "  --instance NAME    which pair of programs (default: that of this network namespace)\n"
    "  --runtime-dir DIR  where their sockets live (default: as turnpike-control)\n"
    "\n"
    "which database, as turnpike-control is told: --userdb PATH, --psql-userdb CONNECTION, --redis-userdb "
    "CONNECTION,\n"
    "--realm REALM, or all of it by the relay's --config FILE\n"
    "\n"
    "  --every-realm      secret, peer-ip: a row that counts in every realm; list: all of them\n"
    "  -h, --help, --version\n";

struct Call {
  std::string verb;
  std::string instance;
  std::string runtime_dir;
  unsigned long limit = 1000;
  unsigned long seconds = 1;
  std::optional<unsigned long> min_allocations;
  std::optional<unsigned long> deadline;
  bool json = false;
  bool all = false;
};

int fail(int code, const std::string& text) {
  std::fprintf(stderr, "turnpikectl: %s\n", text.c_str());
  return code;
}

// The answer, or why there is none.
turnpike::Result<Json> ask(const std::string& socket, const Json& request) {
  const auto line = turnpike::ctl::ask(socket, request.dump());
  if (!line) return turnpike::Error{line.error()};
  Json answer = Json::parse(*line);
  if (!answer.at("ok").get<bool>()) return turnpike::Error{answer.at("error").get<std::string>()};
  return answer;
}

// The same counters as they were when everything started.
Json zeroed(Json answer) {
  answer["now_ns"] = answer.at("started_ns");
  for (Json& worker : answer.at("workers")) {
    for (Json& value : worker) {
      if (value.is_number()) value = 0;
    }
  }
  return answer;
}

int run(const Call& call) {
  const auto paths = turnpike::config::instance_paths(call.instance, call.runtime_dir);
  if (!paths) return fail(2, paths.error());
  Json request{{"verb", call.verb}};
  if (call.verb == "sessions") request["limit"] = call.limit;
  if (call.min_allocations) request["min_allocations"] = *call.min_allocations;
  if (call.deadline) request["deadline_s"] = *call.deadline;
  try {
    Json before;
    if (call.verb == "perf" && call.seconds != 0) {
      const auto first = ask(paths->control_socket, request);
      if (!first) return fail(1, first.error());
      before = *first;
      std::this_thread::sleep_for(std::chrono::seconds(call.seconds));
    }
    const auto last = ask(paths->control_socket, request);
    if (!last) return fail(1, last.error());
    const Json& answer = *last;
    std::string text;
    if (call.json) {
      text = answer.dump(2) + "\n";
    } else if (call.verb == "status") {
      text = turnpike::ctl::format_status(answer);
    } else if (call.verb == "sessions") {
      text = turnpike::ctl::format_sessions(answer);
    } else if (call.verb == "reload") {
      text = turnpike::ctl::format_reload(answer);
    } else if (call.verb == "drain" || call.verb == "undrain") {
      text = turnpike::ctl::format_drain(answer);
    } else if (call.verb == "perf") {
      text = turnpike::ctl::format_perf(call.seconds != 0 ? before : zeroed(answer), answer);
    } else if (call.verb == "io") {
      text = turnpike::ctl::format_io(answer, call.all);
    } else {
      text = turnpike::ctl::format_drops(answer, call.all);
    }
    std::fputs(text.c_str(), stdout);
  } catch (const Json::exception& error) {
    return fail(1,
                std::string("turnpike-control gave another answer than expected, is it of this release? ") +
                    error.what());
  }
  return 0;
}

int check_upgrade(const Call& call, const std::string& binary) {
  const auto paths = turnpike::config::instance_paths(call.instance, call.runtime_dir);
  if (!paths) return fail(2, paths.error());
  const auto found = turnpike::ctl::ask_binary(binary);
  if (!found) return fail(2, found.error());
  try {
    const auto status = ask(paths->control_socket, {{"verb", "status"}});
    if (!status && status.error().starts_with("no access")) return fail(2, status.error());
    const auto verdict =
        turnpike::ctl::judge_upgrade(binary, *found, status ? std::optional<Json>(*status) : std::nullopt);
    const Json answer{{"ok", true}, {"in_place", verdict.in_place}, {"text", verdict.text}};
    std::puts(call.json ? answer.dump(2).c_str() : verdict.text.c_str());
    return verdict.in_place ? 0 : 1;
  } catch (const Json::exception& error) {
    return fail(2, std::string("turnpike-control gave another answer than expected: ") + error.what());
  }
}

int edit(const StoreCall& call) {
  const auto text = turnpike::ctl::run_store_verb(call);
  if (!text) return fail(text.error().starts_with("usage: ") ? 2 : 1, text.error());
  std::fputs(text->c_str(), stdout);
  return 0;
}

// A password among the words is hidden from `ps` once it has been read.
void hide_words(char** words, int count) {
  const std::string_view verb = words[0];
  const int secret = verb == "user" ? 3 : verb == "secret" ? 2 : count;
  for (int i = secret; i < count; ++i) std::memset(words[i], '*', std::strlen(words[i]));
}

std::optional<unsigned long> whole_number(const char* text) {
  char* end = nullptr;
  const unsigned long number = std::strtoul(text, &end, 10);
  if (end == text || *end != '\0' || *text == '-') return std::nullopt;
  return number;
}

enum : int {
  kJson = 256,
  kInstance,
  kRuntimeDir,
  kLimit,
  kSeconds,
  kMinAllocations,
  kDeadline,
  kAll,
  kEveryRealm,
  kStore,
  kVersion
};
constexpr option kOptions[] = {{"json", no_argument, nullptr, kJson},
                               {"instance", required_argument, nullptr, kInstance},
                               {"runtime-dir", required_argument, nullptr, kRuntimeDir},
                               {"limit", required_argument, nullptr, kLimit},
                               {"all", no_argument, nullptr, kAll},
                               {"seconds", required_argument, nullptr, kSeconds},
                               {"min-allocations", required_argument, nullptr, kMinAllocations},
                               {"deadline", required_argument, nullptr, kDeadline},
                               {"every-realm", no_argument, nullptr, kEveryRealm},
                               {"userdb", required_argument, nullptr, kStore},
                               {"db", required_argument, nullptr, kStore},
                               {"psql-userdb", required_argument, nullptr, kStore},
                               {"redis-userdb", required_argument, nullptr, kStore},
                               {"realm", required_argument, nullptr, kStore},
                               {"config", required_argument, nullptr, kStore},
                               {"version", no_argument, nullptr, kVersion},
                               {"help", no_argument, nullptr, 'h'},
                               {}};

// Fills both calls up to the words. A value: the program ends with it.
std::optional<int> read_options(int argc, char** argv, Call& call, StoreCall& edited) {
  constexpr unsigned long kLongest = 3600;
  for (int option = 0, index = 0; (option = getopt_long(argc, argv, "h", kOptions, &index)) != -1;) {
    switch (option) {
      case kJson:
        call.json = true;
        break;
      case kStore:
        edited.options.push_back("--" + std::string(kOptions[index].name) + "=" + optarg);
        break;
      case kEveryRealm:
        edited.every_realm = true;
        break;
      case kAll:
        call.all = true;
        break;
      case kInstance:
        call.instance = optarg;
        break;
      case kRuntimeDir:
        call.runtime_dir = optarg;
        break;
      case kLimit:
        if (const auto limit = whole_number(optarg)) {
          call.limit = *limit;
          break;
        }
        return fail(2, "--limit: not a number");
      case kMinAllocations:
        call.min_allocations = whole_number(optarg);
        if (!call.min_allocations) return fail(2, "--min-allocations: not a number");
        break;
      case kDeadline:
        call.deadline = whole_number(optarg);
        if (!call.deadline || *call.deadline > 31536000)
          return fail(2, "--deadline: seconds, from 0 to 31536000");
        break;
      case kSeconds:
        call.seconds = whole_number(optarg).value_or(kLongest + 1);
        if (call.seconds > kLongest) return fail(2, "--seconds: a number from 0 to 3600");
        break;
      case kVersion:
        std::printf("turnpikectl %s\n", std::string(turnpike::config::version()).c_str());
        return 0;
      case 'h':
        std::fputs(kUsage, stdout);
        return 0;
      default:
        return fail(2, "see turnpikectl --help");
    }
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  Call call;
  StoreCall edited;
  if (const auto ended = read_options(argc, argv, call, edited)) return *ended;
  constexpr std::array<std::string_view, 8> kVerbs{"status", "sessions", "drops", "io",
                                                   "perf",   "reload",   "drain", "undrain"};
  constexpr const char* kWanted =
      "give one verb: status, sessions, drops, io, perf, reload, drain or undrain, or user, secret, peer-ip; "
      "see turnpikectl "
      "--help";
  if (optind < argc && turnpike::ctl::is_store_verb(argv[optind])) {
    edited.words.assign(argv + optind, argv + argc);
    edited.json = call.json;
    hide_words(argv + optind, argc - optind);
    turnpike::config::hide_secrets(argc, argv);
    return edit(edited);
  }
  if (optind + 2 == argc && argv[optind] == std::string_view("upgrade-check")) {
    return check_upgrade(call, argv[optind + 1]);
  }
  if (optind + 1 != argc) return fail(2, kWanted);
  call.verb = argv[optind];
  if (std::find(kVerbs.begin(), kVerbs.end(), call.verb) == kVerbs.end())
    return fail(2, "unknown verb " + call.verb + "; " + kWanted);
  return run(call);
}
