// SPDX-License-Identifier: BSD-3-Clause
// Line by line, after one look at the whole file for what depends on other lines.
#include "control/coturn/translation.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "common/config/foreign_options.hpp"
#include "common/config/options.hpp"
#include "common/wire/endpoint.hpp"
#include "control/coturn/credential_options.hpp"
#include "control/coturn/renames.hpp"
#include "control/coturn/turnserver_conf.hpp"

namespace turnpike::control {
namespace {

using config::kOptionTable;
using config::Option;

constexpr const char* kDefaultRealm = "turnpike";
constexpr const char* kDefaultDatabase = "/var/lib/turn/turndb";  // Debian's

class Translator {
public:
  explicit Translator(std::vector<ConfLine> lines) : lines_(std::move(lines)) {
    for (std::size_t i = 0; i < lines_.size(); ++i) note(lines_[i], i);
  }

  Translation run() {
    for (position_ = 0; position_ < lines_.size(); ++position_) {
      const ConfLine& line = lines_[position_];
      if (!line.is_setting()) {
        out_.text += line.text + "\n";
      } else {
        translate(line);
      }
    }
    add_what_coturn_assumes();
    return std::move(out_);
  }

private:
  using Rule = void (Translator::*)(const ConfLine&);
  struct NamedRule {
    std::string_view name;
    Rule rule;
  };
  static constexpr std::size_t kRules = 13;
  static const std::array<NamedRule, kRules> kOwnRules;

  void note(const ConfLine& line, std::size_t position);
  bool is_on(const std::string& key) const {
    const auto found = last_.find(key);
    return found != last_.end() && lines_[found->second].is_on();
  }
  // coturn wants no-auth alone; users do not matter then.
  bool open() const {
    return is_on("no-auth") && !is_on("lt-cred-mech") && !is_on("use-auth-secret") &&
           !last_.contains("static-auth-secret");
  }

  void translate(const ConfLine& line);
  void carry(const ConfLine& line);
  void listening(const ConfLine& line);
  void user(const ConfLine& line);
  void no_auth(const ConfLine& line);
  void long_term(const ConfLine& line);
  void realm(const ConfLine& line);
  void database(const ConfLine& line);
  void log_file(const ConfLine& line);
  void switch_number(const ConfLine& line);
  void nonce(const ConfLine& line);
  void alternate_server(const ConfLine& line);
  void add_what_coturn_assumes();
  void add_database();
  bool has_credentials();
  void write_ports();

  void write(std::string_view key, std::string_view value) {
    out_.text += std::string(key) + "=" + std::string(value) + "\n";
    ++written_[std::string(key)];
  }
  void remark(const std::string& text) { out_.text += "# " + text + "\n"; }
  void explain(const ConfLine& line, std::string_view why) {
    remark(line.spelled() + ": " + std::string(why));
  }
  void refuse(const ConfLine& line, std::string_view why) {
    explain(line, why);
    ++out_.commented;
  }
  void take(const ConfLine& line, std::string_view value) {
    write(line.key, value);
    ++out_.carried;
  }

