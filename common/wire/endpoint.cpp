// SPDX-License-Identifier: BSD-3-Clause
// Text forms of addresses. inet_pton/inet_ntop are pure functions of libc: no socket is touched.
#include "common/wire/endpoint.hpp"

#include <arpa/inet.h>

#include <charconv>

namespace turnpike::wire {

std::optional<IpAddress> parse_address(std::string_view text) {
  const std::string copy(text);
  std::uint8_t bytes[16];
  if (inet_pton(AF_INET, copy.c_str(), bytes) == 1) return IpAddress::v4_bytes(bytes);
  if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1) return IpAddress::v6_bytes(bytes);
  return std::nullopt;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  if (!address || address->is_v6() != bracketed) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (code != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return Endpoint{*address, 0, port};
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "none";
  if (address.family != Family::kNone) {
    inet_ntop(address.is_v4() ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  }
  return text;
}

std::string to_string(const Endpoint& endpoint) {
  const std::string host = to_string(endpoint.address);
  const std::string port = std::to_string(endpoint.port);
  return endpoint.address.is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

}  // namespace turnpike::wire
