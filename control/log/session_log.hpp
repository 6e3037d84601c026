// SPDX-License-Identifier: BSD-3-Clause
// One line when an allocation begins, one when it ends, one for a failed authentication (docs/logs.md).
#pragma once

#include <functional>

#include "common/shm/region.hpp"
#include "common/turn/session_observer.hpp"
#include "control/log/event.hpp"
#include "control/log/failure_limiter.hpp"

namespace turnpike::control {

class SessionLog final : public turn::SessionObserver {
public:
  // `region` must outlive it. `seed` keeps clients from knowing which of them share a bucket.
  SessionLog(const shm::Region& region, std::uint64_t seed, std::function<Time()> clock);

  void on_begin(const turn::SessionRecord& session) override;
  void on_end(const turn::SessionRecord& session, turn::EndReason reason) override;
  void on_authentication_failure(const turn::FailedClient& client, turn::AuthenticationFailure why) override;

  // About once a second: failures that were suppressed a while ago, if no line has told of them since.
  void tick();

private:
  void add_session(Event& event, const turn::SessionRecord& session) const;
  void add_traffic(Event& event, const turn::SessionRecord& session) const;

  const shm::Region& region_;
  std::function<Time()> clock_;
  FailureLimiter limiter_;
  Time failure_told_{};
};

}  // namespace turnpike::control
