// SPDX-License-Identifier: BSD-3-Clause
// The numbers of the profiles.
#include "bench/load/sockets/profile.hpp"

#include <array>

namespace turnpike::load {
namespace {

// Seven small ones, four in the middle and a large one, mixed.
constexpr std::array<std::uint16_t, 12> kImixSizes{64, 570, 64, 64, 570, 64, 1400, 64, 570, 64, 570, 64};

// 20 ms of 64 kbit/s behind an RTP header (RFC 3551).
constexpr std::uint16_t kG711Size = 12 + 160;
constexpr std::uint32_t kG711PerSecond = 50;

// A frame of seven packets, 8048 bytes: at 30 frames a second 1.93 Mbit/s.
constexpr std::array<std::uint16_t, 7> kVideoSizes{1200, 1160, 1120, 1180, 1140, 1100, 1148};
constexpr std::uint32_t kVideoFrames = 30;

}  // namespace

std::optional<Profile> find_profile(std::string_view name) {
  if (name == "imix") return Profile{"imix", {kImixSizes.begin(), kImixSizes.end()}};
  if (name == "g711") return Profile{"g711", {kG711Size}, kG711PerSecond};
  if (name == "video") {
    constexpr auto kFrame = static_cast<std::uint16_t>(kVideoSizes.size());
    return Profile{"video", {kVideoSizes.begin(), kVideoSizes.end()}, kVideoFrames * kFrame, kFrame};
  }
  return std::nullopt;
}

Profile fixed_profile(std::uint16_t size) { return {"fixed", {size}}; }

}  // namespace turnpike::load
