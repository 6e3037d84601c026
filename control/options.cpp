// SPDX-License-Identifier: BSD-3-Clause
// Options that depend on each other: credentials, ranges, lifetimes, address lists.
#include "control/options.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "common/config/client_filter.hpp"

namespace turnpike::control {
namespace {

using wire::IpAddress;

Status read_ephemeral(const config::Options& options, EphemeralSettings& out) {
  out.secrets = options.list("static-auth-secret");
  out.enabled =
      options.flag("use-auth-secret") || (!out.secrets.empty() && !options.given("use-auth-secret"));
  const std::string& separator = options.text("rest-api-separator");
  const bool digit = separator[0] >= '0' && separator[0] <= '9';
  if (separator.size() != 1 || digit) {
    return Error{"rest-api-separator=" + separator + ": give one character that is no digit, for example :"};
  }
  out.separator = separator[0];
  return Unit{};
}

// Which options about users go together.
Status check_mechanisms(const config::Options& options, const ControlOptions& out) {
  const bool users = !options.list("user").empty();
  const bool no_auth = options.flag("no-auth");
  if (no_auth && (options.flag("lt-cred-mech") || users)) {
    return Error{"no-auth contradicts lt-cred-mech and user; leave one of them out"};
  }
  if (no_auth && (out.ephemeral.enabled || options.flag("secure-stun"))) {
    return Error{
        "no-auth contradicts use-auth-secret, static-auth-secret and secure-stun; leave one of them out"};
  }
  if (out.ephemeral.enabled && out.ephemeral.secrets.empty() && !out.store) {
    return Error{
        "use-auth-secret without a secret: give --static-auth-secret SECRET, or a database that has some"};
  }
  const bool somebody = users || out.ephemeral.enabled || out.store || no_auth;
  if (!somebody && !(options.flag("stun-only") && !options.flag("secure-stun"))) {
    return Error{
        "nobody could allocate: give --user NAME:PASSWORD and --realm REALM, --userdb PATH and --realm "
        "REALM, or "
        "--no-auth to let everybody"};
  }
  if (options.given("lt-cred-mech") && !options.flag("lt-cred-mech") && users) {
    return Error{"lt-cred-mech=false with user: use --no-auth without --user instead"};
  }
  if (somebody && !no_auth && options.text("realm").empty()) {
    return Error{"realm is missing: users need --realm, for example example.org"};
  }
  return Unit{};
}

Status read_credentials(const config::Options& options, Crypto& crypto, ControlOptions& out) {
  auto store = StoreChoice::read(options);
  if (!store) return Error{store.error()};
  out.store = std::move(*store);
  if (auto read = read_ephemeral(options, out.ephemeral); !read) return Error{read.error()};
  if (auto checked = check_mechanisms(options, out); !checked) return Error{checked.error()};
  const bool no_auth = options.flag("no-auth");
  out.user_cache_lifetime = seconds(options.number("user-cache-lifetime"));
  out.store_has_users = out.store && !no_auth && (!out.ephemeral.enabled || options.flag("lt-cred-mech"));
  out.turn.authenticate_binding = options.flag("secure-stun");
  out.turn.stun_only = options.flag("stun-only");
  out.turn.realm = options.text("realm");
  // RFC 8489 section 14.9: fewer than 128 characters; on the wire fewer than 510 bytes. The stricter one, in
  // bytes.
  if (out.turn.realm.size() > 127) return Error{"realm is longer than 127 bytes; choose a shorter one"};
  out.turn.authenticate = !no_auth;
  auto users = StaticUsers::parse(options.list("user"), out.turn.realm, crypto);
  if (!users) return Error{users.error()};
  out.users = std::move(*users);
  return Unit{};
}

Result<IpAddress> read_own_address(const char* option, std::string_view text) {
  const std::string named = std::string(option) + "=" + std::string(text) + ": ";
  const auto address = wire::parse_address(text);
  if (!address) return Error{named + "not an IP address"};
  const bool unspecified = *address == IpAddress::v4(0) || address->bytes == IpAddress{}.bytes;
  if (unspecified) return Error{named + "give the address itself, or leave the option out for all addresses"};
  const bool multicast = address->is_v4() ? (address->bytes[0] & 0xF0) == 0xE0 : address->bytes[0] == 0xFF;
  if (multicast) return Error{named + "a multicast address; give a unicast one"};
  return *address;
}

Result<std::vector<IpAddress>> read_own_addresses(const char* option, const std::vector<std::string>& texts) {
  std::vector<IpAddress> addresses;
  for (const std::string& text : texts) {
    auto address = read_own_address(option, text);
    if (!address) return Error{address.error()};
    if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end())
      addresses.push_back(*address);
  }
  return addresses;
}

Result<ExternalIp> read_external_ip(const std::string& text) {
  const std::size_t slash = text.find('/');
  ExternalIp external;
  auto advertised = read_own_address("external-ip", std::string_view(text).substr(0, slash));
  if (!advertised) return Error{advertised.error()};
  external.advertised = *advertised;
  if (slash == std::string::npos) return external;
  auto own = read_own_address("external-ip", std::string_view(text).substr(slash + 1));
  if (!own) return Error{own.error()};
  if (own->family != advertised->family) {
    return Error{"external-ip=" + text + ": PUBLIC and PRIVATE must be both IPv4 or both IPv6"};
  }
  external.own = *own;
  return external;
}

// Port 0 when none is said.
Result<wire::Endpoint> read_alternate_server(const std::string& text) {
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  wire::Endpoint server;
  if (const auto endpoint = wire::parse_endpoint(text)) {
    if (endpoint->port == 0) return Error{"alternate-server=" + text + ": port 0; give another, or none"};
    server.port = endpoint->port;
    server.address = endpoint->address;
  } else if (const auto address = wire::parse_address(bracketed ? text.substr(1, text.size() - 2) : text)) {
    server.address = *address;
  } else {
    return Error{
        "alternate-server=" + text +
        ": neither ADDRESS nor ADDRESS:PORT; names of hosts are not looked up, and of IPv6 with a port the "
        "address stands in brackets"};
  }
  auto usable = read_own_address("alternate-server", wire::to_string(server.address));
  if (!usable) return Error{usable.error()};
  return server;
}

Status read_drain(const config::Options& options, ControlOptions& out) {
  for (const std::string& text : options.list("alternate-server")) {
    auto server = read_alternate_server(text);
    if (!server) return Error{server.error()};
    out.turn.alternate_servers.push_back(*server);
  }
  out.drain.min_allocations = static_cast<std::uint64_t>(options.number("drain-min-allocations"));
  out.drain.deadline = seconds(options.number("drain-deadline"));
  return Unit{};
}

Result<std::string> read_fleet_key(const std::string& path) {
  constexpr std::size_t kShortest = 16;
  constexpr std::size_t kLongest = 4096;
  const std::string named = "fleet-key-file=" + path + ": ";
  std::ifstream file(path, std::ios::binary);
  std::string key(kLongest + 1, '\0');
  file.read(key.data(), static_cast<std::streamsize>(key.size()));
  if (!file.is_open() || file.bad()) return Error{named + "cannot be read: " + std::strerror(errno)};
  key.resize(static_cast<std::size_t>(file.gcount()));
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  if (key.size() >= kShortest && key.size() <= kLongest) return key;
  return Error{named + "has " + std::to_string(key.size()) + " bytes; give " + std::to_string(kShortest) +
               " to " + std::to_string(kLongest) + ", as by: openssl rand -hex 32"};
}

Status read_addresses(const config::Options& options, ControlOptions& out) {
  auto listening = read_own_addresses("listening-ip", options.list("listening-ip"));
  if (!listening) return Error{listening.error()};
  auto relay = read_own_addresses("relay-ip", options.list("relay-ip"));
  if (!relay) return Error{relay.error()};
  out.listening_ips = std::move(*listening);
  out.relay_ips = std::move(*relay);
  for (const std::string& text : options.list("external-ip")) {
    auto external = read_external_ip(text);
    if (!external) return Error{external.error()};
    out.external_ips.push_back(*external);
  }
  for (const std::string& text : options.list("next-hop")) {
    auto hop = StaticNextHop::parse(text);
    if (!hop) return Error{hop.error()};
    out.next_hops.push_back(std::move(*hop));
  }
  for (const std::string& text : options.list("allowed-peer-ip")) {
    if (auto added = out.turn.policy.allow(text); !added) {
      return Error{"allowed-peer-ip=" + text + ": " + added.error()};
    }
  }
  for (const std::string& text : options.list("denied-peer-ip")) {
    if (auto added = out.turn.policy.deny(text); !added)
      return Error{"denied-peer-ip=" + text + ": " + added.error()};
  }
  return Unit{};
}

Status read_numbers(const config::Options& options, ControlOptions& out) {
  const auto port = [&](config::OptionName name) { return static_cast<std::uint16_t>(options.number(name)); };
  const auto time = [&](config::OptionName name) { return seconds(options.number(name)); };
  out.control_threads = static_cast<WorkerIndex>(options.number("control-threads"));
  out.listening_port = port("listening-port");
  out.turn.multiplex_peer = options.flag("multiplex-peer");
  out.turn.multiplex_peer_port = port("multiplex-peer-port");
  out.turn.multiplex_ports_per_worker = port("multiplex-peer-ports-per-worker");
  out.udp_recvmmsg_log = options.flag("udp-recvmmsg-log");
  out.listening_port_given = options.given("listening-port");
  out.turn.min_port = port("min-port");
  out.turn.max_port = port("max-port");
  if (out.turn.min_port > out.turn.max_port) {
    return Error{"min-port=" + std::to_string(out.turn.min_port) +
                 " is above max-port=" + std::to_string(out.turn.max_port) + "; swap them"};
  }
  out.turn.default_lifetime = time("default-allocate-lifetime");
  out.turn.max_lifetime = time("max-allocate-lifetime");
  if (out.turn.default_lifetime > out.turn.max_lifetime) {
    return Error{"default-allocate-lifetime is above max-allocate-lifetime; lower it"};
  }
  out.turn.permission_lifetime = time("permission-lifetime");
  out.turn.channel_lifetime = time("channel-lifetime");
  out.turn.nonce_lifetime = time("stale-nonce");
  if (options.given("fleet-key-file")) {
    auto key = read_fleet_key(options.text("fleet-key-file"));
    if (!key) return Error{key.error()};
    out.turn.fleet_key = std::move(*key);
  }
  out.turn.quotas.user = static_cast<std::uint32_t>(options.number("user-quota"));
  out.turn.quotas.total = static_cast<std::uint32_t>(options.number("total-quota"));
  out.turn.quotas.max_bps = static_cast<std::uint64_t>(options.number("max-bps"));
  out.turn.quotas.bps_capacity = static_cast<std::uint64_t>(options.number("bps-capacity"));
  out.dataplane_timeout = time("dataplane-timeout");
  return Unit{};
}

Status read_identity(const config::Options& options, ControlOptions& out) {
  auto run_as = process::find_optional_user("run-as", options.text("run-as"));
  if (!run_as) return Error{run_as.error()};
  out.run_as = std::move(*run_as);
  if (const std::string& name = options.text("admin-group"); !name.empty()) {
    const auto group = process::find_group("admin-group", name);
    if (!group) return Error{group.error()};
    out.admin_group = *group;
  }
  return Unit{};
}

Status read_listeners(const config::Options& options, ControlOptions& out) {
  ListenerOptions& listeners = out.listeners;
  TlsOptions& tls = listeners.certificate;
  tls.cert = options.text("cert");
  tls.pkey = options.text("pkey").empty() ? tls.cert : options.text("pkey");
  tls.pkey_pwd = options.text("pkey-pwd");
  tls.cipher_list = options.text("cipher-list");
  tls.ca_file = options.text("CA-file");
  for (const config::OptionName name : {config::OptionName("pkey"), config::OptionName("CA-file")}) {
    if (!tls.given() && options.given(name)) {
      return Error{std::string(config::kOptionTable[name.index].name) + "=" + options.text(name) +
                   ": TLS needs a certificate; give --cert FILE too"};
    }
  }
  listeners.tcp = !options.flag("no-tcp");
  listeners.tls = tls.given() && !options.flag("no-tls");
  listeners.dtls = tls.given() && !options.flag("no-dtls");
  listeners.tls_port = static_cast<std::uint16_t>(options.number("tls-listening-port"));
  listeners.proxy_port = static_cast<std::uint16_t>(options.number("tcp-proxy-port"));
  listeners.limits.connections = static_cast<std::uint32_t>(options.number("max-connections"));
  listeners.limits.connections_per_ip = static_cast<std::uint32_t>(options.number("max-connections-per-ip"));
  listeners.limits.begun = {static_cast<std::uint32_t>(options.number("connection-ratelimit-cps")),
                            static_cast<std::uint32_t>(options.number("connection-total-cps"))};
  listeners.limits.greetings = {static_cast<std::uint32_t>(options.number("unauthorized-ratelimit-rps")),
                                static_cast<std::uint32_t>(options.number("unauthorized-total-rps"))};
  auto denied = config::client_filter(options);
  if (!denied) return Error{denied.error()};
  listeners.limits.denied = std::move(*denied);
  return Unit{};
}

}  // namespace

