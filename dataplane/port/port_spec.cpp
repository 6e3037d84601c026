// SPDX-License-Identifier: BSD-3-Clause
// Parsing of --port.
#include "dataplane/port/port_spec.hpp"

#include <net/if.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "common/wire/mac_address.hpp"

namespace turnpike::dataplane {
namespace {

using shm::PortKind;

constexpr std::string_view kKinds =
    "socket:ADDRESS:PORT, pci:ADDRESS, xdp:NETDEV, memif:SOCKET, vhost:SOCKET and vdev:DEVARGS (anything "
    "else that "
    "DPDK drives)";

// Datagrams that a socket port takes unless mtu= says otherwise: jumbo frames, and fragments that the kernel
// put together.
constexpr std::uint16_t kSocketMtu = 9000;

struct Kind {
  std::string_view name;
  PortKind kind;
};
constexpr std::array<Kind, 6> kKindNames{{{"socket", PortKind::kSocket},
                                          {"pci", PortKind::kPci},
                                          {"xdp", PortKind::kXdp},
                                          {"memif", PortKind::kMemif},
                                          {"vhost", PortKind::kVhost},
                                          {"vdev", PortKind::kVdev}}};

struct XdpModeName {
  std::string_view name;
  XdpMode mode;
};
constexpr std::array<XdpModeName, 4> kXdpModes{{{"auto", XdpMode::kAuto},
                                                {"native", XdpMode::kNative},
                                                {"generic", XdpMode::kGeneric},
                                                {"zero-copy", XdpMode::kZeroCopy}}};

Error bad(const PortSpec& spec, const std::string& what) { return Error{"port=" + spec.text + ": " + what}; }

std::optional<std::uint16_t> parse_u16(std::string_view text, std::uint16_t minimum, std::uint16_t maximum) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < minimum || value > maximum)
    return {};
  return value;
}

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// "0000:3b:00.1" or "3b:00.1"; nothing when it is neither. The long form comes back.
std::optional<std::string> pci_address(std::string_view text) {
  std::string full(text);
  if (std::count(text.begin(), text.end(), ':') == 1) full.insert(0, "0000:");
  std::transform(full.begin(), full.end(), full.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string_view view = full;
  if (view.size() != 12 || view[4] != ':' || view[7] != ':' || view[10] != '.') return {};
  if (!is_hex(view.substr(0, 4)) || !is_hex(view.substr(5, 2)) || !is_hex(view.substr(8, 2)) ||
      view[11] < '0' || view[11] > '7') {
    return {};
  }
  return full;
}

bool is_netdev_name(std::string_view name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         name.find_first_of("/: \t,") == std::string_view::npos;
}

Status check_device(PortSpec& spec) {
  switch (spec.kind) {
    case PortKind::kPci: {
      const auto address = pci_address(spec.device);
      if (!address) return bad(spec, "\"" + spec.device + "\" is no PCI address; write pci:0000:3b:00.1");
      spec.device = *address;
      return Unit{};
    }
    case PortKind::kXdp:
      if (!is_netdev_name(spec.device))
        return bad(spec, "\"" + spec.device + "\" is no netdev name; write xdp:eth0");
      return Unit{};
    case PortKind::kMemif:
    case PortKind::kVhost:
      if (spec.device.empty() || spec.device.front() != '/' || spec.device.back() == '/') {
        return bad(spec, "\"" + spec.device + "\" is no absolute path of a socket; write " +
                             (spec.kind == PortKind::kMemif ? "memif" : "vhost") + ":/run/turnpike/x.sock");
      }
      if (spec.device.size() >= sizeof(sockaddr_un::sun_path))
        return bad(spec, "the socket's path is too long");
      return Unit{};
    case PortKind::kSocket: {
      const auto listening = wire::parse_endpoint(spec.device);
      if (!listening || listening->port == 0) {
        return bad(spec, "\"" + spec.device +
                             "\" is no address and port; write socket:0.0.0.0:3478 or socket:[::]:3478");
      }
      spec.listening = *listening;
      spec.mtu = kSocketMtu;
      return Unit{};
    }
    default:
      break;
  }
  if (spec.device.empty()) return bad(spec, "names no device; write for example vdev:net_tap0,iface=tap0");
  if (spec.device.starts_with("net_memif")) return bad(spec, "use memif:SOCKET,role=server|client instead");
  if (spec.device.starts_with("net_af_xdp")) return bad(spec, "use xdp:NETDEV instead");
  return Unit{};
}

// One "key=value" that is ours; false when it is the driver's.
Result<bool> take_own(PortSpec& spec, std::string_view key, std::string_view value) {
  if (spec.kind == PortKind::kSocket && key != "mtu") {
    return bad(spec, "unknown argument \"" + std::string(key) + "\"; socket:ADDRESS:PORT takes mtu=BYTES");
  }
  if (key == "twin" && spec.kind != PortKind::kXdp) {
    if (value == "none") {
      spec.twin.clear();
    } else if (is_netdev_name(value)) {
      spec.twin = value;
    } else {
      return bad(spec, "\"" + std::string(value) + "\" is no netdev name; write twin=tp0 or twin=none");
    }
    return true;
  }
  if (key == "mtu" && spec.kind != PortKind::kXdp) {
    const auto mtu = parse_u16(value, 1280, 9216);
    if (!mtu) return bad(spec, "mtu is 1280 to 9216");
    spec.mtu = *mtu;
    return true;
  }
  if (spec.kind == PortKind::kXdp && key == "queues") {
    const auto queues = parse_u16(value, 1, shm::kMaxWorkers);
    if (!queues) return bad(spec, "queues is 1 to " + std::to_string(shm::kMaxWorkers));
    spec.queues = *queues;
    return true;
  }
  if (spec.kind == PortKind::kXdp && key == "mode") {
    const auto* mode =
        std::find_if(kXdpModes.begin(), kXdpModes.end(), [&](auto& m) { return m.name == value; });
    if (mode == kXdpModes.end()) return bad(spec, "mode is auto, native, generic or zero-copy");
    spec.xdp_mode = mode->mode;
    return true;
  }
  if (spec.kind == PortKind::kMemif && key == "role") {
    if (value != "server" && value != "client") return bad(spec, "role is server or client");
    spec.memif_server = value == "server";
    return true;
  }
  if (spec.kind == PortKind::kMemif && (key == "socket" || key == "socket-abstract" || key == "zero-copy")) {
    return bad(spec, std::string(key) + " is not supported; the socket is the path after memif:");
  }
  if (spec.kind == PortKind::kVhost && key == "iface")
    return bad(spec, "the socket is the path after vhost:");
  if (spec.kind == PortKind::kVhost && key == "mac") {
    const auto mac = wire::parse_mac(value);
    if (!mac) return bad(spec, mac.error());
    spec.mac = *mac;
    return true;
  }
  if (spec.kind == PortKind::kXdp) {
    return bad(spec, "unknown argument \"" + std::string(key) +
                         "\"; xdp:NETDEV takes queues=N and mode=auto|native|generic|zero-copy");
  }
  return false;
}

Status take_arguments(PortSpec& spec, std::string_view rest) {
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view argument = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const std::size_t equals = argument.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == argument.size()) {
      return bad(spec, "\"" + std::string(argument) + "\" is no key=value");
    }
    const auto own = take_own(spec, argument.substr(0, equals), argument.substr(equals + 1));
    if (!own) return Error{own.error()};
    if (*own) continue;
    if (!spec.driver_args.empty()) spec.driver_args += ',';
    spec.driver_args += argument;
  }
  return Unit{};
}

