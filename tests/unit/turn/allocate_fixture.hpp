// SPDX-License-Identifier: BSD-3-Clause
// What the tests of Allocate have in common: attributes of requests, and clients by number.
#pragma once

#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {

inline void add_even(MessageWriter& writer) { writer.add_even_port(false); }
inline void add_pair(MessageWriter& writer) { writer.add_even_port(true); }
inline void add_dual(MessageWriter& writer) {
  writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
}
inline TurnClient::Attributes family(int number) {
  return [number](MessageWriter& writer) {
    writer.add_address_family(Attribute::kRequestedAddressFamily, static_cast<Family>(number));
  };
}
inline TurnClient::Attributes token(const stun::ReservationToken& value) {
  return [value](MessageWriter& writer) { writer.add(Attribute::kReservationToken, value); };
}
inline TurnClient::Attributes lifetime(std::uint32_t value) {
  return [value](MessageWriter& writer) { writer.add_u32(Attribute::kLifetime, value); };
}

class TurnAllocate : public TurnTest {
protected:
  TurnClient numbered(int i) { return client("203.0.113.5:" + std::to_string(10000 + i)); }
  Reply ask_bare(TurnClient& c, const TurnClient::Attributes& attributes) {
    return ask(c, Method::kAllocate, attributes);
  }
};

}  // namespace turnpike::turn
