// SPDX-License-Identifier: BSD-3-Clause
// Options that depend on each other.
#include <gtest/gtest.h>

#include "control/options.hpp"
#include "tests/support/test_crypto.hpp"

namespace turnpike::control {
namespace {

Result<ControlOptions> read(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "turnpike-control");
  const auto options =
      config::Options::parse(static_cast<int>(arguments.size()), arguments.data(), config::Program::kControl);
  if (!options) return Error{options.error()};
  test::TestCrypto crypto;
  return ControlOptions::read(*options, crypto);
}

void expect_refused(std::vector<const char*> arguments, const std::string& part) {
  const auto options = read(std::move(arguments));
  ASSERT_FALSE(options) << part;
  EXPECT_NE(options.error().find(part), std::string::npos) << options.error();
}

TEST(ControlOptions, users_switch_authentication_on) {
  const auto options = read({"--user=alice:x", "--realm=example.org"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_TRUE(options->turn.authenticate);
  EXPECT_EQ(options->turn.realm, "example.org");
  EXPECT_EQ(options->users.size(), 1u);
}

TEST(ControlOptions, somebody_must_be_able_to_allocate) {
  expect_refused({}, "--no-auth");
  expect_refused({"--lt-cred-mech", "--realm=r"}, "--user");
  expect_refused({"--user=alice:x"}, "realm is missing");
  expect_refused({"--user=alice:x", "--realm=r", "--no-auth"}, "contradicts");
  expect_refused({"--lt-cred-mech", "--no-auth"}, "contradicts");
  expect_refused({"--user=alice:x", "--realm=r", "--lt-cred-mech=false"}, "use --no-auth");
  const auto open = read({"--no-auth"});
  ASSERT_TRUE(open) << open.error();
  EXPECT_FALSE(open->turn.authenticate);
}

TEST(ControlOptions, databases) {
  const auto sqlite = read({"--userdb=/tmp/users.db", "--realm=r"});
  ASSERT_TRUE(sqlite) << sqlite.error();
  ASSERT_TRUE(sqlite->store);
  EXPECT_EQ(sqlite->store->where, "/tmp/users.db");
  EXPECT_TRUE(sqlite->store_has_users);
  EXPECT_EQ(sqlite->user_cache_lifetime, seconds(30));
  EXPECT_EQ(read({"--db=/tmp/users.db", "--realm=r"})->store->where, "/tmp/users.db")
      << "coturn's other spelling";
  EXPECT_TRUE(read({"--psql-userdb=host=h dbname=d", "--realm=r"}));
  EXPECT_TRUE(read({"--psql-userdb=postgresql://u:p@h/d", "--realm=r"}));
  EXPECT_TRUE(
      read({"--redis-userdb=ip=127.0.0.1 dbname=2 password=p port=1 connect_timeout=3", "--realm=r"}));
  expect_refused({"--userdb=a", "--db=b", "--realm=r"}, "leave one of them out");
  expect_refused({"--userdb=a", "--redis-userdb=ip=1", "--realm=r"}, "give one of them");
  expect_refused({"--userdb=a"}, "realm is missing");
  expect_refused({"--psql-userdb=host=h passw0rd=hidden", "--realm=r"}, "not a connection text");
  for (const char* bad : {"ip", "port=0", "port=x", "dbname=two", "tls=true", "connect_timeout=99"}) {
    expect_refused({("--redis-userdb=" + std::string(bad)).c_str(), "--realm=r"},
                   "unknown or has no valid value");
  }
  EXPECT_EQ(read({"--psql-userdb=passw0rd=hidden", "--realm=r"}).error().find("hidden"), std::string::npos);
}

TEST(ControlOptions, shared_secrets) {
  const auto options = read({"--static-auth-secret=a", "--static-auth-secret=b", "--realm=r"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_TRUE(options->ephemeral.enabled) << "as in coturn";
  EXPECT_EQ(options->ephemeral.secrets, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(read({"--static-auth-secret=a", "--rest-api-separator=#", "--realm=r"})->ephemeral.separator,
            '#');
  EXPECT_FALSE(read({"--use-auth-secret", "--userdb=u", "--realm=r"})->store_has_users);
  EXPECT_TRUE(read({"--use-auth-secret", "--lt-cred-mech", "--userdb=u", "--realm=r"})->store_has_users);
  expect_refused({"--use-auth-secret", "--realm=r"}, "without a secret");
  expect_refused({"--use-auth-secret", "--static-auth-secret=a"}, "realm is missing");
  expect_refused({"--no-auth", "--static-auth-secret=a"}, "contradicts");
  for (const char* bad : {"--rest-api-separator=::", "--rest-api-separator=7"}) {
    expect_refused({"--static-auth-secret=a", "--realm=r", bad}, "one character that is no digit");
  }
}

TEST(ControlOptions, stun_alone_and_stun_with_credentials) {
  const auto alone = read({"--stun-only"});
  ASSERT_TRUE(alone) << alone.error();
  EXPECT_TRUE(alone->turn.stun_only);
  EXPECT_TRUE(read({"--secure-stun", "--user=a:b", "--realm=r"})->turn.authenticate_binding);
  expect_refused({"--secure-stun", "--stun-only"}, "nobody could allocate");
  expect_refused({"--secure-stun", "--no-auth"}, "contradicts");
}

TEST(ControlOptions, numbers_reach_the_server) {
  const auto options = read(
      {"--no-auth", "--min-port=50000", "--max-port=50099", "--default-allocate-lifetime=700",
       "--max-allocate-lifetime=800", "--permission-lifetime=30", "--channel-lifetime=60", "--stale-nonce=90",
       "--user-quota=5", "--max-bps=64000", "--bps-capacity=125000000000", "--rfc5766-channel-numbers"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_EQ(options->turn.min_port, 50000);
  EXPECT_EQ(options->turn.max_port, 50099);
  EXPECT_EQ(options->turn.default_lifetime, seconds(700));
  EXPECT_EQ(options->turn.max_lifetime, seconds(800));
  EXPECT_EQ(options->turn.permission_lifetime, seconds(30));
  EXPECT_EQ(options->turn.channel_lifetime, seconds(60));
  EXPECT_EQ(options->turn.nonce_lifetime, seconds(90));
  EXPECT_EQ(options->turn.quotas.user, 5u);
  EXPECT_EQ(options->turn.quotas.max_bps, 64'000u);
  EXPECT_EQ(options->turn.quotas.bps_capacity, 125'000'000'000u);
  EXPECT_TRUE(options->turn.rfc5766_channels);
  EXPECT_TRUE(options->turn.software.starts_with("Turnpike "));
  EXPECT_EQ(read({"--no-auth", "--software-attribute=false"})->turn.software, "");
}

TEST(ControlOptions, ranges_must_fit_each_other) {
  expect_refused({"--no-auth", "--min-port=50000", "--max-port=49999"}, "above max-port");
  expect_refused({"--no-auth", "--default-allocate-lifetime=1200", "--max-allocate-lifetime=600"},
                 "lower it");
}

TEST(ControlOptions, addresses) {
  const auto options =
      read({"--no-auth", "--listening-ip=10.0.1.1", "--listening-ip=10.0.1.1", "--listening-ip=fd00::1",
            "--external-ip=198.51.100.1/10.0.1.1", "--external-ip=2001:db8::9"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_EQ(options->listening_ips.size(), 2u) << "given twice is given once";
  ASSERT_EQ(options->external_ips.size(), 2u);
  EXPECT_EQ(wire::to_string(options->external_ips[0].own), "10.0.1.1");
  EXPECT_EQ(options->external_ips[1].own.family, wire::Family::kNone);
  for (const char* bad : {"--listening-ip=host", "--listening-ip=0.0.0.0", "--listening-ip=::",
                          "--relay-ip=224.0.0.1", "--relay-ip=ff02::1", "--relay-ip=10.0.0.0/24"}) {
    EXPECT_FALSE(read({"--no-auth", bad})) << bad;
  }
  expect_refused({"--no-auth", "--external-ip=198.51.100.1/fd00::1"}, "both IPv4 or both IPv6");
  expect_refused({"--no-auth", "--external-ip=/10.0.0.1"}, "not an IP address");
}

TEST(ControlOptions, draining) {
  const auto options =
      read({"--no-auth", "--alternate-server=192.0.2.1", "--alternate-server=192.0.2.2:5000",
            "--alternate-server=2001:db8::1", "--alternate-server=[2001:db8::2]",
            "--alternate-server=[2001:db8::3]:5001", "--drain-min-allocations=7", "--drain-deadline=60"});
  ASSERT_TRUE(options) << options.error();
  std::vector<std::string> servers;
  for (const wire::Endpoint& server : options->turn.alternate_servers)
    servers.push_back(wire::to_string(server));
  EXPECT_EQ(servers, (std::vector<std::string>{"192.0.2.1:0", "192.0.2.2:5000", "[2001:db8::1]:0",
                                               "[2001:db8::2]:0", "[2001:db8::3]:5001"}));
  EXPECT_EQ(options->drain.min_allocations, 7u);
  EXPECT_EQ(options->drain.deadline, seconds(60));
  for (const char* wrong : {"--alternate-server=turn.example.org", "--alternate-server=192.0.2.1:0",
                            "--alternate-server=192.0.2.1:70000", "--alternate-server=0.0.0.0",
                            "--alternate-server=224.0.0.1:3478"}) {
    expect_refused({"--no-auth", wrong}, "alternate-server=");
  }
}

TEST(ControlOptions, peer_lists_reach_the_policy) {
  const auto options =
      read({"--no-auth", "--allowed-peer-ip=10.0.0.0/8", "--denied-peer-ip=10.1.0.0-10.1.0.9"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_TRUE(options->turn.policy.permits(*wire::parse_address("10.2.3.4")));
  EXPECT_FALSE(options->turn.policy.permits(*wire::parse_address("10.1.0.5")));
  EXPECT_FALSE(options->turn.policy.permits(*wire::parse_address("192.168.0.1"))) << "denied by default";
  expect_refused({"--no-auth", "--denied-peer-ip=10.0.0.0/33"}, "denied-peer-ip=10.0.0.0/33");
}

}  // namespace
}  // namespace turnpike::control
