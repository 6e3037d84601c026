// SPDX-License-Identifier: BSD-3-Clause
// What the server did, by cause; the names appear in `turnpikectl status`.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/stun/types.hpp"

namespace turnpike::turn {

struct ServerCounters {
#define TURNPIKE_TURN_COUNTER(name, description) std::uint64_t name = 0;
#define TURNPIKE_TURN_ERROR_COUNTER(code) std::uint64_t errors_##code = 0;
#include "common/turn/server_counters.def"

  void count_error(stun::ErrorCode error) {
    switch (static_cast<int>(error)) {
#define TURNPIKE_TURN_ERROR_COUNTER(code) \
  case code:                              \
    ++errors_##code;                      \
    break;
#include "common/turn/server_counters.def"
    }
  }

  // visit(std::string_view name, std::string_view description, std::uint64_t value)
  template <typename Visit>
  void for_each(Visit&& visit) const {
#define TURNPIKE_TURN_COUNTER(name, description) \
  visit(std::string_view(#name), std::string_view(description), name);
#define TURNPIKE_TURN_ERROR_COUNTER(code) \
  visit(std::string_view("errors_" #code), std::string_view("error responses " #code), errors_##code);
#include "common/turn/server_counters.def"
  }
};

}  // namespace turnpike::turn
