// SPDX-License-Identifier: BSD-3-Clause
// STUN messages from clients, sorted: Send indications and Binding are served here, other requests go to
// control.
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::DropReason;
using stun::MessageClass;
using stun::Method;

constexpr std::uint16_t kSendIndication = stun::encode_type(Method::kSend, MessageClass::kIndication);

bool has_allocation(const Lcore& lcore, Packet& packet) noexcept {
  packet.key.tag = static_cast<std::uint16_t>(KeyTag::kClient);
  return lcore.tables->find(packet.key) != kNoSlot;
}

void serve(Lcore& lcore, Packet& packet) noexcept {
  if (drop_denied(lcore, packet)) return;
  stun::MessageView message;
  const auto error = stun::MessageView::parse(Bytes(packet.payload, packet.payload_size), message);
  if (error != stun::ParseError::kNone) return lcore.drop(packet.mbuf, reason_of(error));
  const MessageClass message_class = message.message_class();
  if (message_class == MessageClass::kSuccess || message_class == MessageClass::kError) {
    return lcore.drop(packet.mbuf, DropReason::k_stun_response);
  }
  if (!lcore.kernel_sockets && !acceptable_checksum(packet))
    return lcore.drop(packet.mbuf, DropReason::k_udp_checksum);
  const bool is_binding = message.method() == Method::kBinding;
  if (message_class != MessageClass::kRequest) {
    return lcore.drop(packet.mbuf, is_binding ? DropReason::k_binding_indication : DropReason::k_stun_method);
  }
  if (!stun::is_accepted(message.method(), message_class))
    return lcore.drop(packet.mbuf, DropReason::k_stun_method);
  // Who has an allocation has proved who he is, and his Refresh must not suffer from others at his address.
  const bool unproved = !has_allocation(lcore, packet);
  if (unproved && !admit_unproved(lcore, packet)) return;
  if (is_binding && !lcore.secure_stun) return binding(lcore, packet, message);
  if (challenge(lcore, packet, message)) return;
  // Nonces do not keep away who has many addresses. One half of the way to control is for established calls.
  if (unproved && lcore.events.half_full()) return lcore.drop(packet.mbuf, DropReason::k_event_ring_full);
  punt(lcore, packet, shm::Event::kStunRequest);
}

}  // namespace

DropReason reason_of(stun::ParseError error) noexcept {
  switch (error) {
    case stun::ParseError::kNone:
    case stun::ParseError::kTooShort:
    case stun::ParseError::kNotStun:
    case stun::ParseError::kBadCookie:
    case stun::ParseError::kBadLength:
      return DropReason::k_stun_header;
    case stun::ParseError::kAttributeOverrun:
      return DropReason::k_stun_attributes;
    case stun::ParseError::kFingerprintNotLast:
    case stun::ParseError::kBadFingerprint:
      return DropReason::k_stun_fingerprint;
  }
  return DropReason::k_stun_header;
}

void client_stun(Lcore& lcore, Batch& batch) noexcept {
  Group sends;
  for (Packet* packet : batch.client_stun) {
    if (packet->payload_size >= 2 && wire::load_be16(packet->payload) == kSendIndication) {
      sends.push(*packet);
    } else {
      serve(lcore, *packet);
    }
  }
  if (sends.count != 0) client_send(lcore, sends);
}

}  // namespace turnpike::dataplane
