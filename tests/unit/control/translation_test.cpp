// SPDX-License-Identifier: BSD-3-Clause
// turnserver.conf line by line, and what its lines do to each other.
#include "control/coturn/translation.hpp"

#include <gtest/gtest.h>

#include "control/coturn/turnserver_conf.hpp"
#include "control/options.hpp"
#include "tests/support/test_crypto.hpp"

namespace turnpike::control {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string translated(const std::string& text) { return translate_turnserver_conf(text).text; }

// Our lines, without comments and blank ones.
std::vector<std::string> settings(const std::string& text) {
  std::vector<std::string> lines;
  for (const ConfLine& line : parse_turnserver_conf(translated(text))) {
    if (line.is_setting()) lines.push_back(line.text);
  }
  return lines;
}

bool has(const std::string& text, const std::string& line) {
  const auto lines = settings(text);
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

std::string check(const std::string& text) {
  const auto options = config::Options::parse_text(translated(text), "result");
  if (!options) return options.error();
  test::TestCrypto crypto;
  const auto read = ControlOptions::read(*options, crypto);
  return read ? "valid" : read.error();
}

TEST(TurnserverConf, lines_as_coturn_reads_them) {
  const auto lines = parse_turnserver_conf(
      "# comment\r\n\nrealm=a b \nrealm   spaced\n fingerprint\nuser = x:y=z\npsql-userdb=\"host=h user=u\"\n"
      "pkey-pwd=\"half\nempty=\n\tcli-port\t5");
  ASSERT_EQ(lines.size(), 10u);
  EXPECT_FALSE(lines[0].is_setting());
  EXPECT_EQ(lines[0].text, "# comment");
  EXPECT_FALSE(lines[1].is_setting());
  EXPECT_EQ(lines[2].spelled(), "realm=a b");
  EXPECT_EQ(lines[3].spelled(), "realm=spaced");
  EXPECT_EQ(lines[4].spelled(), "fingerprint");
  EXPECT_EQ(lines[5].spelled(), "user=x:y=z");
  EXPECT_EQ(lines[6].spelled(), "psql-userdb=host=h user=u");
  EXPECT_EQ(lines[7].spelled(), "pkey-pwd=half");
  EXPECT_EQ(lines[8].spelled(), "empty=");
  EXPECT_EQ(lines[9].spelled(), "cli-port=5");
}

TEST(TurnserverConf, bandwidth_limits_are_carried_over) {
  const std::string text = "realm=r\nuser=a:b\nmax-bps=64000\nbps-capacity=1250000000\n";
  EXPECT_TRUE(has(text, "max-bps=64000"));
  EXPECT_TRUE(has(text, "bps-capacity=1250000000"));
  EXPECT_EQ(check(text), "valid");
  EXPECT_TRUE(contains(check("realm=r\nuser=a:b\nmax-bps=64k\n"), "not a whole number"));
}

TEST(TurnserverConf, other_servers_are_for_draining) {
  const std::string text =
      "realm=r\nuser=a:b\nalternate-server=192.0.2.1:3479\nalternate-server=[2001:db8::1]\n"
      "tls-alternate-server=192.0.2.1:5349\ndrain-min-allocations=3\n";
  EXPECT_TRUE(has(text, "alternate-server=192.0.2.1:3479"));
  EXPECT_TRUE(has(text, "alternate-server=[2001:db8::1]"));
  EXPECT_TRUE(has(text, "drain-min-allocations=3"));
  EXPECT_FALSE(has(text, "tls-alternate-server=192.0.2.1:5349"));
  EXPECT_TRUE(
      contains(translated(text), "# alternate-server=192.0.2.1:3479: only while this server is draining"));
  EXPECT_EQ(check(text), "valid");
}

TEST(TurnserverConf, switches) {
  for (const char* on : {"x", "x=", "x=1", "x=on", "x=Yes", "x=true", "x=t"}) {
    EXPECT_TRUE(parse_turnserver_conf(on)[0].is_on()) << on;
  }
  for (const char* off : {"x=0", "x=off", "x=NO", "x=false", "x=f"}) {
    EXPECT_FALSE(parse_turnserver_conf(off)[0].is_on()) << off;
  }
}

TEST(Translation, order_and_comments_stay) {
  const std::string text = translated("# mine\n\nrealm=r\n# more\nuser=a:b\nlt-cred-mech\n");
  EXPECT_TRUE(text.starts_with("# mine\n\nrealm=r\n# more\nuser=a:b\nlt-cred-mech=true\n")) << text;
}

TEST(Translation, what_we_have_is_carried_over) {
  const std::string text = "min-port=50000\nmax-port=50100\nrelay-ip=10.0.0.1\nverbose\nsyslog=off\n";
  for (const char* line :
       {"min-port=50000", "max-port=50100", "relay-ip=10.0.0.1", "verbose=true", "syslog=false"}) {
    EXPECT_TRUE(has(text, line)) << translated(text);
  }
  EXPECT_EQ(translate_turnserver_conf(text).carried, 5u);
  EXPECT_EQ(translate_turnserver_conf(text).commented, 0u);
}

TEST(Translation, what_we_do_not_have_is_a_comment_that_says_why) {
  const auto translation = translate_turnserver_conf("fingerprint\ncli-password=qwerty\nbogus=1\n");
  EXPECT_TRUE(contains(translation.text, "# fingerprint: remove it: a response carries FINGERPRINT"));
  EXPECT_TRUE(contains(translation.text, "# cli-password=qwerty: use turnpikectl"));
  EXPECT_TRUE(contains(translation.text, "# bogus=1: unknown to coturn"));
  EXPECT_EQ(translation.carried, 0u);
  EXPECT_EQ(translation.commented, 3u);
}

TEST(Translation, renames) {
  EXPECT_TRUE(has("relay-threads=4", "workers=4"));
  EXPECT_TRUE(has("relay-threads=0", "workers=1"));
  EXPECT_TRUE(has("relay-threads=200", "workers=64"));
  EXPECT_TRUE(has("relay-threads=many", "workers=many")) << "not judged here";
  EXPECT_TRUE(has("no-software-attribute", "software-attribute=false"));
  EXPECT_FALSE(contains(translated("no-software-attribute=no"), "\nsoftware-attribute"));
  EXPECT_TRUE(has("Verbose", "verbose=true"));
  EXPECT_TRUE(has("log-min-level=warn", "log-level=warning"));
  EXPECT_TRUE(has("allow-loopback-peers", "allowed-peer-ip=127.0.0.0/8"));
  EXPECT_TRUE(has("allow-loopback-peers", "allowed-peer-ip=::1"));
}

TEST(Translation, listeners_become_socket_ports) {
  EXPECT_TRUE(has("", "port=socket:0.0.0.0:3478"));
  EXPECT_TRUE(has("", "port=socket:[::]:3478"));
  EXPECT_TRUE(has("listening-port=5000", "port=socket:[::]:5000"));
  const std::string two =
      "listening-ip=10.0.0.1\nlistening-ip=2001:db8::1\nlistening-port=5000\nlistening-ip=10.0.0.1\n";
  EXPECT_TRUE(has(two, "port=socket:10.0.0.1:5000"));
  EXPECT_TRUE(has(two, "port=socket:[2001:db8::1]:5000"));
  const auto lines = settings(two);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), [](auto& line) { return line.starts_with("port="); }),
            2);
  EXPECT_FALSE(contains(translated(two), "\nlistening-"));
  EXPECT_TRUE(has("listening-port=99999", "port=socket:0.0.0.0:3478"));
}

