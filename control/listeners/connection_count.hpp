// SPDX-License-Identifier: BSD-3-Clause
// How many clients control serves itself, over all its threads: what max-connections and
// max-connections-per-ip bound.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "common/wire/endpoint.hpp"

namespace turnpike::control {

struct StreamLimits {
  std::uint32_t connections = 0;         // in total
  std::uint32_t connections_per_ip = 0;  // from one address; 0: as many as in total
};

class ConnectionCount {
public:
  enum class Verdict : std::uint8_t { kAdmitted, kTotalReached, kSourceReached };

  explicit ConnectionCount(const StreamLimits& limits) : limits_(limits) {}

  // A connection from `source`; who is admitted counts until remove_stream().
  Verdict add_stream(const wire::IpAddress& source) {
    const std::lock_guard lock(mutex_);
    if (streams_ >= limits_.connections) return Verdict::kTotalReached;
    std::uint32_t& from_source = by_source_[source];
    // Whoever is refused is there already: no entry is left at 0.
    if (limits_.connections_per_ip != 0 && from_source >= limits_.connections_per_ip)
      return Verdict::kSourceReached;
    ++streams_;
    ++from_source;
    return Verdict::kAdmitted;
  }
  void remove_stream(const wire::IpAddress& source) {
    const std::lock_guard lock(mutex_);
    --streams_;
    if (const auto found = by_source_.find(source); --found->second == 0) by_source_.erase(found);
  }

  // A DTLS session. False: there are as many as there may be.
  bool add_session() {
    const std::lock_guard lock(mutex_);
    if (sessions_ >= limits_.connections) return false;
    ++sessions_;
    return true;
  }
  void remove_session() {
    const std::lock_guard lock(mutex_);
    --sessions_;
  }

private:
  const StreamLimits limits_;
  std::mutex mutex_;  // of what follows
  std::uint32_t streams_ = 0;
  std::uint32_t sessions_ = 0;
  std::unordered_map<wire::IpAddress, std::uint32_t> by_source_;
};

}  // namespace turnpike::control
