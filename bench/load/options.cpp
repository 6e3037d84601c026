// SPDX-License-Identifier: BSD-3-Clause
// The command line of turnpike-load.
#include "bench/load/options.hpp"

#include <boost/program_options.hpp>
#include <chrono>
#include <iostream>

#include "bench/load/sockets/parse_options.hpp"
#include "common/wire/mac_address.hpp"
#include "control/auth/ephemeral.hpp"
#include "control/crypto/openssl_crypto.hpp"

namespace turnpike::load {
namespace {

namespace po = boost::program_options;

// The relay's rings take 1024 packets, and a memif client returns up to 31 of its buffers late. With less
// than half under way in each direction neither ring can overflow, and the worker still never waits for work.
constexpr std::uint32_t kDefaultWindow = 448;
constexpr std::uint32_t kMaxSeconds = 30 * 24 * 3600;
constexpr std::uint32_t kMaxRefresh = 290;
constexpr std::uint32_t kProbePayload = 1200;
constexpr std::uint32_t kProbeSeconds = 2;  // a step
constexpr std::uint32_t kMaxSessions = 1U << 20;
constexpr std::uint32_t kMaxFirstPort = 15'535;
constexpr std::uint16_t kMaxBurst = 64;
constexpr std::uint16_t kMaxSocketBurst = 1024;
constexpr std::uint32_t kMaxSources = 1U << 24;
constexpr std::uint32_t kMaxNonceSources = 1024;
constexpr std::uint32_t kUnpacedVerify = 64;
constexpr std::uint32_t kRestUs = 20;

po::options_description describe() {
  const auto text = [](const char* value) { return po::value<std::string>()->default_value(value); };
  const auto number = [](std::uint32_t value) { return po::value<std::uint32_t>()->default_value(value); };
  po::options_description all(
      "turnpike-load: TURN clients and their peers on one DPDK port or on kernel sockets");
  // clang-format off
  all.add_options()
    ("help", "this text")
    ("port", text(""), "memif:PATH[,role=client|server][,zero-copy=yes|no], xdp:NETDEV, vhost:PATH, pci:ADDRESS, "
                       "vdev:DEVARGS, or null: frames come back as they are, which shows this program's own ceiling")
    ("mode", text("turn"), "turn: media through a relay; swap: against dpdk-testpmd --forward-mode=5tswap; ndr: the highest rate with a loss of at most --max-loss (--port null: without a relay); invalid: a --flood; with --sockets also alloc, soak, probe")
    ("server", text("10.0.1.1:3478"), "listening address of the relay")
    ("relay-mac", text("02:00:00:00:00:01"), "where frames go (default on ports with neighbours: who answers for the server's address)")
    ("mac", text("02:00:00:00:00:02"), "own address")
    ("client-ip", text("10.0.1.2"), "first address of the clients")
    ("peer-ip", text("10.0.2.2"), "first address of the peers")
    ("first-port", number(10'000), "first port of the clients and peers, of 50,000 per address")
    ("user", text("alice"), "name of the clients")
    ("password", text("secret"), "password of the clients")
    ("secret", text(""), "REST credentials instead of --password: the server's static-auth-secret; users are EXPIRY:USER")
    ("even-port", po::bool_switch(), "ask for even relayed ports (EVEN-PORT), as turnutils_uclient does")
    ("no-even-port", po::bool_switch(), "ask for any relayed port: the default, as turnutils_uclient spells it")
    ("indications", po::bool_switch(), "Send and Data indications instead of channels")
    ("sessions", number(1000), "clients, each with an allocation and a peer of its own")
    ("payload", number(120), "bytes of every packet's payload")
    ("rate", number(0), "packets per second that this program sends, all directions together; 0 (--port, --mode invalid): as many as go through")
    ("bitrate", number(0), "instead of --rate: kbit of payload per second")
    ("min-rate", number(1000), "--mode ndr: packets per second")
    ("max-rate", number(20'000'000), "--mode ndr: packets per second")
    ("max-loss", po::value<double>()->default_value(0), "--mode ndr: percent that may be lost")
    ("trials", number(1), "--mode ndr: of each rate, more than half of which have to pass; each takes --seconds")
    ("warmup", number(0), "seconds before the measurement")
    ("seconds", number(10), "seconds of the measurement")
    ("refresh", number(240), "seconds between refreshes of allocations, permissions and channels")
    ("burst", number(32), "packets of a burst")
    ("window", number(kDefaultWindow), "packets under way per direction at most, on memif and null ports and at --rate 0")
    ("verify", po::value<std::uint32_t>(), "verify every Nth burst, 0 none (default 1, at --rate 0 64)")
    ("lcores", text("0@0"), "EAL --lcores: one")
    ("file-prefix", text("turnpike-load"), "EAL --file-prefix")
    ("sources", number(0), "--mode invalid on a port: source addresses, from --client-ip on, with any port each; 0: those of the --sessions")
    ("counts", text(""), "file for running counts: 64-bit numbers of packets sent and received")
    ("no-huge", po::bool_switch(), "ordinary memory instead of hugepages")
    ("json", po::bool_switch(), "result as JSON");
  // clang-format on
  describe_sockets(all);
  return all;
}

Result<std::uint32_t> in_range(const po::variables_map& values, const char* name, std::uint32_t minimum,
                               std::uint32_t maximum) {
  const auto value = values[name].as<std::uint32_t>();
  if (value >= minimum && value <= maximum) return value;
  return Error{std::string(name) + ": use " + std::to_string(minimum) + " to " + std::to_string(maximum)};
}

Status take_port(const po::variables_map& values, Options& options) {
  auto port = parse_port_name(values["port"].as<std::string>());
  if (!port) return Error{port.error()};
  options.port = std::move(*port);
  options.swap = options.swap || options.port.null;
  options.rest_us = values["sweep"].defaulted() ? kRestUs : options.sockets.sweep_us;
  options.counts = values["counts"].as<std::string>();
  return Unit{};
}

Status take_addresses(const po::variables_map& values, Options& options) {
  const auto server = wire::parse_endpoint(values["server"].as<std::string>());
  const auto client = wire::parse_address(values["client-ip"].as<std::string>());
  const auto peer = wire::parse_address(values["peer-ip"].as<std::string>());
  if (!server || !client || !peer) return Error{"server, client-ip, peer-ip: write 10.0.1.1:3478, 10.0.1.2"};
  if (server->address.family != client->family) return Error{"client-ip: not of the server's family"};
  const auto relay_mac = wire::parse_mac(values["relay-mac"].as<std::string>());
  const auto own_mac = wire::parse_mac(values["mac"].as<std::string>());
  if (!relay_mac) return Error{relay_mac.error()};
  if (!own_mac) return Error{own_mac.error()};
  options.server = *server;
  options.client_ip = *client;
  options.peer_ip = *peer;
  options.relay_mac.bytes = *relay_mac;
  options.own_mac.bytes = *own_mac;
  options.resolve_relay = !options.sockets.on && options.port.has_neighbours() &&
                          values["relay-mac"].defaulted() && !options.swap;
  return Unit{};
}

// Good for all of the run, and a day for the clocks of both.
Status take_credentials(const po::variables_map& values, Options& options) {
  constexpr std::chrono::hours kMargin{24};
  options.user = values["user"].as<std::string>();
  options.password = values["password"].as<std::string>();
  options.even_port = values["even-port"].as<bool>();
  if (options.even_port && values["no-even-port"].as<bool>()) {
    return Error{"even-port: says the opposite of --no-even-port; leave one of the two away"};
  }
  const auto secret = values["secret"].as<std::string>();
  if (secret.empty()) return Unit{};
  if (!values["password"].defaulted()) {
    return Error{"secret: says what the password is; leave --password away"};
  }
  const auto expiry = std::chrono::system_clock::now() + kMargin +
                      std::chrono::seconds(values["seconds"].as<std::uint32_t>());
  const auto since_1970 = std::chrono::duration_cast<std::chrono::seconds>(expiry.time_since_epoch());
  options.user = std::to_string(since_1970.count()) + ":" + options.user;
  control::OpensslCrypto crypto;
  options.password = control::ephemeral_password(crypto, secret, options.user);
  return Unit{};
}

void follow_profile(const po::variables_map& values, Options& options) {
  const Profile& profile = options.sockets.profile;
  options.payload = profile.largest();
  if (profile.packets_per_second == 0) return;
  options.rate = std::uint64_t{options.sessions} * options.sockets.peers_per_client *
                 profile.packets_per_second * sending_directions(options.sockets).size();
  if (values["burst"].defaulted()) options.burst = profile.train;
}

Status take_rates(const po::variables_map& values, Options& options) {
  const std::uint64_t kbit = values["bitrate"].as<std::uint32_t>();
  if (kbit != 0 && options.rate != 0) return Error{"bitrate: --rate says it; leave one of the two away"};
  if (kbit != 0) options.rate = std::max<std::uint64_t>(kbit * 1000 / (8 * options.payload), 1);
  options.min_rate = values["min-rate"].as<std::uint32_t>();
  options.max_rate = values["max-rate"].as<std::uint32_t>();
  options.max_loss = values["max-loss"].as<double>();
  options.trials = values["trials"].as<std::uint32_t>();
  if (options.min_rate == 0 || options.min_rate > options.max_rate) {
    return Error{"min-rate: at least 1, and not above --max-rate"};
  }
  if (!(options.max_loss >= 0 && options.max_loss < 100)) return Error{"max-loss: 0 to 100 percent"};
  if (options.trials == 0) return Error{"trials: at least 1"};
  if (options.ndr && options.rate != 0)
    return Error{"rate: --mode ndr searches it; give --min-rate and --max-rate"};
  return Unit{};
}

Status take_numbers(const po::variables_map& values, Options& options) {
  const auto sessions = in_range(values, "sessions", 1, kMaxSessions / options.sockets.peers_per_client);
  const auto refresh = in_range(values, "refresh", 1, kMaxRefresh);
  const auto payload = in_range(values, "payload", sizeof(Stamp), kMaxPayload);
  const auto seconds = in_range(values, "seconds", 1, kMaxSeconds);
  const auto warmup = in_range(values, "warmup", 0, kMaxSeconds - values["seconds"].as<std::uint32_t>());
  const auto first_port = in_range(values, "first-port", 1024, kMaxFirstPort);
  const auto burst = options.sockets.on ? in_range(values, "burst", 1, kMaxSocketBurst)
                                        : in_range(values, "burst", 2, kMaxBurst);
  const auto window = in_range(values, "window", 2, UINT32_MAX);
  for (const auto* value : {&sessions, &payload, &seconds, &warmup, &refresh, &first_port, &burst, &window}) {
    if (!*value) return Error{value->error()};
  }
  options.sessions = *sessions;
  const bool probe = options.sockets.mode == Mode::kProbe;
  if (probe && values["sessions"].defaulted()) options.sessions = 1;
  options.payload = static_cast<std::uint16_t>(*payload);
  options.burst = static_cast<std::uint16_t>(*burst);
  options.rate = values["rate"].as<std::uint32_t>();
  if (options.sockets.on) follow_profile(values, options);
  if (options.rate == 0 && options.sockets.on && needs_rate(options.sockets)) {
    return Error{"rate: --sockets offers one; give --rate packets per second"};
  }
  options.refresh_s = *refresh;
  options.seconds = *seconds;
  if (probe && values["seconds"].defaulted()) options.seconds = kProbeSeconds;
  // Peers that another process calls are there for as long as that takes.
  if (options.sockets.role == Role::kPeer && values["seconds"].defaulted()) options.seconds = 0;
  options.warmup = *warmup;
  options.first_port = static_cast<std::uint16_t>(*first_port);
  options.window = *window;
  if (auto taken = take_rates(values, options); !taken) return taken;
  options.verify = options.rate == 0 ? kUnpacedVerify : 1;
  if (values.count("verify") != 0) options.verify = values["verify"].as<std::uint32_t>();
  return Unit{};
}

Status take_sources(const po::variables_map& values, Options& options) {
  options.sources = values["sources"].as<std::uint32_t>();
  if (options.sources == 0) return Unit{};
  if (options.sockets.on || options.sockets.mode != Mode::kInvalid) {
    return Error{
        "sources: only with --port and --mode invalid; a kernel sends nothing from addresses of others"};
  }
  // Each has to hear a nonce before, and is in one of the prepared frames at least.
  const bool nonces = options.sockets.flood == "wrong-password";
  const auto sources = in_range(values, "sources", 1, nonces ? kMaxNonceSources : kMaxSources);
  return sources ? Status(Unit{}) : Error{sources.error()};
}

}  // namespace

Result<std::optional<Options>> parse_options(int argc, const char* const* argv) try {
  const po::options_description description = describe();
  po::variables_map values;
  po::store(po::command_line_parser(argc, argv).options(description).positional({}).run(), values);
  if (values.count("help") != 0) {
    std::cout << description;
    return std::optional<Options>();
  }
  po::notify(values);
  Options options;
  const auto mode = values["mode"].as<std::string>();
  options.swap = mode == "swap";
  options.ndr = mode == "ndr";
  if (auto taken = take_credentials(values, options); !taken) return Error{taken.error()};
  options.indications = values["indications"].as<bool>();
  options.lcores = values["lcores"].as<std::string>();
  options.file_prefix = values["file-prefix"].as<std::string>();
  options.no_huge = values["no-huge"].as<bool>();
  options.json = values["json"].as<bool>();
  const bool probe = mode == "probe";
  const auto payload =
      probe && values["payload"].defaulted() ? kProbePayload : values["payload"].as<std::uint32_t>();
  if (auto taken = take_sockets(values, payload, options.sockets); !taken) return Error{taken.error()};
  if (!options.sockets.on) {
    if (mode != "turn" && mode != "swap" && mode != "ndr" && mode != "invalid")
      return Error{"mode: turn, swap, ndr or invalid; others need --sockets"};
    if (mode == "invalid") options.sockets.mode = Mode::kInvalid;
    if (auto taken = take_port(values, options); !taken) return Error{taken.error()};
  }
  if (auto taken = take_addresses(values, options); !taken) return Error{taken.error()};
  if (auto taken = take_numbers(values, options); !taken) return Error{taken.error()};
  if (auto taken = take_sources(values, options); !taken) return Error{taken.error()};
  return std::optional<Options>(options);
} catch (const po::error& error) {
  return Error{error.what()};
}

}  // namespace turnpike::load
