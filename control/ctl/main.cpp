// SPDX-License-Identifier: BSD-3-Clause
// turnpikectl: asks a running turnpike-control. Exit codes: 0 fine, 1 no answer or a refusal, 2 wrong usage.
#include <getopt.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/config/instance.hpp"
#include "control/ctl/client.hpp"
#include "control/ctl/format.hpp"

namespace {

using turnpike::ctl::Json;

constexpr const char* kUsage =
    "usage: turnpikectl [OPTIONS] VERB\n"
    "\n"
    "  status      programs, ports, workers with their rates, counters, errors\n"
    "  sessions    allocations with their live packets and bytes, both directions\n"
    "  drops       packets that ended here, by reason\n"
    "  io          how full the receive and send calls of socket ports are\n"
    "\n"
    "  --json             the answer as JSON\n"
    "  --limit N          sessions: show at most N (default 1000, 0: all)\n"
    "  --all              drops, io: show what never happened too\n"
    "  --instance NAME    which pair of programs (default: that of this network namespace)\n"
    "  --runtime-dir DIR  where their sockets live (default: as turnpike-control)\n"
    "  -h, --help, --version\n";

struct Call {
  std::string verb;
  std::string instance;
  std::string runtime_dir;
  unsigned long limit = 1000;
  bool json = false;
  bool all = false;
};

int fail(int code, const std::string& text) {
  std::fprintf(stderr, "turnpikectl: %s\n", text.c_str());
  return code;
}

int run(const Call& call) {
  const auto paths = turnpike::config::instance_paths(call.instance, call.runtime_dir);
  if (!paths) return fail(2, paths.error());
  Json request{{"verb", call.verb}};
  if (call.verb == "sessions") request["limit"] = call.limit;
  const auto line = turnpike::ctl::ask(paths->control_socket, request.dump());
  if (!line) return fail(1, line.error());
  try {
    const Json answer = Json::parse(*line);
    if (!answer.at("ok").get<bool>()) return fail(1, answer.at("error").get<std::string>());
    std::string text;
    if (call.json) {
      text = answer.dump(2) + "\n";
    } else if (call.verb == "status") {
      text = turnpike::ctl::format_status(answer);
    } else if (call.verb == "sessions") {
      text = turnpike::ctl::format_sessions(answer);
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

}  // namespace

int main(int argc, char** argv) {
  enum : int { kJson = 256, kInstance, kRuntimeDir, kLimit, kAll, kVersion };
  const option options[] = {{"json", no_argument, nullptr, kJson},
                            {"instance", required_argument, nullptr, kInstance},
                            {"runtime-dir", required_argument, nullptr, kRuntimeDir},
                            {"limit", required_argument, nullptr, kLimit},
                            {"all", no_argument, nullptr, kAll},
                            {"version", no_argument, nullptr, kVersion},
                            {"help", no_argument, nullptr, 'h'},
                            {}};
  Call call;
  for (int option = 0; (option = getopt_long(argc, argv, "h", options, nullptr)) != -1;) {
    char* end = nullptr;
    switch (option) {
      case kJson:
        call.json = true;
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
        call.limit = std::strtoul(optarg, &end, 10);
        if (end == optarg || *end != '\0' || *optarg == '-') return fail(2, "--limit: not a number");
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
  constexpr std::array<std::string_view, 4> kVerbs{"status", "sessions", "drops", "io"};
  constexpr const char* kWanted = "give one verb: status, sessions, drops or io; see turnpikectl --help";
  if (optind + 1 != argc) return fail(2, kWanted);
  call.verb = argv[optind];
  if (std::find(kVerbs.begin(), kVerbs.end(), call.verb) == kVerbs.end())
    return fail(2, "unknown verb " + call.verb + "; " + kWanted);
  return run(call);
}