TEST(Translation, nobody_is_let_in_by_mistake) {
  EXPECT_TRUE(has("", "no-auth=true")) << "as coturn does without users";
  EXPECT_TRUE(has("no-auth", "no-auth=true"));
  for (const char* closed :
       {"lt-cred-mech", "use-auth-secret", "static-auth-secret=s", "user=a:b", "userdb=/x", "psql-userdb=x",
        "lt-cred-mech\nno-auth", "use-auth-secret\nno-auth"}) {
    EXPECT_FALSE(has(closed, "no-auth=true")) << closed;
    EXPECT_TRUE(has(closed, "realm=turnpike")) << closed;
  }
  EXPECT_FALSE(contains(translated("user=a:b\nno-auth"), "\nuser="));
  EXPECT_TRUE(has("user=a:b\nno-auth", "no-auth=true"));
}

TEST(Translation, coturns_own_database_is_named_when_it_is_served) {
  const bool served = config::find_option("userdb") != config::kOptionCount;
  for (const char* unnamed : {"lt-cred-mech", "use-auth-secret"}) {
    EXPECT_EQ(has(unnamed, "userdb=/var/lib/turn/turndb"), served) << unnamed;
  }
  const std::string several = "userdb=/a\npsql-userdb=b\nredis-userdb=c\nsql-userdb=d\n";
  EXPECT_EQ(has(several, "psql-userdb=d"), served) << "the last one counts";
  for (const char* line : {"userdb=/a", "psql-userdb=b", "redis-userdb=c"}) {
    EXPECT_FALSE(has(several, line)) << line;
    EXPECT_TRUE(contains(translated(several), "# " + std::string(line) + ": ")) << line;
  }
  EXPECT_FALSE(has("user=a:b", "userdb=/var/lib/turn/turndb"));
  EXPECT_FALSE(has("no-auth", "userdb=/var/lib/turn/turndb"));
}