Status check_pair(const PortSpec& first, const PortSpec& second) {
  if (first.kind == second.kind && first.device == second.device) {
    return bad(second, "the same device is port=" + first.text + " already; name each device once");
  }
  if (!first.twin.empty() && first.twin == second.twin) {
    return bad(second,
               "twin=" + second.twin + " is the twin of port=" + first.text + " already; give another name");
  }
  if ((first.kind == PortKind::kSocket) != (second.kind == PortKind::kSocket)) {
    return bad(second, "kernel sockets and other ports do not go together (port=" + first.text +
                           "); run a second instance for them");
  }
  if (first.kind == PortKind::kSocket && first.listening.port != second.listening.port) {
    return bad(second, "all socket ports listen on one port number, and port=" + first.text + " has another");
  }
  return Unit{};
}

}  // namespace

Result<PortSpec> parse_port_spec(std::string_view text, std::size_t index) {
  PortSpec spec;
  spec.text = text;
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto* kind =
      std::find_if(kKindNames.begin(), kKindNames.end(), [&](auto& k) { return k.name == name; });
  if (colon == std::string_view::npos || kind == kKindNames.end()) {
    return bad(spec, "unknown kind \"" + std::string(name) + "\"; kinds are " + std::string(kKinds));
  }
  spec.kind = kind->kind;
  if (spec.kind == PortKind::kPci) spec.twin = "tp" + std::to_string(index);

  const std::string_view arguments = text.substr(colon + 1);
  const std::size_t comma = arguments.find(',');
  spec.device = arguments.substr(0, comma);
  if (auto checked = check_device(spec); !checked) return Error{checked.error()};
  if (comma != std::string_view::npos) {
    if (auto taken = take_arguments(spec, arguments.substr(comma + 1)); !taken) return Error{taken.error()};
  }
  return spec;
}

Result<std::vector<PortSpec>> parse_port_specs(const std::vector<std::string>& texts) {
  if (texts.empty())
    return Error{"no --port given; for example --port socket:0.0.0.0:3478. Kinds are " + std::string(kKinds)};
  if (texts.size() > shm::kMaxPorts)
    return Error{"more than " + std::to_string(shm::kMaxPorts) + " --port options"};
  std::vector<PortSpec> specs;
  for (const std::string& text : texts) {
    auto spec = parse_port_spec(text, specs.size());
    if (!spec) return Error{spec.error()};
    for (const PortSpec& other : specs) {
      if (auto checked = check_pair(other, *spec); !checked) return Error{checked.error()};
    }
    specs.push_back(std::move(*spec));
  }
  return specs;
}

}  // namespace turnpike::dataplane
