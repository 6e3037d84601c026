// SPDX-License-Identifier: BSD-3-Clause
// Parsing of --next-hop.
#include "control/relay/static_next_hop.hpp"

#include <charconv>
#include <optional>

#include "common/wire/mac_address.hpp"

namespace turnpike::control {
namespace {

constexpr std::string_view kForm = "write PREFIX,port=PORT,mac=MAC[,vlan=N][,mtu=N]";

std::optional<std::uint16_t> parse_number(std::string_view text, unsigned minimum, unsigned maximum) {
  unsigned number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (number < minimum || number > maximum) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

// Takes the text up to the next comma.
std::string_view take_part(std::string_view& text) {
  const std::size_t comma = text.find(',');
  const std::string_view part = text.substr(0, comma);
  text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  return part;
}

Status parse_prefix(std::string_view text, StaticNextHop& hop) {
  auto range = turn::AddressRange::parse(text);
  if (!range) return Error{range.error()};
  if (text.find('-') != std::string_view::npos)
    return Error{"a range has no prefix length; " + std::string(kForm)};
  hop.range = *range;
  const std::size_t slash = text.find('/');
  const auto bits = static_cast<unsigned>(range->first.size() * 8);
  const auto length = slash == std::string_view::npos ? bits : parse_number(text.substr(slash + 1), 0, bits);
  if (!length) return Error{"prefix length out of range"};
  hop.prefix_length = static_cast<std::uint8_t>(*length);
  return Unit{};
}

// One KEY=VALUE; anything else continues a port text.
Status parse_part(std::string_view part, StaticNextHop& hop, bool& has_mac) {
  if (part.starts_with("mac=")) {
    const auto mac = wire::parse_mac(part.substr(4));
    if (!mac) return Error{mac.error()};
    hop.mac = *mac;
    has_mac = true;
  } else if (part.starts_with("vlan=")) {
    const auto vlan = parse_number(part.substr(5), 1, 4094);
    if (!vlan) return Error{"vlan: use 1 to 4094"};
    hop.vlan = *vlan;
  } else if (part.starts_with("mtu=")) {
    const auto mtu = parse_number(part.substr(4), 576, 65535);
    if (!mtu) return Error{"mtu: use 576 to 65535"};
    hop.mtu = *mtu;
  } else if (part.starts_with("port=")) {
    hop.port = part.substr(5);
  } else if (!hop.port.empty()) {
    hop.port += "," + std::string(part);
  } else {
    return Error{std::string(part) + ": unknown; " + std::string(kForm)};
  }
  return Unit{};
}

}  // namespace

Result<StaticNextHop> StaticNextHop::parse(std::string_view text) {
  const std::string named = "next-hop=" + std::string(text) + ": ";
  StaticNextHop hop;
  std::string_view rest = text;
  if (auto parsed = parse_prefix(take_part(rest), hop); !parsed) return Error{named + parsed.error()};
  bool has_mac = false;
  while (!rest.empty()) {
    if (auto parsed = parse_part(take_part(rest), hop, has_mac); !parsed)
      return Error{named + parsed.error()};
  }
  if (hop.port.empty() || !has_mac) return Error{named + "port or mac is missing; " + std::string(kForm)};
  return hop;
}

}  // namespace turnpike::control
