// SPDX-License-Identifier: BSD-3-Clause
// What a flood sent and what came back, whichever way it went.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bench/load/options.hpp"
#include "common/base/types.hpp"

namespace turnpike::load {

struct FloodOutcome {
  double seconds = 0;
  std::uint64_t sent = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t refused = 0;  // the sockets had no room
  std::uint64_t missed = 0;   // given up because the generator was late
  std::uint64_t received = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t dropped = 0;                     // answers that found this program's buffers full
  std::map<std::string, std::uint64_t> answers;  // by what they say
  bool answers_binding = false;                  // the server, when all was over

  void take(Bytes answer);
};

void print_flood(const Options& options, const FloodOutcome& outcome);

}  // namespace turnpike::load
