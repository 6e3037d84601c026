// SPDX-License-Identifier: BSD-3-Clause
// Giving up what only the start needed: the user, capabilities, the way to get new ones.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "common/base/result.hpp"
#include "common/process/user.hpp"

namespace turnpike::process {

// CAP_* numbers of capabilities(7).
class CapabilitySet {
public:
  constexpr CapabilitySet() = default;
  constexpr CapabilitySet(std::initializer_list<int> capabilities) {
    for (const int capability : capabilities) bits_ |= std::uint64_t{1} << capability;
  }
  constexpr std::uint64_t bits() const { return bits_; }
  constexpr bool contains(int capability) const { return (bits_ >> capability & 1) != 0; }
  constexpr CapabilitySet& operator|=(CapabilitySet other) {
    bits_ |= other.bits_;
    return *this;
  }
  friend constexpr bool operator==(CapabilitySet, CapabilitySet) = default;

private:
  std::uint64_t bits_ = 0;
};

// On every thread: `user`, when given, with its groups; of the capabilities we have only `kept`, in the
// bounding set too; nothing that is executed gets new ones. Of another user's process, no memory may be read
// by that user's other processes. Root alone can become somebody else,
// and be in `group` besides.
Status reduce_privileges(const std::optional<User>& user, CapabilitySet kept,
                         std::optional<gid_t> group = std::nullopt);

// "root" or the user's name, and what is kept, for a log line: "user nobody, capabilities: none".
std::string describe_privileges(const std::optional<User>& user, CapabilitySet kept);

}  // namespace turnpike::process
