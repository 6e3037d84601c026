// SPDX-License-Identifier: BSD-3-Clause
// What a session's packets look like in time and size, by the names that the field has for it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::load {

struct Profile {
  std::string name;
  std::vector<std::uint16_t> sizes;      // of payloads: every session has them in this order, again and again
  std::uint32_t packets_per_second = 0;  // of a session and direction; 0: as --rate says
  std::uint16_t train = 1;               // packets of one session in a row

  std::uint16_t largest() const { return *std::max_element(sizes.begin(), sizes.end()); }
};

// imix, g711 or video.
std::optional<Profile> find_profile(std::string_view name);
// All packets are alike.
Profile fixed_profile(std::uint16_t size);

}  // namespace turnpike::load
