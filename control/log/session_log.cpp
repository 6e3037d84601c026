// SPDX-License-Identifier: BSD-3-Clause
// The server's reports as events.
#include "control/log/session_log.hpp"

#include <algorithm>

#include "common/turn/transport_name.hpp"

namespace turnpike::control {
namespace {

constexpr Time kSuppressedInterval = seconds(10);
constexpr auto kSessionLevel = spdlog::level::info;
constexpr auto kFailureLevel = spdlog::level::warn;

std::string id_of(const turn::SlotId& slot) {
  return std::to_string(slot.worker) + "-" + std::to_string(slot.index) + "-" +
         std::to_string(slot.generation);
}

}  // namespace

SessionLog::SessionLog(const shm::Region& region, std::uint64_t seed, std::function<Time()> clock)
    : region_(region), clock_(std::move(clock)), limiter_(seed) {}

void SessionLog::add_session(Event& event, const turn::SessionRecord& session) const {
  std::vector<std::string> relays;
  for (const wire::RelayEndpoint& relay : {session.relay_v4, session.relay_v6}) {
    if (relay.address.family != wire::Family::kNone) relays.push_back(wire::to_string(relay));
  }
  event.add("session", id_of(session.allocation))
      .add("user", session.user)
      .add("realm", session.realm)
      .add("client", wire::to_string(session.five_tuple.client))
      .add("server", wire::to_string(session.five_tuple.server))
      .add("transport", turn::name_of(session.five_tuple.transport))
      .add("relay", relays);
}

// The worker starts the counters of a slot anew when it installs an allocation there.
void SessionLog::add_traffic(Event& event, const turn::SessionRecord& session) const {
  const WorkerIndex worker = session.allocation.worker;
  const auto applied = region_.worker(worker).applied_seq.load(std::memory_order_acquire);  // W1
  const bool installed = applied >= session.installed_by;
  const shm::AllocationCounters& traffic = region_.allocation(worker, session.allocation.index);
  const auto count = [&](const shm::SharedCounter& counter) {
    return installed ? counter.load(std::memory_order_relaxed) : 0;
  };
  event.add("to_peer_packets", count(traffic.to_peer_packets))
      .add("to_peer_bytes", count(traffic.to_peer_bytes))
      .add("to_client_packets", count(traffic.to_client_packets))
      .add("to_client_bytes", count(traffic.to_client_bytes));
}

void SessionLog::on_begin(const turn::SessionRecord& session) {
  if (!event_wanted(kSessionLevel)) return;
  Event event(kSessionLevel, "allocation_begin");
  add_session(event, session);
  event.write();
}

void SessionLog::on_end(const turn::SessionRecord& session, turn::EndReason reason) {
  if (!event_wanted(kSessionLevel)) return;
  std::vector<std::string> peers;
  for (const wire::IpAddress& peer : session.peers) peers.push_back(wire::to_string(peer));
  const auto lived = std::chrono::duration_cast<seconds>(clock_() - session.created);
  Event event(kSessionLevel, "allocation_end");
  add_session(event, session);
  event.add("peers", peers).add("peer_count", session.peer_count);
  add_traffic(event, session);
  event.add("duration_s", static_cast<std::uint64_t>(std::max(lived, seconds(0)).count()))
      .add("reason", turn::name_of(reason));
  event.write();
}

void SessionLog::on_authentication_failure(const turn::FailedClient& client,
                                           turn::AuthenticationFailure why) {
  if (!event_wanted(kFailureLevel)) return;
  const Time now = clock_();
  if (!limiter_.permits(client.five_tuple.client.address, now)) return;
  failure_told_ = now;
  Event(kFailureLevel, "authentication_failure")
      .add("client", wire::to_string(client.five_tuple.client))
      .add("server", wire::to_string(client.five_tuple.server))
      .add("transport", turn::name_of(client.five_tuple.transport))
      .add("user", client.user)
      .add("realm", client.realm)
      .add("why", turn::name_of(why))
      .add("suppressed", limiter_.take_suppressed())
      .write();
}

void SessionLog::tick() {
  const Time now = clock_();
  if (limiter_.suppressed() == 0 || now - failure_told_ < kSuppressedInterval) return;
  failure_told_ = now;
  Event(kFailureLevel, "authentication_failures_suppressed")
      .add("suppressed", limiter_.take_suppressed())
      .write();
}

}  // namespace turnpike::control
