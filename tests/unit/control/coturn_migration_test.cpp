// SPDX-License-Identifier: BSD-3-Clause
// docs/coturn-migration.md answers every option of coturn, and says what the option tables say.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "common/config/foreign_options.hpp"
#include "common/config/option_table.hpp"
#include "control/coturn/renames.hpp"

namespace turnpike::config {
namespace {

// Every option of coturn 4.17.
constexpr auto kCoturnOptions = std::to_array<std::string_view>({"listening-device",
                                                                 "listening-port",
                                                                 "tls-listening-port",
                                                                 "alt-listening-port",
                                                                 "alt-tls-listening-port",
                                                                 "tcp-proxy-port",
                                                                 "listening-ip",
                                                                 "aux-server",
                                                                 "udp-self-balance",
                                                                 "relay-device",
                                                                 "relay-ip",
                                                                 "external-ip",
                                                                 "relay-threads",
                                                                 "cpus",
                                                                 "min-port",
                                                                 "max-port",
                                                                 "sock-buf-size",
                                                                 "udp-recvmmsg",
                                                                 "udp-recvmmsg-log",
                                                                 "udp-gso",
                                                                 "multiplex-peer",
                                                                 "multiplex-peer-port",
                                                                 "multiplex-peer-max-peers",
                                                                 "no-udp",
                                                                 "no-tcp",
                                                                 "no-tls",
                                                                 "dtls",
                                                                 "no-dtls",
                                                                 "no-udp-relay",
                                                                 "no-tcp-relay",
                                                                 "ne",
                                                                 "fingerprint",
                                                                 "stun-only",
                                                                 "no-stun",
                                                                 "secure-stun",
                                                                 "rfc5780",
                                                                 "stun-backward-compatibility",
                                                                 "rfc3489-compatibility",
                                                                 "rfc5766-channel-numbers",
                                                                 "response-origin-only-with-rfc5780",
                                                                 "keep-address-family",
                                                                 "allocation-default-address-family",
                                                                 "mobility",
                                                                 "server-relay",
                                                                 "include-reason-string",
                                                                 "software-attribute",
                                                                 "respond-http-unsupported",
                                                                 "drop-invalid-packets",
                                                                 "drop-invalid-packets-log",
                                                                 "max-allocate-timeout",
                                                                 "max-allocate-lifetime",
                                                                 "channel-lifetime",
                                                                 "permission-lifetime",
                                                                 "stale-nonce",
                                                                 "no-auth",
                                                                 "lt-cred-mech",
                                                                 "use-auth-secret",
                                                                 "static-auth-secret",
                                                                 "server-name",
                                                                 "oauth",
                                                                 "user",
                                                                 "userdb",
                                                                 "psql-userdb",
                                                                 "mysql-userdb",
                                                                 "mongo-userdb",
                                                                 "redis-userdb",
                                                                 "secret-key-file",
                                                                 "redis-statsdb",
                                                                 "realm",
                                                                 "check-origin-consistency",
                                                                 "rest-api-separator",
                                                                 "no-auth-pings",
                                                                 "no-dynamic-ip-list",
                                                                 "no-dynamic-realms",
                                                                 "unauthorized-ratelimit",
                                                                 "unauthorized-ratelimit-rps",
                                                                 "stateless-nonce",
                                                                 "stateless-nonce-secret",
                                                                 "user-quota",
                                                                 "total-quota",
                                                                 "max-bps",
                                                                 "bps-capacity",
                                                                 "allowed-peer-ip",
                                                                 "denied-peer-ip",
                                                                 "allow-loopback-peers",
                                                                 "no-multicast-peers",
                                                                 "cert",
                                                                 "pkey",
                                                                 "pkey-pwd",
                                                                 "CA-file",
                                                                 "cipher-list",
                                                                 "ec-curve-name",
                                                                 "dh566",
                                                                 "dh1066",
                                                                 "dh-file",
                                                                 "tlsv1",
                                                                 "raw-public-keys",
                                                                 "alternate-server",
                                                                 "tls-alternate-server",
                                                                 "udp-alternate-server",
                                                                 "tcp-alternate-server",
                                                                 "verbose",
                                                                 "log-file",
                                                                 "no-stdout-log",
                                                                 "syslog",
                                                                 "syslog-facility",
                                                                 "simple-log",
                                                                 "log-min-level",
                                                                 "new-log-timestamp",
                                                                 "new-log-timestamp-format",
                                                                 "log-binding",
                                                                 "pidfile",
                                                                 "proc-user",
                                                                 "proc-group",
                                                                 "daemon",
                                                                 "cli",
                                                                 "cli-ip",
                                                                 "cli-port",
                                                                 "cli-password",
                                                                 "cli-max-output-sessions",
                                                                 "web-admin",
                                                                 "web-admin-ip",
                                                                 "web-admin-port",
                                                                 "web-admin-listen-on-workers",
                                                                 "acme-redirect",
                                                                 "prometheus",
                                                                 "prometheus-port",
                                                                 "prometheus-address",
                                                                 "prometheus-path",
                                                                 "prometheus-username-labels",
                                                                 "prometheus-tls",
                                                                 "prometheus-cert",
                                                                 "prometheus-key",
                                                                 "drain-min-allocations"});

struct Row {
  std::string here;
  std::string text;
};

bool is_own(std::string_view name) { return find_option(name) != kOptionCount; }

std::string cell(std::istringstream& line) {
  std::string text;
  std::getline(line, text, '|');
  const std::size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// The tables below "## Options": | `name` | here | text |
std::map<std::string, Row> read_rows() {
  std::ifstream file(TURNPIKE_DOCS_DIR "/coturn-migration.md");
  std::map<std::string, Row> rows;
  bool in_options = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) in_options = line == "## Options";
    if (!in_options || !line.starts_with("| `")) continue;
    std::istringstream cells(line.substr(1));
    std::string name = cell(cells);
    name = name.substr(1, name.size() - 2);
    const std::string here = cell(cells);
    EXPECT_TRUE(rows.emplace(name, Row{here, cell(cells)}).second) << name << " twice";
  }
  return rows;
}

TEST(CoturnMigration, every_option_is_ours_or_answered) {
  for (const std::string_view name : kCoturnOptions) {
    EXPECT_NE(is_own(name), find_foreign_option(name) != nullptr)
        << name << " stands in none or in both of options.def and foreign_options.def";
  }
}

TEST(CoturnMigration, every_option_has_its_row) {
  const auto rows = read_rows();
  for (const std::string_view name : kCoturnOptions) {
    EXPECT_TRUE(rows.contains(std::string(name))) << name;
  }
  for (const ForeignOption& foreign : kForeignOptions) {
    EXPECT_TRUE(rows.contains(std::string(foreign.name))) << foreign.name;
  }
}

TEST(CoturnMigration, rows_say_what_the_tables_say) {
  for (const auto& [name, row] : read_rows()) {
    if (is_own(name)) {
      EXPECT_EQ(row.here, "same") << name << " is an option of ours";
      continue;
    }
    const ForeignOption* foreign = find_foreign_option(name);
    ASSERT_NE(foreign, nullptr) << name << " is in no table";
    EXPECT_EQ(row.text, foreign->instead) << name;
    if (row.here == "–") continue;
    ASSERT_TRUE(row.here.size() > 2 && row.here.front() == '`') << name;
    const std::string other = row.here.substr(1, row.here.size() - 2);
    EXPECT_TRUE(is_own(other)) << name << ": " << other;
    const auto lines = control::rename({name, "1", true, ""});
    ASSERT_TRUE(lines && !lines->empty()) << name << " is not renamed by the import";
    EXPECT_EQ(lines->front().key, other);
  }
}

}  // namespace
}  // namespace turnpike::config
