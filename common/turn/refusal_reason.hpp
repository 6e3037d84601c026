// SPDX-License-Identifier: BSD-3-Clause
// Why a worker refused a fact, as far as the server acts on it.
#pragma once

#include <cstdint>

namespace turnpike::turn {

enum class RefusalReason : std::uint8_t {
  kTableFull,
  kInvalid,
  kPortTaken,     // another process holds the relay port: another port may do
  kNoDescriptor,  // no socket can be opened: no other port will do
};

}  // namespace turnpike::turn
