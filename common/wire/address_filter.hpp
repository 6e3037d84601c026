// SPDX-License-Identifier: BSD-3-Clause
// Who is denied by a list of ranges, worked out beforehand: a look-up is one binary search, whatever the
// ranges were, and allocates nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "common/wire/address_range.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::wire {

// Of the rules that contain an address the smallest range decides, of equal ones the denial, as with peers;
// whom no rule names is let in.
class AddressFilter {
public:
  struct Rule {
    AddressRange range;
    bool denied;
  };

  AddressFilter() = default;  // denies nobody
  explicit AddressFilter(std::span<const Rule> rules);

  bool is_empty() const noexcept { return denied_[0].empty() && denied_[1].empty(); }
  bool denies(const IpAddress& address) const noexcept {
    return address.family != Family::kNone && denies(address.family, address.bytes);
  }
  // The bytes of an IPv4 address stand first.
  bool denies(Family family, const std::array<std::uint8_t, 16>& bytes) const noexcept {
    const auto& intervals = denied_[family == Family::kIpv6 ? 1 : 0];
    const Number address = number_of(bytes);
    const auto after =
        std::upper_bound(intervals.begin(), intervals.end(), address,
                         [](Number a, const Interval& interval) { return a < interval.first; });
    return after != intervals.begin() && address <= std::prev(after)->last;
  }

private:
  using Number = unsigned __int128;
  struct Interval {
    Number first;
    Number last;
  };

  static Number number_of(const std::array<std::uint8_t, 16>& bytes) noexcept {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), bytes.data(), sizeof words);
    return Number{swap_bytes(words[0])} << 64 | swap_bytes(words[1]);
  }
  static std::vector<Interval> intervals_of(Family family, std::span<const Rule> rules);

  std::array<std::vector<Interval>, 2> denied_;  // by family; in order, none touches another
};

}  // namespace turnpike::wire
