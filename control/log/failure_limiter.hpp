// SPDX-License-Identifier: BSD-3-Clause
// How many failures are worth a line: a token bucket for each source and one for all of them.
#pragma once

#include <array>
#include <cstdint>

#include "common/base/time.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::control {

class FailureLimiter {
public:
  static constexpr std::uint32_t kSourceBurst = 5;   // then one line a second
  static constexpr std::uint32_t kTotalBurst = 100;  // then so many a second

  explicit FailureLimiter(std::uint64_t seed) : seed_(seed) {}

  // False: no line; it counts as suppressed.
  bool permits(const wire::IpAddress& source, Time now);
  // Since the last call.
  std::uint64_t take_suppressed();
  std::uint64_t suppressed() const { return suppressed_; }

private:
  struct Bucket {
    double tokens = 0;
    Time filled{};
  };
  struct Source {
    wire::IpAddress network;
    Bucket bucket;
  };
  static constexpr std::size_t kSources = 4096;

  static void fill(Bucket& bucket, double burst, double per_second, Time now);

  std::uint64_t seed_;
  // By hash. A newcomer takes the place of whoever has his: both then get more lines than they should, and
  // the common bucket still holds.
  std::array<Source, kSources> sources_{};
  Bucket total_{kTotalBurst, {}};
  std::uint64_t suppressed_ = 0;
};

}  // namespace turnpike::control
