// SPDX-License-Identifier: BSD-3-Clause
// Lines that our own check refuses: commented one by one, and never those that keep strangers out.
#include "control/coturn/acceptance.hpp"

#include <gtest/gtest.h>

#include "control/options.hpp"
#include "tests/support/test_crypto.hpp"

namespace turnpike::control {
namespace {

Status check(const std::string& text) {
  const auto options = config::Options::parse_text(text, "line");
  if (!options) return Error{options.error()};
  test::TestCrypto crypto;
  const auto settings = ControlOptions::read(*options, crypto);
  if (!settings) return Error{settings.error()};
  return Unit{};
}

std::string accepted(std::string text, std::size_t commented) {
  EXPECT_EQ(comment_refused(text, check), commented) << text;
  return text;
}

TEST(Acceptance, what_is_valid_stays_as_it_is) {
  const std::string text = "# comment\nno-auth=true\n\nmin-port=50000";
  EXPECT_EQ(accepted(text, 0), text);
}

TEST(Acceptance, one_refused_value) {
  const std::pair<const char*, const char*> cases[] = {
      {"relay-ip=host", "not an IP address"},
      {"relay-ip=0.0.0.0", "give the address itself"},
      {"external-ip=a.example.org", "not an IP address"},
      {"external-ip=1.2.3.4/::1", "must be both IPv4 or both IPv6"},
      {"allowed-peer-ip=10.0.0.0/99", ""},
      {"min-port=0", "out of range; use 1 to 65535"},
      {"max-allocate-lifetime=300", "out of range"},
      {"user-quota=x", "not a whole number"},
      {"syslog-facility=LOG_KERN", "use one of"},
      {"no-stdout-log=true", "log-file or syslog"},
      {"unknown=1", "unknown option"},
  };
  for (const auto& [line, why] : cases) {
    const std::string text = accepted("no-auth=true\n" + std::string(line) + "\nmax-port=60000\n", 1);
    EXPECT_TRUE(text.starts_with("no-auth=true\n# " + std::string(line) + ": ")) << text;
    EXPECT_TRUE(text.ends_with("\nmax-port=60000\n")) << text;
    EXPECT_NE(text.find(why), std::string::npos) << text;
    EXPECT_EQ(text.find("line:"), std::string::npos) << text;
    EXPECT_TRUE(check(text));
  }
}

TEST(Acceptance, several_and_those_that_contradict_each_other) {
  const std::string text =
      accepted("no-auth=true\nrelay-ip=host\nmin-port=60000\nmax-port=50000\nworkers=99\n", 3);
  EXPECT_NE(text.find("# relay-ip=host: "), std::string::npos);
  EXPECT_NE(text.find("# workers=99: "), std::string::npos);
  EXPECT_NE(text.find("# min-port=60000: "), std::string::npos) << text;
  EXPECT_NE(text.find("\nmax-port=50000\n"), std::string::npos) << text;
  EXPECT_TRUE(check(text));
}

TEST(Acceptance, who_may_allocate_is_left_to_the_operator) {
  for (const char* text :
       {"lt-cred-mech=true\nrealm=r\n", "user=a:b\nno-auth=true\nrealm=r\n", "user=a:b\n", ""}) {
    EXPECT_EQ(accepted(text, 0), text);
    EXPECT_FALSE(check(text)) << text;
  }
}

}  // namespace
}  // namespace turnpike::control
