// SPDX-License-Identifier: BSD-3-Clause
// Version 1 is a line of text, version 2 is binary.
#include "control/listeners/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "common/wire/endian.hpp"

namespace turnpike::control {
namespace {

using wire::Endpoint;
using wire::IpAddress;

constexpr std::string_view kV1 = "PROXY ";
constexpr std::size_t kMaxV1 = 107;  // with CR LF
constexpr auto kV2 =
    std::to_array<std::uint8_t>({0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A});
constexpr std::size_t kV2Fixed = 16;

const ProxyHeader kInvalid{ProxyStatus::kInvalid, 0, {}, {}};

bool is_prefix(Bytes bytes, Bytes signature) {
  const std::size_t size = std::min(bytes.size(), signature.size());
  return std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size), signature.begin());
}

std::optional<Endpoint> text_endpoint(std::string_view address, std::string_view port, bool v4) {
  const auto parsed = wire::parse_address(address);
  std::uint16_t number = 0;
  const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (!parsed || parsed->is_v4() != v4 || status != std::errc{} || end != port.data() + port.size())
    return {};
  return Endpoint{*parsed, 0, number};
}

// Cuts the next word off; words are parted by single spaces.
std::string_view next_word(std::string_view& text) {
  const std::size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
  return word;
}

ProxyHeader parse_v1(std::string_view text) {
  const std::size_t end = text.substr(0, kMaxV1).find("\r\n");
  if (end == std::string_view::npos) return text.size() < kMaxV1 ? ProxyHeader{} : kInvalid;
  ProxyHeader header{ProxyStatus::kDone, end + 2, {}, {}};
  std::string_view rest = text.substr(kV1.size(), end - kV1.size());
  const std::string_view family = next_word(rest);
  if (family == "UNKNOWN") return header;
  if (family != "TCP4" && family != "TCP6") return kInvalid;
  const std::string_view source = next_word(rest);
  const std::string_view destination = next_word(rest);
  const std::string_view source_port = next_word(rest);
  header.source = text_endpoint(source, source_port, family == "TCP4");
  header.destination = text_endpoint(destination, next_word(rest), family == "TCP4");
  return header.source && header.destination && rest.empty() ? header : kInvalid;
}

Endpoint binary_endpoint(const std::uint8_t* address, const std::uint8_t* port, bool v4) {
  return {v4 ? IpAddress::v4_bytes(address) : IpAddress::v6_bytes(address), 0, wire::load_be16(port)};
}

ProxyHeader parse_v2(Bytes bytes) {
  if (bytes.size() < kV2Fixed) return {};
  const unsigned version = bytes[12] >> 4;
  const unsigned command = bytes[12] & 0x0F;
  const std::size_t size = kV2Fixed + wire::load_be16(bytes.data() + 14);
  if (version != 2 || command > 1 || size > kMaxProxyHeader) return kInvalid;
  if (bytes.size() < size) return {};
  ProxyHeader header{ProxyStatus::kDone, size, {}, {}};
  const bool v4 = bytes[13] == 0x11;  // TCP over IPv4
  const bool v6 = bytes[13] == 0x21;
  if (command == 0 || (!v4 && !v6)) return header;  // LOCAL, or a family that has no endpoints for us
  const std::size_t length = v4 ? 4 : 16;
  if (size - kV2Fixed < 2 * length + 4) return kInvalid;
  const std::uint8_t* at = bytes.data() + kV2Fixed;
  header.source = binary_endpoint(at, at + 2 * length, v4);
  header.destination = binary_endpoint(at + length, at + 2 * length + 2, v4);
  return header;
}

}  // namespace

ProxyHeader parse_proxy_header(Bytes bytes) {
  const Bytes v1(reinterpret_cast<const std::uint8_t*>(kV1.data()), kV1.size());
  if (is_prefix(bytes, kV2)) return bytes.size() < kV2.size() ? ProxyHeader{} : parse_v2(bytes);
  if (!is_prefix(bytes, v1)) return kInvalid;
  if (bytes.size() < v1.size()) return {};
  return parse_v1({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace turnpike::control
