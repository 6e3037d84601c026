// SPDX-License-Identifier: BSD-3-Clause
// Which workers one thread of control serves when several share them out: every `parts`-th one.
#pragma once

#include "common/base/types.hpp"

namespace turnpike {

struct WorkerShare {
  WorkerIndex part = 0;  // < parts
  WorkerIndex parts = 1;

  constexpr bool has(WorkerIndex worker) const noexcept { return worker % parts == part; }
};

}  // namespace turnpike