Result<ControlOptions> ControlOptions::read(const config::Options& options, Crypto& crypto) {
  ControlOptions out;
  auto paths = config::instance_paths(options);
  if (!paths) return Error{paths.error()};
  out.paths = std::move(*paths);
  auto log = LogSettings::read(options);
  if (!log) return Error{log.error()};
  out.log = std::move(*log);
  out.turn.rfc5766_channels = options.flag("rfc5766-channel-numbers");
  if (options.flag("software-attribute")) out.turn.software = "Turnpike " + std::string(config::version());
  if (auto read = read_identity(options, out); !read) return Error{read.error()};
  if (auto read = read_numbers(options, out); !read) return Error{read.error()};
  if (auto read = read_addresses(options, out); !read) return Error{read.error()};
  if (auto read = read_drain(options, out); !read) return Error{read.error()};
  if (auto read = read_listeners(options, out); !read) return Error{read.error()};
  if (auto read = read_credentials(options, crypto, out); !read) return Error{read.error()};
  return out;
}

void forget_file_secrets(config::Options& options) {
  for (const config::OptionName name : {config::OptionName("user"), config::OptionName("static-auth-secret"),
                                        config::OptionName("pkey-pwd")}) {
    options.wipe_file_value(name);
  }
}

}  // namespace turnpike::control
