// SPDX-License-Identifier: BSD-3-Clause
// A worker refused a fact: the request that made it gets another port, or is undone and answered with 508.
#pragma once

#include "common/turn/refusal_reason.hpp"
#include "common/turn/service.hpp"

namespace turnpike::turn {

void take_refusal(Service& service, WorkerIndex worker, std::uint64_t seq, RefusalReason reason, Step& step);

}  // namespace turnpike::turn
