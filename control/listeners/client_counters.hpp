// SPDX-License-Identifier: BSD-3-Clause
// Counters of the clients that control serves, for turnpikectl.
#pragma once

#include <cstdint>

namespace turnpike::control {

struct ClientCounters {
#define CLIENT_COUNTER(name, text) std::uint64_t name = 0;
#include "control/listeners/counters.def"
#undef CLIENT_COUNTER
};

// visit(name, text, value)
template <typename Visit>
void for_each(const ClientCounters& counters, Visit&& visit) {
#define CLIENT_COUNTER(name, text) visit(#name, text, counters.name);
#include "control/listeners/counters.def"
#undef CLIENT_COUNTER
}

}  // namespace turnpike::control
