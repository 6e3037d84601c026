// SPDX-License-Identifier: BSD-3-Clause
// --next-hop: how to reach a prefix through a port that the kernel does not see.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/shm/commands.hpp"
#include "common/turn/address_policy.hpp"

namespace turnpike::control {

struct StaticNextHop {
  turn::AddressRange range;
  std::uint8_t prefix_length = 0;
  std::string port;  // an index, or a port as given to --port
  shm::MacAddress mac{};
  std::uint16_t vlan = 0;  // 0: untagged
  std::uint16_t mtu = 0;   // 0: the port's

  // PREFIX,port=PORT,mac=MAC[,vlan=N][,mtu=N]; the --port text may itself contain commas.
  static Result<StaticNextHop> parse(std::string_view text);
};

}  // namespace turnpike::control
