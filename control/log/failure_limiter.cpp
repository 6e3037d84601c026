// SPDX-License-Identifier: BSD-3-Clause
// Token buckets filled by the time that has passed.
#include "control/log/failure_limiter.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::control {
namespace {

// An IPv6 host has a whole /64 to come from.
wire::IpAddress network_of(wire::IpAddress address) {
  if (address.is_v6()) std::fill(address.bytes.begin() + 8, address.bytes.end(), 0);
  return address;
}

}  // namespace

void FailureLimiter::fill(Bucket& bucket, double burst, double per_second, Time now) {
  const double elapsed = std::chrono::duration<double>(now - bucket.filled).count();
  bucket.tokens = std::min(burst, bucket.tokens + elapsed * per_second);
  bucket.filled = now;
}

bool FailureLimiter::permits(const wire::IpAddress& source, Time now) {
  const wire::IpAddress network = network_of(source);
  Source& entry = sources_[wire::hash_value(wire::Endpoint{network, 0, 0}, seed_) % kSources];
  if (entry.network != network) entry = {network, {kSourceBurst, now}};
  fill(entry.bucket, kSourceBurst, 1, now);
  fill(total_, kTotalBurst, kTotalBurst, now);
  if (entry.bucket.tokens < 1 || total_.tokens < 1) {
    ++suppressed_;
    return false;
  }
  --entry.bucket.tokens;
  --total_.tokens;
  return true;
}

std::uint64_t FailureLimiter::take_suppressed() { return std::exchange(suppressed_, 0); }

}  // namespace turnpike::control
