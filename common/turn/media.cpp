// SPDX-License-Identifier: BSD-3-Clause
// RFC 8656 sections 11.2, 11.3, 12.6 and 12.7.
#include "common/turn/media.hpp"

#include "common/stun/channel_data.hpp"
#include "common/stun/data_indication.hpp"

namespace turnpike::turn {

namespace {

bool pads_channel_data(Transport transport) {
  return transport == Transport::kTcp || transport == Transport::kTls;
}

void send_channel_data(const Allocation& allocation, std::uint16_t number, Bytes payload, Step& step) {
  std::array<std::uint8_t, stun::kChannelDataHeaderSize> header;
  stun::write_channel_data_header(header.data(), number, static_cast<std::uint16_t>(payload.size()));
  const bool pad = pads_channel_data(allocation.five_tuple.transport);
  const std::size_t padding = pad ? stun::padded_size(payload.size()) - payload.size() : 0;
  step.effects.push(
      RelayToClient{allocation.five_tuple, allocation.id, step.effects.append(header, payload, padding)});
}

void count_send_error(ServerCounters& counters, stun::SendError error, const stun::MessageView& message) {
  if (error == stun::SendError::kUnknownAttribute) {
    ++counters.dropped_unknown_attribute;
    return;
  }
  const auto data = message.find(stun::Attribute::kData);
  const bool keepalive = error == stun::SendError::kNoPeer && (!data || data->empty());
  ++(keepalive ? counters.dropped_send_keepalive : counters.dropped_send_incomplete);
}

void count_miss(ServerCounters& counters, Receiver::Miss miss) {
  switch (miss) {
    case Receiver::Miss::kNone:
      return;
    case Receiver::Miss::kNoRelay:
      ++counters.dropped_no_relay;
      return;
    case Receiver::Miss::kNoPermission:
      ++counters.dropped_peer_no_permission;
      return;
    case Receiver::Miss::kAmbiguous:
      ++counters.dropped_ambiguous_peer;
      return;
  }
}

}  // namespace

void relay_send_indication(Service& service, const FiveTuple& from, const stun::MessageView& message,
                           Step& step) {
  ++service.counters.indications_send;
  stun::SendIndication send;
  const stun::SendError error = stun::parse_send_indication(message, send);
  if (error != stun::SendError::kNone) return count_send_error(service.counters, error, message);
  const Allocation* allocation = service.sessions.find(from, step);
  if (allocation == nullptr) {
    ++service.counters.dropped_no_allocation;
    return;
  }
  const PeerEndpoint peer(service.own.inside(send.peer));
  if (service.sessions.find_permission(*allocation, peer.address, step.now) == nullptr) {
    ++service.counters.dropped_no_permission;
    return;
  }
  if (!service.own.permits_port(service.policies.of(allocation->user->realm), peer)) {
    ++service.counters.dropped_peer_port;
    return;
  }
  // A permission is only ever of a family that the allocation has.
  const RelayEndpoint& relay = allocation->leg(peer.address.family).own;
  step.effects.push(
      RelayToPeer{allocation->id, relay, peer, 0, send.dont_fragment, step.effects.append(send.data)});
}

// The permission is not asked for: a channel may outlive it, and the RFC names no such check (section 12.6).
void relay_channel_data(Service& service, const FiveTuple& from, Bytes message, Step& step) {
  ++service.counters.channel_data;
  const auto data = stun::parse_channel_data(message);
  if (!data) {
    ++service.counters.dropped_channel_short;
    return;
  }
  const Allocation* allocation = service.sessions.find(from, step);
  if (allocation == nullptr) {
    ++service.counters.dropped_no_allocation;
    return;
  }
  const Channel* channel = service.sessions.find_channel(*allocation, data->channel, step.now);
  if (channel == nullptr) {
    ++service.counters.dropped_channel_unbound;
    return;
  }
  const RelayEndpoint& relay = allocation->leg(channel->peer.address.family).own;
  step.effects.push(RelayToPeer{allocation->id, relay, channel->peer, channel->number, false,
                                step.effects.append(data->data)});
}

void relay_peer_data(Service& service, const RelayEndpoint& relay, const PeerEndpoint& source, Bytes payload,
                     Step& step) {
  ++service.counters.peer_datagrams;
  const PeerEndpoint peer(service.own.inside(source));
  const Receiver receiver = service.sessions.find_receiver(relay, peer, step.now);
  const Allocation* allocation = receiver.allocation;
  if (allocation == nullptr) return count_miss(service.counters, receiver.miss);
  if (payload.size() > 0xFFFF) {
    ++service.counters.dropped_peer_too_big;
    return;
  }
  if (receiver.channel != nullptr) {
    return send_channel_data(*allocation, receiver.channel->number, payload, step);
  }
  std::array<std::uint8_t, stun::kDataIndicationPrefixV6> prefix;
  const auto transaction = service.random.value<stun::TransactionId>();
  const std::size_t size = stun::write_data_indication_prefix(prefix, stun::TransactionIdView(transaction),
                                                              service.own.outside(peer), payload.size());
  if (size == 0) {
    ++service.counters.dropped_peer_too_big;
    return;
  }
  const Payload message =
      step.effects.append(Bytes(prefix).first(size), payload, stun::data_indication_padding(payload.size()));
  step.effects.push(RelayToClient{allocation->five_tuple, allocation->id, message});
}

}  // namespace turnpike::turn
