// SPDX-License-Identifier: BSD-3-Clause
// Ethernet addresses as text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace turnpike::wire {

// The bytes of "02:00:00:00:00:01"; fails on multicast and all-zero addresses, which nobody has.
Result<std::array<std::uint8_t, 6>> parse_mac(std::string_view text);
std::string to_string(const std::array<std::uint8_t, 6>& mac);

}  // namespace turnpike::wire
