// SPDX-License-Identifier: BSD-3-Clause
// A walk over the code points.
#include "control/auth/user_name.hpp"

#include <cstddef>
#include <cstdint>

namespace turnpike::control {
namespace {

constexpr std::size_t kMaxBytes = 508;

// Bytes that follow the first one; 4: it begins nothing.
std::size_t following(std::uint8_t first) {
  if (first < 0x80) return 0;
  if (first >= 0xC2 && first <= 0xDF) return 1;
  if (first >= 0xE0 && first <= 0xEF) return 2;
  if (first >= 0xF0 && first <= 0xF4) return 3;
  return 4;
}

// Overlong forms, surrogates and what is beyond U+10FFFF show in the second byte.
bool is_second(std::uint8_t first, std::uint8_t second) {
  const std::uint8_t lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= lowest && second <= highest;
}

}  // namespace

bool is_user_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxBytes) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(name[at]); };
    const std::uint8_t first = byte(i);
    if (first < 0x20 || first == 0x7F) return false;
    const std::size_t more = following(first);
    if (more == 4 || i + more >= name.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const bool fits = k == 1 ? is_second(first, byte(i + 1)) : (byte(i + k) & 0xC0) == 0x80;
      if (!fits) return false;
    }
    i += more;
  }
  return true;
}

}  // namespace turnpike::control
