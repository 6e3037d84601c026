// SPDX-License-Identifier: BSD-3-Clause
// What --abi of both programs prints, so that a newer one can be judged before anything is stopped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/shm/abi.hpp"

namespace turnpike::shm {

struct AbiLine {
  std::string program;  // turnpike-dataplane or turnpike-control
  std::string version;
  std::uint32_t abi = kAbiVersion;
  std::uint32_t ledger = kLedgerVersion;  // of control's own record in the region
};

// "turnpike-control 0.1.0 abi 8 ledger 1"
std::string to_text(const AbiLine& line);
// Nothing: not such a line, or of another program. Words after the ones known here are for later releases.
std::optional<AbiLine> parse_abi_line(std::string_view text);

}  // namespace turnpike::shm
