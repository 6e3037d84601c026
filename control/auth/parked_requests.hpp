// SPDX-License-Identifier: BSD-3-Clause
// Requests that wait until their user has been looked up. Bounded: what has no room is dropped, and the
// client repeats it.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/turn/users.hpp"
#include "control/dataplane_link/effect_writer.hpp"

namespace turnpike::control {

struct ParkedRequest {
  turn::FiveTuple from;
  WorkerIndex worker = 0;
  std::optional<RequestOrigin> origin;
  std::vector<std::uint8_t> message;
};

class ParkedRequests {
public:
  struct Counters {
    std::uint64_t parked = 0;
    std::uint64_t repeated = 0;  // the same bytes of the same client wait already
    std::uint64_t dropped = 0;   // no room
  };

  explicit ParkedRequests(std::size_t capacity = 4096, std::size_t per_user = 64)
      : capacity_(capacity), per_user_(per_user) {}

  void park(turn::LookupId lookup, ParkedRequest request);
  // Those that waited for it, in the order of their arrival.
  std::vector<ParkedRequest> take(turn::LookupId lookup);
  std::size_t size() const { return size_; }
  const Counters& counters() const { return counters_; }

private:
  std::size_t capacity_;
  std::size_t per_user_;
  std::size_t size_ = 0;
  std::unordered_map<turn::LookupId, std::vector<ParkedRequest>> waiting_;
  Counters counters_;
};

}  // namespace turnpike::control
