// SPDX-License-Identifier: BSD-3-Clause
// Why a dataplane that has served ends.
#pragma once

#include <cstdint>

namespace turnpike::dataplane {

enum class Ending : std::uint8_t {
  kSignal,
  kReopen,  // a port's device is of no use to this process any more
};

}  // namespace turnpike::dataplane