  std::vector<ConfLine> lines_;
  std::size_t position_ = 0;
  std::map<std::string, std::size_t> last_;        // where a key stands the last time
  std::map<std::string, std::size_t> last_users_;  // likewise of user=NAME:...
  std::size_t last_database_ = 0;
  bool wants_credentials_ = false;
  std::vector<wire::IpAddress> listening_ips_;
  std::string listening_port_ = "3478";
  bool ports_written_ = false;
  std::map<std::string, int> written_;  // our lines by key
  Translation out_;
};

const std::array<Translator::NamedRule, Translator::kRules> Translator::kOwnRules{{
    {"listening-ip", &Translator::listening},
    {"listening-port", &Translator::listening},
    {"user", &Translator::user},
    {"no-auth", &Translator::no_auth},
    {"lt-cred-mech", &Translator::long_term},
    {"realm", &Translator::realm},
    {"userdb", &Translator::database},
    {"db", &Translator::database},
    {"psql-userdb", &Translator::database},
    {"redis-userdb", &Translator::database},
    {"log-file", &Translator::log_file},
    {"stale-nonce", &Translator::nonce},
    {"alternate-server", &Translator::alternate_server},
}};

std::string user_name(const ConfLine& line) { return line.value.substr(0, line.value.find(':')); }

const Option* own_option(std::string_view name) {
  const std::size_t index = config::find_option(name);
  return index == config::kOptionCount || name == "config" ? nullptr : &kOptionTable[index];
}

void Translator::note(const ConfLine& line, std::size_t position) {
  if (!line.is_setting()) return;
  last_[line.key] = position;
  const bool credentials = is_credential_option(line.key);
  const bool flag = line.key == "lt-cred-mech" || line.key == "use-auth-secret" || line.key == "oauth";
  wants_credentials_ |= credentials && (!flag || line.is_on());
  if (is_database_option(line.key)) last_database_ = position;
  if (line.key == "user") last_users_[user_name(line)] = position;
  if (line.key == "listening-ip") {
    const auto address = wire::parse_address(line.value);
    const bool known =
        address && std::find(listening_ips_.begin(), listening_ips_.end(), *address) != listening_ips_.end();
    if (address && !known) listening_ips_.push_back(*address);
  }
  if (line.key == "listening-port") {
    const auto port = config::normal_value(*own_option("listening-port"), line.value, "");
    if (port) listening_port_ = *port;
  }
}

void Translator::translate(const ConfLine& line) {
  if (own_option(line.key) != nullptr) {
    for (const NamedRule& each : kOwnRules) {
      if (each.name == line.key) return (this->*each.rule)(line);
    }
    return carry(line);
  }
  if (const auto ours = rename(line)) {
    explain(line, ours->empty() ? "it is so by default" : "here it is");
    for (const ConfLine& each : *ours) translate(each);
    if (ours->empty()) ++out_.carried;
    return;
  }
  if (const config::ForeignOption* foreign = config::find_foreign_option(line.key)) {
    return refuse(line, foreign->instead);
  }
  refuse(line, "unknown to coturn and to Turnpike");
}

void Translator::carry(const ConfLine& line) {
  const Option& option = *own_option(line.key);
  if (option.kind == config::Kind::kFlag) return take(line, line.is_on() ? "true" : "false");
  const bool one_or_none =
      option.kind == config::Kind::kInteger && option.minimum == 0 && option.maximum == 1;
  if (one_or_none) return switch_number(line);
  if (line.value.empty()) return refuse(line, "needs a value; the default counts");
  take(line, line.value);
}

// coturn counts how many go into one call; here it is on or off.
void Translator::switch_number(const ConfLine& line) { take(line, line.is_on() ? "1" : "0"); }

void Translator::listening(const ConfLine& line) {
  const bool valid = line.key == "listening-ip" ? wire::parse_address(line.value).has_value()
                                                : line.value == listening_port_;
  if (!valid) return refuse(line, "not taken; port= is what counts");
  explain(line, "a port of kernel sockets names it");
  ++out_.carried;
  if (!ports_written_) write_ports();
}

void Translator::write_ports() {
  ports_written_ = true;
  remark("For a NIC: port=xdp:NETDEV or port=pci:ADDRESS, with listening-ip and listening-port beside it.");
  if (listening_ips_.empty()) {
    write("port", "socket:0.0.0.0:" + listening_port_);
    write("port", "socket:[::]:" + listening_port_);
  }
  for (const wire::IpAddress& address : listening_ips_) {
    const std::string text = wire::to_string(address);
    write("port", "socket:" + (address.is_v6() ? "[" + text + "]" : text) + ":" + listening_port_);
  }
}

void Translator::user(const ConfLine& line) {
  const std::size_t colon = line.value.find(':');
  if (open()) return refuse(line, "no-auth lets everybody in without");
  if (colon == std::string::npos || colon == 0 || colon + 1 == line.value.size()) {
    return refuse(line, "write NAME:PASSWORD or NAME:0xKEY");
  }
  if (last_users_.at(user_name(line)) != position_) return refuse(line, "the same user comes again below");
  const std::string_view secret = std::string_view(line.value).substr(colon + 1);
  const bool hex = secret.size() == 34 &&
                   secret.substr(2).find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (secret.starts_with("0x") && !hex) return refuse(line, "a key is 0x and 32 hex digits");
  take(line, line.value);
}

void Translator::no_auth(const ConfLine& line) {
  if (!line.is_on()) return refuse(line, "it is so by default");
  if (!open()) return refuse(line, "contradicts lt-cred-mech or a shared secret, which counts");
  take(line, "true");
}

void Translator::long_term(const ConfLine& line) {
  if (!line.is_on()) return refuse(line, "users switch it on");
  take(line, "true");
}

void Translator::realm(const ConfLine& line) {
  if (line.value.empty()) return refuse(line, "empty");
  take(line, line.value);
}

void Translator::database(const ConfLine& line) {
  if (position_ != last_database_) return refuse(line, "another database comes below, and there can be one");
  carry(line);
}

void Translator::log_file(const ConfLine& line) {
  if (line.value == "stdout" || line.value == "-") return refuse(line, "the log goes to standard error");
  if (line.value == "syslog") {
    explain(line, "here it is");
    return translate({"syslog", "true", true, ""});
  }
  carry(line);
}

// 0 was for ever, no value was the default.
void Translator::nonce(const ConfLine& line) {
  const Option& option = *own_option(line.key);
  if (line.value.empty()) return take(line, option.default_text);
  if (line.value != "0") return carry(line);
  explain(line, "not for ever; the longest is");
  take(line, std::to_string(option.maximum));
}

// coturn sends every client away, always, and relays nothing.
void Translator::alternate_server(const ConfLine& line) {
  explain(line, "only while this server is draining; until then it serves clients itself");
  carry(line);
}

// Of each kind that the file wants.
bool Translator::has_credentials() {
  for (const std::string_view database : kDatabaseOptions) {
    if (written_[std::string(database)] != 0) return true;
  }
  const bool secrets_wanted = is_on("use-auth-secret") && own_option("use-auth-secret") != nullptr;
  if (secrets_wanted) return written_["static-auth-secret"] != 0;
  return written_["user"] != 0 || written_["static-auth-secret"] != 0;
}

void Translator::add_database() {
  if (own_option("userdb") != nullptr) {
    remark("coturn looks for users and secrets in its own database when the file names none.");
    write("userdb", kDefaultDatabase);
  } else {
    remark(
        "No user stands in turnserver.conf, and coturn's database is not served: give user=NAME:PASSWORD.");
  }
}

void Translator::add_what_coturn_assumes() {
  std::string kept = std::exchange(out_.text, std::string());
  if (!ports_written_) write_ports();
  const bool closed = wants_credentials_ && !open();
  if (closed && written_["realm"] == 0) {
    remark(
        "coturn takes the machine's domain name. A key (user=NAME:0xKEY) fits the realm that it was made "
        "for.");
    write("realm", kDefaultRealm);
  }
  if (closed && !has_credentials()) add_database();
  if (!wants_credentials_ && written_["no-auth"] == 0) {
    remark("Without users coturn lets everybody allocate. Give user=NAME:PASSWORD and realm=REALM instead.");
    write("no-auth", "true");
  }
  if (written_["allowed-peer-ip"] == 0) {
    remark("Private networks are no peers unless allowed-peer-ip=10.0.0.0/8 or the like opens them.");
  }
  out_.text = kept + "\n# What turnserver.conf leaves to coturn:\n" + out_.text;
}

}  // namespace

Translation translate_turnserver_conf(std::string_view text) {
  return Translator(parse_turnserver_conf(text)).run();
}

}  // namespace turnpike::control
