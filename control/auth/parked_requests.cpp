// SPDX-License-Identifier: BSD-3-Clause
// A list for each look-up.
#include "control/auth/parked_requests.hpp"

#include <algorithm>

namespace turnpike::control {

void ParkedRequests::park(turn::LookupId lookup, ParkedRequest request) {
  if (lookup == turn::kRefusedLookup || size_ >= capacity_) {
    ++counters_.dropped;
    return;
  }
  auto& requests = waiting_[lookup];
  const bool repeated = std::any_of(requests.begin(), requests.end(), [&](const ParkedRequest& other) {
    return other.from == request.from && other.message == request.message;
  });
  if (repeated) {
    ++counters_.repeated;
    return;
  }
  if (requests.size() >= per_user_) {
    ++counters_.dropped;
    return;
  }
  requests.push_back(std::move(request));
  ++size_;
  ++counters_.parked;
}

std::vector<ParkedRequest> ParkedRequests::take(turn::LookupId lookup) {
  const auto found = waiting_.find(lookup);
  if (found == waiting_.end()) return {};
  std::vector<ParkedRequest> requests = std::move(found->second);
  waiting_.erase(found);
  size_ -= requests.size();
  return requests;
}

}  // namespace turnpike::control
