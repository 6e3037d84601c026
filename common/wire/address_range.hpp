// SPDX-License-Identifier: BSD-3-Clause
// Ranges of IP addresses as operators write them.
#pragma once

#include <string_view>

#include "common/base/result.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::wire {

// Inclusive; both ends of one family.
struct AddressRange {
  IpAddress first;
  IpAddress last;

  // "192.0.2.1", "192.0.2.0/24", "192.0.2.1-192.0.2.9" (as coturn writes it), the same for IPv6.
  static Result<AddressRange> parse(std::string_view text);
  bool contains(const IpAddress& address) const {
    return address.family == first.family && first.bytes <= address.bytes && address.bytes <= last.bytes;
  }
};

}  // namespace turnpike::wire