TEST(Translation, users) {
  EXPECT_TRUE(has("user=a:b\nuser=c:d", "user=a:b"));
  const std::string twice = "user=a:old\nuser=a:new\n";
  EXPECT_TRUE(has(twice, "user=a:new"));
  EXPECT_FALSE(has(twice, "user=a:old"));
  EXPECT_FALSE(contains(translated("user=nobody"), "\nuser="));
  EXPECT_FALSE(contains(translated("user=a:0x12"), "\nuser="));
  EXPECT_TRUE(has("user=a:0xbc807ee29df3c9ffa736523fb2c4e8ee", "user=a:0xbc807ee29df3c9ffa736523fb2c4e8ee"));
}

TEST(Translation, logs) {
  EXPECT_TRUE(has("log-file=/var/log/turn.log", "log-file=/var/log/turn.log"));
  EXPECT_TRUE(has("log-file=syslog", "syslog=true"));
  EXPECT_FALSE(contains(translated("log-file=stdout"), "\nlog-file"));
  EXPECT_TRUE(has("no-stdout-log\nsyslog", "no-stdout-log=true"));
  EXPECT_TRUE(has("syslog-facility=\"LOG_LOCAL1\"", "syslog-facility=LOG_LOCAL1"));
}

TEST(Translation, nonces) {
  EXPECT_TRUE(has("stale-nonce", "stale-nonce=600"));
  EXPECT_TRUE(has("stale-nonce=0", "stale-nonce=86400"));
  EXPECT_TRUE(has("stale-nonce=700", "stale-nonce=700"));
}

TEST(Translation, socket_batching) {
  EXPECT_TRUE(has("udp-recvmmsg=32", "udp-recvmmsg=1"));
  EXPECT_TRUE(has("udp-gso", "udp-gso=1"));
  EXPECT_TRUE(has("udp-gso=0", "udp-gso=0"));
}

TEST(Translation, the_result_can_be_used) {
  EXPECT_EQ(check(""), "valid");
  EXPECT_EQ(check("user=a:b\nlistening-ip=10.0.0.1\nexternal-ip=1.2.3.4/10.0.0.1\nno-cli\nfingerprint"),
            "valid");
}

TEST(Options, the_import_is_an_action_of_control) {
  const char* arguments[] = {"turnpike", "--import-coturn", "a.conf", "--output", "b.conf"};
  const auto control = config::Options::parse(5, arguments, config::Program::kControl);
  ASSERT_TRUE(control) << control.error();
  EXPECT_EQ(control->action(), config::Options::Action::kImportCoturn);
  EXPECT_EQ(control->import_file(), "a.conf");
  EXPECT_EQ(control->output_file(), "b.conf");
  EXPECT_FALSE(config::Options::parse(5, arguments, config::Program::kDataplane));
  const char* alone[] = {"turnpike", "--output", "b.conf"};
  EXPECT_FALSE(config::Options::parse(3, alone, config::Program::kControl));
}

}  // namespace
}  // namespace turnpike::control
