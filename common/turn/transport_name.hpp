// SPDX-License-Identifier: BSD-3-Clause
// Transports as logs and reports call them.
#pragma once

#include <string_view>

#include "common/turn/effects.hpp"

namespace turnpike::turn {

constexpr std::string_view name_of(Transport transport) {
  switch (transport) {
    case Transport::kUdp:
      return "udp";
    case Transport::kTcp:
      return "tcp";
    case Transport::kTls:
      return "tls";
    case Transport::kDtls:
      break;
  }
  return "dtls";
}

}  // namespace turnpike::turn
