// SPDX-License-Identifier: BSD-3-Clause
// Names, defaults and ranges.
#include "bench/load/sockets/parse_options.hpp"

namespace turnpike::load {
namespace {

namespace po = boost::program_options;

constexpr std::uint32_t kMaxSegments = 64;     // the least that kernels with UDP_SEGMENT take
constexpr std::uint32_t kMaxDatagram = 65000;  // with room for headers and framing
constexpr std::uint32_t kFraming = 64;         // at most, of one packet
constexpr std::uint32_t kReceiveBuffer = 8U << 20;
constexpr int kMaxCpus = 1024;
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
  if (text != "tcp" && text != "tls") return Error{"transport: udp, tcp or tls"};
  options.transport = text == "tcp" ? ClientTransport::kTcp : ClientTransport::kTls;
  if (options.threads != 1) return Error{"threads: 1 with --transport " + text};
  for (const std::uint16_t size : options.profile.sizes) {
    if (size % 4 != 0) {
      return Error{"payload: a multiple of 4 with --transport " + text + ", not " + std::to_string(size)};
    }
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
    ("sockets", po::bool_switch(), "kernel sockets instead of --port; needs --rate (or --hold)")
    ("client-netns", text(""), "network namespace of the clients, as `ip netns` names it")
    ("peer-netns", text(""), "network namespace of the peers")
    ("transport", text("udp"), "udp, tcp or tls: of the clients; certificates are not looked at")
    ("deaf", po::bool_switch(), "the clients take no media: slow readers")
    ("direction", text("to-peer"), "to-peer, to-client or both")
    ("profile", text(""), "imix, g711 or video: sizes instead of --payload; g711 and video: pace instead of --rate")
    ("train", number(1), "packets of one session in a row; 1: sessions take turns")
    ("no-gso", po::bool_switch(), "a train leaves by sendmmsg, not as one datagram with UDP_SEGMENT")
    ("no-gro", po::bool_switch(), "receive without UDP_GRO")
    ("threads", number(1), "1: one loop; 2: a sender and a receiver")
    ("cpu", po::value<std::vector<int>>()->composing(), "pin to this CPU; given twice: sender, receiver")
    ("sweep", number(kSweepUs), "us between two looks at the sockets, with one thread, or (default 20) at the port when nothing moves; "
                                "0: always looks, for latencies")
    ("receive-buffer", number(kReceiveBuffer), "bytes per socket")
    ("hold", po::bool_switch(), "no media: set up the sessions, hold them for --seconds, tear them down")
    ("allocate-only", po::bool_switch(), "with --hold: neither channel nor permission")
    ("leave", po::bool_switch(), "with --hold, or on a port: do not tear down")
    ("at-once", number(64), "requests under way at once")
    ("open-sockets", number(4096), "with --hold: how many sockets stay open; the others are opened for their requests");
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
  options.hold = flag("hold");
  options.allocate_only = flag("allocate-only");
  options.leave = flag("leave");
  options.threads = number("threads");
  options.receive_buffer = number("receive-buffer");
  options.sweep_us = number("sweep");
  options.at_once = number("at-once");
  options.open_sockets = number("open-sockets");
  if (values.count("cpu") != 0) options.cpus = values["cpu"].as<std::vector<int>>();
  for (const int cpu : options.cpus) {
    if (cpu < 0 || cpu >= kMaxCpus) return Error{"cpu: no such CPU"};
  }
  if (options.threads != 1 && options.threads != 2) return Error{"threads: 1 or 2"};
  if (options.sweep_us > kMaxSweepUs) return Error{"sweep: 0 to " + std::to_string(kMaxSweepUs)};
  if (options.at_once == 0 || options.open_sockets == 0) return Error{"at-once, open-sockets: at least 1"};
  if (auto taken = take_profile(values, payload, options); !taken) return taken;
  const std::uint32_t train = options.profile.train == 1 ? number("train") : options.profile.train;
  const std::uint32_t largest = options.profile.largest();
  if (train == 0 || train > kMaxSegments || train * (largest + kFraming) > kMaxDatagram) {
    return Error{"train: 1 to " + std::to_string(kMaxSegments) + ", and at most " +
                 std::to_string(kMaxDatagram) + " bytes"};
  }
  options.train = static_cast<std::uint16_t>(train);
  options.deaf = flag("deaf");
  if (auto taken = take_transport(values["transport"].as<std::string>(), options); !taken) return taken;
  return take_direction(values["direction"].as<std::string>(), options);
}

}  // namespace turnpike::load
