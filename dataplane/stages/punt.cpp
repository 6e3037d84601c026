// SPDX-License-Identifier: BSD-3-Clause
// Requests that control decides: copied into the event ring with the way they came.
#include <unistd.h>

#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {

using shm::DropReason;

void punt(Lcore& lcore, const Packet& packet, shm::Event kind) noexcept {
  if (!lcore.control_attached.load(std::memory_order_relaxed)) {
    return lcore.drop(packet.mbuf, DropReason::k_no_control);
  }
  shm::StunRequest request;
  request.client.address.bytes = packet.key.remote;
  request.client.address.family = packet.v4 ? wire::Family::kIpv4 : wire::Family::kIpv6;
  request.client.port = packet.key.remote_port;
  request.server = {packet.local->address, 0, packet.key.local_port};
  request.path = path_of(packet);
  const Bytes body(reinterpret_cast<const std::uint8_t*>(&request), sizeof request);
  if (!lcore.events.push(static_cast<std::uint16_t>(kind), 0, body,
                         Bytes(packet.payload, packet.payload_size))) {
    return lcore.drop(packet.mbuf, DropReason::k_event_ring_full);
  }
  lcore.count(kind == shm::Event::kDtls ? shm::Counter::k_dtls_to_control : shm::Counter::k_stun_to_control);
  lcore.events_pushed = true;
  lcore.release(packet.mbuf);
}

void wake_control(Lcore& lcore) noexcept {
  if (!lcore.events_pushed) return;
  lcore.events_pushed = false;
  lcore.raise(shm::Counter::k_perf_events_high, lcore.events.used());
  // The sleeper stored 1 and fenced before its last look at the ring; we published before this fence
  // (abi.hpp).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  auto& asleep = lcore.published->control_asleep;
  if (asleep.load(std::memory_order_relaxed) != 0 && asleep.exchange(0, std::memory_order_relaxed) != 0) {
    const std::uint64_t one = 1;
    if (write(lcore.wake_control, &one, sizeof one) != sizeof one)
      lcore.errors.raise("waking control failed", lcore.now_ns);
  }
}

}  // namespace turnpike::dataplane
