// SPDX-License-Identifier: BSD-3-Clause
// Reading events: nothing in shared memory is believed before it is checked.
#include "control/dataplane_link/event_reader.hpp"

#include <cstring>
#include <optional>

namespace turnpike::control {
namespace {

using wire::Endpoint;
using wire::Family;
using wire::IpAddress;

// The same endpoint in its one valid form, so that equality and hashes hold.
std::optional<Endpoint> canonical(const Endpoint& endpoint) {
  if (endpoint.port == 0) return std::nullopt;
  if (endpoint.address.family == Family::kIpv4) {
    return Endpoint{IpAddress::v4_bytes(endpoint.address.bytes.data()), 0, endpoint.port};
  }
  if (endpoint.address.family == Family::kIpv6) {
    return Endpoint{IpAddress::v6_bytes(endpoint.address.bytes.data()), 0, endpoint.port};
  }
  return std::nullopt;
}

// A reason that this release does not know is as good as the worst known one.
turn::RefusalReason reason_of(shm::Refusal refusal) {
  switch (refusal) {
    case shm::Refusal::kTableFull:
      return turn::RefusalReason::kTableFull;
    case shm::Refusal::kPortTaken:
      return turn::RefusalReason::kPortTaken;
    case shm::Refusal::kNoDescriptor:
      return turn::RefusalReason::kNoDescriptor;
    case shm::Refusal::kInvalid:
      break;
  }
  return turn::RefusalReason::kInvalid;
}

}  // namespace

EventReader::EventReader(const shm::Region& region, std::vector<wire::ServerEndpoint> listeners,
                         std::uint16_t port_count)
    : region_(region),
      listeners_(listeners.begin(), listeners.end()),
      port_count_(port_count),
      message_(std::make_unique<shm::Message>()) {
  connect();
}

void EventReader::connect() {
  rings_.assign(region_.capacity().workers + 1, Ring{});
  for (WorkerIndex i = 0; i < rings_.size(); ++i) rings_[i].consumer = shm::Consumer(region_.event_ring(i));
}

std::size_t EventReader::poll(WorkerIndex index, std::size_t budget, EventHandler& handler) {
  Ring& ring = rings_[index];
  const bool is_worker = index + 1u < rings_.size();
  if (is_worker) note_applied(ring, index);
  std::size_t taken = 0;
  bool empty = false;
  while (taken < budget && !empty) {
    switch (ring.consumer.pop(*message_)) {
      case shm::PopResult::kEmpty:
        empty = true;
        break;
      case shm::PopResult::kCorrupt:
        ++counters_.corrupt;
        ++taken;
        break;
      case shm::PopResult::kMessage:
        if (!dispatch(index, handler)) ++counters_.invalid;
        ++ring.events_before;
        ++taken;
        break;
    }
  }
  if (is_worker) pass_on_applied(ring, index, empty, handler);
  return taken;
}

void EventReader::note_applied(Ring& ring, WorkerIndex worker) {
  if (ring.applied_pending) return;
  // Pairs with W1.
  const std::uint64_t applied = region_.worker(worker).applied_seq.load(std::memory_order_acquire);
  if (applied == ring.passed_on) return;
  ring.applied = applied;
  ring.events_before = 0;
  ring.applied_pending = true;
}

void EventReader::pass_on_applied(Ring& ring, WorkerIndex worker, bool empty, EventHandler& handler) {
  // A ring holds at most one message in each cell.
  if (!ring.applied_pending || (!empty && ring.events_before < region_.capacity().event_cells)) return;
  ring.applied_pending = false;
  ring.passed_on = ring.applied;
  handler.on_applied(worker, ring.applied);
}

bool EventReader::dispatch(WorkerIndex index, EventHandler& handler) {
  const shm::MessageHeader& header = message_->header;
  const bool is_worker = index + 1u < rings_.size();
  switch (static_cast<shm::Event>(header.kind)) {
    case shm::Event::kStunRequest:
    case shm::Event::kDtls:
      return is_worker && dispatch_request(index, handler);
    case shm::Event::kFactRefused:
      if (!is_worker || header.body_size != sizeof(shm::FactRefused) || header.seq == 0) return false;
      return dispatch_refusal(index, handler);
    case shm::Event::kPortChanged:
      if (is_worker || header.body_size != 0) return false;
      handler.on_port_changed();
      return true;
    case shm::Event::kToClient:
      return is_worker && dispatch_to_client(index, handler);
    case shm::Event::kInvalid:
    case shm::Event::kCount:
      break;
  }
  return false;
}

bool EventReader::dispatch_refusal(WorkerIndex worker, EventHandler& handler) {
  shm::FactRefused refused;
  std::memcpy(&refused, message_->body().data(), sizeof refused);
  ++counters_.refusals;
  handler.on_refused(worker, message_->header.seq, reason_of(refused.reason));
  return true;
}

bool EventReader::dispatch_request(WorkerIndex worker, EventHandler& handler) {
  const Bytes body = message_->body();
  shm::StunRequest request;
  if (body.size() < sizeof request) return false;
  std::memcpy(&request, body.data(), sizeof request);
  const auto client = canonical(request.client);
  const auto server = canonical(request.server);
  if (!client || !server || client->address.family != server->address.family) return false;
  if (!listeners_.contains(*server)) return false;
  if (request.path.port >= port_count_ || request.path.vlan > 4095 || request.path.outer_vlan > 4095)
    return false;
  const bool dtls = message_->header.kind == static_cast<std::uint16_t>(shm::Event::kDtls);
  const turn::FiveTuple from{wire::ClientEndpoint(*client), wire::ServerEndpoint(*server),
                             dtls ? turn::Transport::kDtls : turn::Transport::kUdp};
  if (dtls) {
    handler.on_dtls(worker, from, request.path, body.subspan(sizeof request));
    return true;
  }
  ++counters_.requests;
  handler.on_request(worker, from, request.path, body.subspan(sizeof request));
  return true;
}

bool EventReader::dispatch_to_client(WorkerIndex worker, EventHandler& handler) {
  const Bytes body = message_->body();
  shm::ToClient head;
  if (body.size() <= sizeof head) return false;
  std::memcpy(&head, body.data(), sizeof head);
  if (head.allocation.index >= region_.capacity().allocations || head.allocation.generation == 0)
    return false;
  handler.on_to_client({worker, head.allocation.index, head.allocation.generation},
                       body.subspan(sizeof head));
  return true;
}

std::uint32_t EventReader::used(WorkerIndex ring) const {
  const shm::RingIndices& indices = *region_.event_ring(ring).indices;
  const std::uint64_t used =
      indices.tail.load(std::memory_order_relaxed) - indices.head.load(std::memory_order_relaxed);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(used, region_.capacity().event_cells));
}

}  // namespace turnpike::control
