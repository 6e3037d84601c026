// SPDX-License-Identifier: BSD-3-Clause
// What the dataplane's parser does not know is taken out before it reads.
#include "bench/load/port_name.hpp"

#include <optional>

namespace turnpike::load {
namespace {

using shm::PortKind;

// The value of `key` among the arguments of "KIND:DEVICE[,KEY=VALUE…]", which loses it; nothing when it is
// not there.
std::optional<std::string> take_argument(std::string& text, std::string_view key) {
  const std::string start = "," + std::string(key) + "=";
  const std::size_t at = text.find(start);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t value_at = at + start.size();
  const std::size_t end = std::min(text.find(',', value_at), text.size());
  std::string value = text.substr(value_at, end - value_at);
  text.erase(at, end - at);
  return value;
}

Error bad(std::string_view text, const std::string& what) {
  return Error{"port=" + std::string(text) + ": " + what};
}

}  // namespace

Result<PortName> parse_port_name(std::string_view text) {
  PortName name;
  if (text.empty()) {
    return Error{
        "name a port, --port memif:PATH, xdp:NETDEV, vhost:PATH, pci:ADDRESS, vdev:DEVARGS or null, or give "
        "--sockets"};
  }
  if (text == "null") {
    name.null = true;
    return name;
  }
  std::string rest(text);
  const bool memif = text.starts_with("memif:");
  const auto role = memif ? take_argument(rest, "role") : std::nullopt;
  const auto zero_copy = memif ? take_argument(rest, "zero-copy") : std::nullopt;
  if (role && *role != "server" && *role != "client") return bad(text, "role is server or client");
  if (zero_copy && *zero_copy != "yes" && *zero_copy != "no") return bad(text, "zero-copy is yes or no");
  auto spec = dataplane::parse_port_spec(rest, 0);
  if (!spec) return Error{spec.error()};
  if (spec->kind == PortKind::kSocket) return bad(text, "use --sockets for kernel sockets");
  name.spec = std::move(*spec);
  name.spec.text = text;
  name.spec.memif_server = role == "server";
  if (zero_copy == "yes" && name.spec.memif_server)
    return bad(text, "zero-copy is the client's; leave role=server away");
  name.zero_copy = memif && !name.spec.memif_server && zero_copy != "no";
  return name;
}

}  // namespace turnpike::load
