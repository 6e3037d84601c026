// SPDX-License-Identifier: BSD-3-Clause
// The option table, the command line, the configuration file, and which of them wins.
#include "common/config/options.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <set>

namespace turnpike::config {
namespace {

Result<Options> parse(std::vector<const char*> arguments, Program who = Program::kControl) {
  arguments.insert(arguments.begin(), "program");
  return Options::parse(static_cast<int>(arguments.size()), arguments.data(), who);
}

std::string error_of(std::vector<const char*> arguments) {
  const auto parsed = parse(std::move(arguments));
  return parsed ? std::string("accepted") : parsed.error();
}

class File {
public:
  explicit File(const std::string& text) {
    const int fd = mkstemp(path_.data());
    std::ofstream(path_) << text;
    close(fd);
  }
  ~File() { unlink(path_.c_str()); }
  const char* path() const { return path_.c_str(); }

private:
  std::string path_ = "/tmp/turnpike-options-XXXXXX";
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(OptionTable, defaults_are_valid_values) {
  std::set<std::string_view> names;
  for (const Option& option : kOptionTable) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name << " twice";
    EXPECT_FALSE(option.help.empty()) << option.name;
    if (option.kind == Kind::kList) {
      EXPECT_TRUE(option.default_text.empty()) << option.name;
    } else if (!option.default_text.empty()) {
      const std::string argument = "--" + std::string(option.name) + "=" + std::string(option.default_text);
      EXPECT_TRUE(parse({argument.c_str()})) << argument;
    }
    if (is_number(option.kind)) {
      EXPECT_LT(option.minimum, option.maximum) << option.name;
    }
  }
}

TEST(Options, defaults) {
  const auto options = parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->number("listening-port"), 3478);
  EXPECT_EQ(options->number("min-port"), 49152);
  EXPECT_EQ(options->text("poll"), "adaptive");
  EXPECT_TRUE(options->flag("software-attribute"));
  EXPECT_FALSE(options->flag("no-auth"));
  EXPECT_TRUE(options->list("port").empty());
  EXPECT_FALSE(options->given("listening-port"));
  EXPECT_EQ(options->action(), Options::Action::kRun);
}

TEST(Options, every_kind_on_the_command_line) {
  const auto options = parse({"--no-auth", "--software-attribute=off", "--realm", "example.org",
                              "--poll=always", "--workers", "3", "--ring-cells=4096", "--stale-nonce", "60",
                              "--port", "xdp:eth0", "--port=pci:0000:3b:00.1", "-v"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_TRUE(options->flag("no-auth"));
  EXPECT_FALSE(options->flag("software-attribute"));
  EXPECT_EQ(options->text("realm"), "example.org");
  EXPECT_EQ(options->text("poll"), "always");
  EXPECT_EQ(options->number("workers"), 3);
  EXPECT_EQ(options->number("ring-cells"), 4096);
  EXPECT_EQ(options->number("stale-nonce"), 60);
  EXPECT_EQ(options->list("port"), (std::vector<std::string>{"xdp:eth0", "pci:0000:3b:00.1"}));
  EXPECT_TRUE(options->flag("verbose"));
  EXPECT_TRUE(options->given("workers"));
}

TEST(Options, a_flag_takes_no_word_that_follows) {
  const auto options = parse({"--no-auth", "--realm", "r"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->flag("no-auth"));
  EXPECT_EQ(options->text("realm"), "r");
}

TEST(Options, out_of_range_names_option_value_and_range) {
  EXPECT_EQ(error_of({"--workers", "65"}), "--workers=65: out of range; use 1 to 64");
  EXPECT_EQ(error_of({"--workers", "0"}), "--workers=0: out of range; use 1 to 64");
  EXPECT_TRUE(contains(error_of({"--min-port=65536"}), "out of range; use 1 to 65535"));
  EXPECT_TRUE(contains(error_of({"--min-port=x"}), "not a whole number"));
  EXPECT_TRUE(contains(error_of({"--min-port=10x"}), "not a whole number"));
  EXPECT_TRUE(contains(error_of({"--min-port=99999999999999999999"}), "not a whole number"));
  EXPECT_TRUE(contains(error_of({"--min-port", "-5"}), "out of range"));
  EXPECT_TRUE(contains(error_of({"--ring-cells", "3000"}), "not a power of two"));
  EXPECT_TRUE(contains(error_of({"--poll", "never"}), "use one of adaptive|always"));
  EXPECT_TRUE(contains(error_of({"--no-auth=perhaps"}), "use true or false"));
  EXPECT_TRUE(contains(error_of({"--realm="}), "realm"));
  EXPECT_TRUE(contains(error_of({"--realm"}), "--realm"));
}

TEST(Options, unknown_ones_are_refused) {
  EXPECT_EQ(error_of({"--relm", "x"}), "--relm: unknown option; see --help");
  EXPECT_EQ(error_of({"--real=x"}), "--real: unknown option; see --help") << "no abbreviations";
  EXPECT_EQ(error_of({"-x"}), "-x: unknown option; see --help");
  EXPECT_TRUE(contains(error_of({"word"}), "unexpected argument"));
}

TEST(Options, those_of_coturn_say_what_to_use_instead) {
  EXPECT_TRUE(contains(error_of({"--relay-threads", "4"}), "use --workers"));
  EXPECT_TRUE(contains(error_of({"--dh-file=x.pem"}), "coturn"));
  const File file("listening-port=3478\nno-cli\n");
  EXPECT_TRUE(contains(error_of({"-c", file.path()}), ":2: no-cli: an option of coturn"));
}

TEST(Options, file_in_the_style_of_coturn) {
  const File file(
      "# comment\n"
      "\n"
      "listening-port=5000\n"
      "  realm = example.org \r\n"
      "lt-cred-mech\n"
      "user=alice:se=cret#1\n"
      "user=bob:x\n"
      "port=xdp:eth0");
  const auto options = parse({"--config", file.path()});
  ASSERT_TRUE(options) << options.error();
  EXPECT_EQ(options->number("listening-port"), 5000);
  EXPECT_EQ(options->text("realm"), "example.org");
  EXPECT_TRUE(options->flag("lt-cred-mech"));
  EXPECT_EQ(options->list("user"), (std::vector<std::string>{"alice:se=cret#1", "bob:x"}));
  EXPECT_EQ(options->list("port"), (std::vector<std::string>{"xdp:eth0"}));
}

TEST(Options, command_line_wins_over_file) {
  const File file("min-port=50000\nmax-port=50100\nport=xdp:a\nport=xdp:b\nno-auth\n");
  for (const bool file_first : {true, false}) {
    const std::string config = std::string("--config=") + file.path();
    std::vector<const char*> arguments{"--min-port=50010", "--port=xdp:c", "--no-auth=false"};
    arguments.insert(file_first ? arguments.begin() : arguments.end(), config.c_str());
    const auto options = parse(arguments);
    ASSERT_TRUE(options) << options.error();
    EXPECT_EQ(options->number("min-port"), 50010);
    EXPECT_EQ(options->number("max-port"), 50100);
    EXPECT_EQ(options->list("port"), (std::vector<std::string>{"xdp:c"}));
    EXPECT_FALSE(options->flag("no-auth"));
  }
}

TEST(Options, the_last_of_repeated_single_values_counts) {
  const auto options = parse({"--realm=a", "--realm=b"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->text("realm"), "b");
}

TEST(Options, errors_in_a_file_name_file_and_line) {
  const File range("realm=r\nworkers=99\n");
  EXPECT_EQ(error_of({"-c", range.path()}),
            std::string(range.path()) + ":2: workers=99: out of range; use 1 to 64");
  const File bare("realm\n");
  EXPECT_TRUE(contains(error_of({"-c", bare.path()}), ":1: realm: needs a value"));
  const File words("listening port=5\n");
  EXPECT_TRUE(contains(error_of({"-c", words.path()}), ":1: not a KEY=VALUE line"));
  const File nested("config=other\n");
  EXPECT_TRUE(contains(error_of({"-c", nested.path()}), "cannot name another"));
  EXPECT_TRUE(contains(error_of({"-c", "/nonexistent/file"}), "cannot be read"));
}

TEST(Options, wiped_values_are_gone) {
  auto options = parse({"--user", "alice:secret"});
  ASSERT_TRUE(options);
  options->wipe("user");
  EXPECT_TRUE(options->list("user").empty());
}

TEST(Options, help_names_every_option_and_its_range) {
  const auto options = parse({"--help"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->action(), Options::Action::kHelp);
  const std::string help = options->help_text();
  for (const Option& option : kOptionTable)
    EXPECT_TRUE(contains(help, "--" + std::string(option.name))) << option.name;
  EXPECT_TRUE(contains(help, "1 to 64"));
  EXPECT_LT(help.find("turnpike-control:"), help.find("turnpike-dataplane:"));
}

TEST(Options, printed_configuration_can_be_read_again_and_hides_passwords) {
  const auto options = parse({"--print-config", "--user", "alice:hidden", "--port=xdp:s0", "--min-port=50000",
                              "--static-auth-secret=hidden", "--psql-userdb=dbname=turn password=hidden"});
  ASSERT_TRUE(options);
  const std::string text = options->config_text();
  EXPECT_FALSE(contains(text, "hidden"));
  EXPECT_TRUE(contains(text, "psql-userdb=dbname=turn password=***"));
  const File file(text);
  const auto again = parse({"-c", file.path()});
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->config_text(), text);
  EXPECT_EQ(again->number("min-port"), 50000);
}

TEST(Options, actions) {
  EXPECT_EQ(parse({"--version"})->action(), Options::Action::kVersion);
  EXPECT_TRUE(parse({"--check-config"})->only_check());
  EXPECT_FALSE(parse({"--check-config"})->print_if_asked());
}

}  // namespace
}  // namespace turnpike::config
