// SPDX-License-Identifier: BSD-3-Clause
#include "common/wire/mac_address.hpp"

#include <charconv>
#include <cstdio>

namespace turnpike::wire {

Result<std::array<std::uint8_t, 6>> parse_mac(std::string_view text) {
  std::array<std::uint8_t, 6> mac{};
  const Error error{"mac=" + std::string(text) + ": write a unicast address like 02:00:00:00:00:01"};
  if (text.size() != 3 * mac.size() - 1) return error;
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const char* digits = text.data() + 3 * i;
    const auto [end, status] = std::from_chars(digits, digits + 2, mac[i], 16);
    if (status != std::errc{} || end != digits + 2) return error;
    if (i + 1 < mac.size() && digits[2] != ':') return error;
  }
  if ((mac[0] & 1) != 0 || mac == decltype(mac){}) return error;
  return mac;
}

std::string to_string(const std::array<std::uint8_t, 6>& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                mac[5]);
  return text;
}

}  // namespace turnpike::wire
