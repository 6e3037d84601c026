// SPDX-License-Identifier: BSD-3-Clause
// Names, defaults and ranges.
#include "bench/load/sockets/parse_options.hpp"

#include <algorithm>
#include <array>

#include "bench/load/framing.hpp"

namespace turnpike::load {
namespace {

namespace po = boost::program_options;

constexpr std::uint32_t kMaxSegments = 64;     // the least that kernels with UDP_SEGMENT take
constexpr std::uint32_t kMaxDatagram = 65000;  // with room for headers and framing
constexpr std::uint32_t kFraming = 64;         // at most, of one packet
constexpr std::uint32_t kReceiveBuffer = 8U << 20;
constexpr int kMaxCpus = 1024;
constexpr std::uint32_t kProbeTrain = 32;
constexpr std::uint32_t kMaxThreads = 64;
// So long sockets fill between two looks at them: batches are worth a system call then.
constexpr std::uint32_t kSweepUs = 500;
constexpr std::uint32_t kMaxSweepUs = 100'000;

Status take_direction(const std::string& text, SocketOptions& options) {
  if (text == "to-peer") {
    options.directions = {kToPeer};
  } else if (text == "to-client") {
    options.directions = {kToClient};
  } else if (text == "both") {
    options.directions = {kToPeer, kToClient};
  } else {
    return Error{"direction: to-peer, to-client or both"};
  }
  return Unit{};
}

Status take_profile(const po::variables_map& values, std::uint32_t payload, SocketOptions& options) {
  const auto name = values["profile"].as<std::string>();
  options.profile = fixed_profile(static_cast<std::uint16_t>(payload));
  if (name.empty()) return Unit{};
  const auto profile = find_profile(name);
  if (!profile) return Error{"profile: imix, g711 or video, not " + name};
  if (!options.on) return Error{"profile: only with --sockets"};
  const bool paced = profile->packets_per_second != 0;
  for (const auto& [other, settled] : {std::pair("payload", true), {"rate", paced}, {"train", paced}}) {
    if (settled && !values[other].defaulted()) {
      return Error{std::string(other) + ": --profile " + name + " says it; leave one of the two away"};
    }
  }
  options.profile = *profile;
  return Unit{};
}

Status take_transport(const std::string& text, SocketOptions& options) {
  if (text == "udp") return Unit{};
  if (text != "tcp" && text != "tls" && text != "dtls") {
    return Error{"transport: udp, tcp, tls or dtls, not " + text};
  }
  options.transport = text == "tcp"   ? ClientTransport::kTcp
                      : text == "tls" ? ClientTransport::kTls
                                      : ClientTransport::kDtls;
  if (options.receiver_threads != 0) {
    return Error{"receiver-threads: 0 with --transport " + text + ", whose connections one thread must have"};
  }
  for (const std::uint16_t size : options.profile.sizes) {
    if (is_stream(options.transport) && size % 4 != 0) {
      return Error{"payload: a multiple of 4 with --transport " + text + ", not " + std::to_string(size)};
    }
  }
  return Unit{};
}

Status take_mode(const std::string& text, SocketOptions& options) {
  constexpr std::array<std::pair<std::string_view, Mode>, 7> kModes{{{"turn", Mode::kMedia},
                                                                     {"swap", Mode::kMedia},
                                                                     {"ndr", Mode::kNdr},
                                                                     {"alloc", Mode::kAlloc},
                                                                     {"soak", Mode::kSoak},
                                                                     {"invalid", Mode::kInvalid},
                                                                     {"probe", Mode::kProbe}}};
  for (const auto& [name, mode] : kModes) {
    if (name != text) continue;
    options.mode = mode;
    return Unit{};
  }
  return Error{"mode: turn, swap, ndr, alloc, soak, invalid or probe, not " + text};
}

Status take_role(const std::string& text, bool swap, SocketOptions& options) {
  if (text != "both" && text != "client" && text != "peer") {
    return Error{"role: client, peer or both, not " + text};
  }
  options.role = text == "both" ? Role::kBoth : text == "client" ? Role::kClient : Role::kPeer;
  if (options.role != Role::kBoth && options.mode != Mode::kMedia) {
    return Error{"role: both with this --mode"};
  }
  const bool to_peer_only = options.directions == std::vector{kToPeer};
  if ((options.echo || swap) && !to_peer_only) {
    return Error{"direction: to-peer with --echo and --mode swap, which is where the echo comes from"};
  }
  if (options.role != Role::kPeer) return Unit{};
  if (options.echo) options.directions = {};
  if (!sending_directions(options).empty() && options.receiver_threads != 0) {
    return Error{"receiver-threads: 0 with peers that send, who learn from arrivals where to"};
  }
  return Unit{};
}

Status take_threads(const po::variables_map& values, SocketOptions& options) {
  options.sender_threads = values["sender-threads"].as<std::uint32_t>();
  options.receiver_threads = values["receiver-threads"].as<std::uint32_t>();
  if (values["receiver-threads"].defaulted() && options.sender_threads > 1) options.receiver_threads = 1;
  if (options.sender_threads == 0 || options.sender_threads > kMaxThreads) {
    return Error{"sender-threads: 1 to " + std::to_string(kMaxThreads)};
  }
  if (options.receiver_threads > kMaxThreads) {
    return Error{"receiver-threads: 0 to " + std::to_string(kMaxThreads)};
  }
  if (options.sender_threads > 1 && options.receiver_threads == 0) {
    return Error{"receiver-threads: at least 1 with several senders"};
  }
  if (options.receiver_threads != 0 && options.mode == Mode::kSoak) {
    return Error{"receiver-threads: 0 with --mode soak, whose sockets come and go"};
  }
  return Unit{};
}

Status take_flood(const po::variables_map& values, SocketOptions& options) {
  options.seed = values["seed"].as<std::uint64_t>();
  options.flood = values["flood"].as<std::string>();
  constexpr std::array<std::string_view, 5> kFloods{"damaged", "garbage", "binding", "allocate",
                                                    "wrong-password"};
  if (std::find(kFloods.begin(), kFloods.end(), options.flood) == kFloods.end()) {
    return Error{"flood: damaged, garbage, binding, allocate or wrong-password, not " + options.flood};
  }
  if (options.mode == Mode::kInvalid && options.transport != ClientTransport::kUdp) {
    return Error{"transport: udp with --mode invalid"};
  }
  return Unit{};
}

}  // namespace

void describe_sockets(po::options_description& all) {
  const auto text = [](const char* value) { return po::value<std::string>()->default_value(value); };
  const auto number = [](std::uint32_t value) { return po::value<std::uint32_t>()->default_value(value); };
  po::options_description sockets("over kernel sockets");
  // clang-format off
  sockets.add_options()
    ("sockets", po::bool_switch(), "kernel sockets instead of --port; media needs --rate")
    ("role", text("both"), "client or peer: the others are played by another process, with the same sessions, addresses and payload")
    ("client-netns", text(""), "network namespace of the clients, as `ip netns` names it")
    ("peer-netns", text(""), "network namespace of the peers")
    ("transport", text("udp"), "udp, tcp, tls or dtls: of the clients; certificates are not looked at")
    ("deaf", po::bool_switch(), "the clients take no media: slow readers")
    ("direction", text("to-peer"), "to-peer, to-client or both; whom nobody sends to sinks and counts")
    ("echo", po::bool_switch(), "peers send back what reaches them; measured are round trips")
    ("peers-per-client", number(1), "each with a channel (or permission) of its own")
    ("profile", text(""), "imix, g711 or video: sizes instead of --payload; g711 and video: pace instead of --rate")
    ("train", number(1), "packets of one session in a row; 1: sessions take turns")
    ("no-gso", po::bool_switch(), "a train leaves by sendmmsg, not as one datagram with UDP_SEGMENT")
    ("no-gro", po::bool_switch(), "receive without UDP_GRO")
    ("sender-threads", number(1), "each sends its share of the sessions")
    ("receiver-threads", number(0), "each receives its share of the sockets; 0: the one sender receives as well")
    ("cpu", po::value<std::vector<int>>()->composing(), "pin to this CPU; repeated: the senders, then the receivers")
    ("sweep", number(kSweepUs), "us between two looks at the sockets, with one thread, or (default 20) at the port when nothing moves; "
                                "0: always looks, for latencies")
    ("receive-buffer", number(kReceiveBuffer), "bytes per socket")
    ("allocate-only", po::bool_switch(), "--mode alloc: neither channel nor permission")
    ("leave", po::bool_switch(), "--mode alloc, or on a port: do not tear down")
    ("at-once", number(64), "requests under way at once")
    ("open-sockets", number(4096), "--mode alloc: how many sockets stay open; the others are opened for their requests")
    ("server-pid", po::value<std::vector<int>>()->composing(), "--mode alloc: tell the resident memory of this process; repeated: their sum")
    ("life", number(10), "--mode soak: seconds that a session lives, on average")
    ("flood", text("damaged"), "--mode invalid: damaged, garbage, binding, allocate or wrong-password")
    ("seed", po::value<std::uint64_t>()->default_value(1), "of all that is random in --mode soak and invalid");
  // clang-format on
  all.add(sockets);
}

Status take_sockets(const po::variables_map& values, std::uint32_t payload, SocketOptions& options) {
  const auto number = [&](const char* name) { return values[name].as<std::uint32_t>(); };
  const auto flag = [&](const char* name) { return values[name].as<bool>(); };
  options.on = flag("sockets");
  options.client_netns = values["client-netns"].as<std::string>();
  options.peer_netns = values["peer-netns"].as<std::string>();
  options.gso = !flag("no-gso");
  options.gro = !flag("no-gro");
  if (options.on) {
    if (auto taken = take_mode(values["mode"].as<std::string>(), options); !taken) return taken;
  }
  options.echo = flag("echo");
  options.peers_per_client = number("peers-per-client");
  options.life_s = number("life");
  options.allocate_only = flag("allocate-only");
  options.leave = flag("leave");
  options.receive_buffer = number("receive-buffer");
  options.sweep_us = number("sweep");
  options.at_once = number("at-once");
  options.open_sockets = number("open-sockets");
  if (values.count("cpu") != 0) options.cpus = values["cpu"].as<std::vector<int>>();
  for (const int cpu : options.cpus) {
    if (cpu < 0 || cpu >= kMaxCpus) return Error{"cpu: no such CPU"};
  }
  if (values.count("server-pid") != 0) options.server_pids = values["server-pid"].as<std::vector<int>>();
  if (auto taken = take_threads(values, options); !taken) return taken;
  if (options.peers_per_client == 0 || options.peers_per_client > kMaxPeersEach) {
    return Error{"peers-per-client: 1 to " + std::to_string(kMaxPeersEach) + ", the channels of a client"};
  }
  if (options.life_s == 0) return Error{"life: at least 1"};
  if (options.sweep_us > kMaxSweepUs) return Error{"sweep: 0 to " + std::to_string(kMaxSweepUs)};
  if (options.at_once == 0 || options.open_sockets == 0) return Error{"at-once, open-sockets: at least 1"};
  if (auto taken = take_profile(values, payload, options); !taken) return taken;
  std::uint32_t train = options.profile.train == 1 ? number("train") : options.profile.train;
  if (options.mode == Mode::kProbe && values["train"].defaulted()) train = kProbeTrain;
  const std::uint32_t largest = options.profile.largest();
  if (train == 0 || train > kMaxSegments || train * (largest + kFraming) > kMaxDatagram) {
    return Error{"train: 1 to " + std::to_string(kMaxSegments) + ", and at most " +
                 std::to_string(kMaxDatagram) + " bytes"};
  }
  options.train = static_cast<std::uint16_t>(train);
  options.deaf = flag("deaf");
  if (auto taken = take_transport(values["transport"].as<std::string>(), options); !taken) return taken;
  if (auto taken = take_direction(values["direction"].as<std::string>(), options); !taken) return taken;
  if (auto taken = take_flood(values, options); !taken) return taken;
  return take_role(values["role"].as<std::string>(), values["mode"].as<std::string>() == "swap", options);
}

}  // namespace turnpike::load
