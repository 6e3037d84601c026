// SPDX-License-Identifier: BSD-3-Clause
// Which IP addresses may be peers: the default deny list, and the operator's allowed-peer-ip and
// denied-peer-ip.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/wire/address_range.hpp"

namespace turnpike::turn {

using wire::AddressRange;

// In the order of strictness.
enum class PolicyVerdict : std::uint8_t {
  kNotListed,      // neither list and no default rule names it
  kAllowed,        // allowed-peer-ip
  kDeniedDefault,  // the default list; a relay address of this server is exempt from it
  kDenied,         // denied-peer-ip
  kNever,          // Teredo or 6to4: RFC 8656 section 21.4 leaves no choice
};

// The order of the rules:
//   1. Teredo (2001::/32) and 6to4 (2002::/16) are never peers.
//   2. Of the operator's rules that contain the address the smallest range decides; of equal ones the denial.
//   3. Otherwise the default list denies (private, loopback, link-local, multicast, documentation, reserved,
//      and every IPv6 form that embeds an IPv4 address).
//   4. Otherwise the address is allowed.
// An IPv6 address that embeds an IPv4 address (mapped, compatible, NAT64) must pass as what it is and as what
// it embeds: allowing 64:ff9b::/96 does not allow 64:ff9b::10.0.0.1.
class AddressPolicy {
public:
  Status allow(std::string_view text);
  Status deny(std::string_view text);
  void allow(const AddressRange& range) { add(range, false); }
  void deny(const AddressRange& range) { add(range, true); }

  PolicyVerdict judge(const wire::IpAddress& address) const;
  bool permits(const wire::IpAddress& address) const {
    const PolicyVerdict verdict = judge(address);
    return verdict == PolicyVerdict::kNotListed || verdict == PolicyVerdict::kAllowed;
  }

private:
  struct Rule {
    AddressRange range;
    std::array<std::uint8_t, 16> width;  // last - first
    bool denied;
  };
  void add(const AddressRange& range, bool denied);
  PolicyVerdict judge_alone(const wire::IpAddress& address) const;

  std::vector<Rule> rules_;  // smallest first, denials first among equals: the first match decides
};

// Teredo or 6to4: refused as a peer and as the source of an Allocate (RFC 8656 section 21.4).
bool is_teredo_or_6to4(const wire::IpAddress& address);

// The IPv4 address inside an IPv4-mapped, IPv4-compatible, NAT64, 6to4 or Teredo address; family kNone when
// there is none.
wire::IpAddress embedded_ipv4(const wire::IpAddress& address);

}  // namespace turnpike::turn
