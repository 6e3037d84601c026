// SPDX-License-Identifier: BSD-3-Clause
// Framing put on and taken off.
#include "bench/load/framing.hpp"

#include "common/stun/channel_data.hpp"
#include "common/stun/data_indication.hpp"
#include "common/stun/message_writer.hpp"

namespace turnpike::load {

std::vector<std::uint8_t> framed(const Options& options, const wire::Endpoint& peer, Bytes payload,
                                 std::uint16_t channel) {
  std::vector<std::uint8_t> buffer(payload.size() + 128);
  Bytes message;
  if (options.indications) {
    const stun::TransactionId id{'l', 'o', 'a', 'd'};
    stun::MessageWriter writer(buffer);
    writer.begin(stun::Method::kSend, stun::MessageClass::kIndication, stun::TransactionIdView(id));
    writer.add_xor_address(stun::Attribute::kXorPeerAddress, peer);
    writer.add(stun::Attribute::kData, payload);
    message = writer.finish();
  } else {
    message = stun::write_channel_data(buffer, channel, payload, stun::ChannelPadding::kNone);
  }
  return {message.begin(), message.end()};
}

std::size_t prefix_size(const Options& options) noexcept {
  return options.indications ? stun::data_indication_prefix_size(options.peer_ip.family)
                             : stun::kChannelDataHeaderSize;
}

std::size_t framing_size(const Options& options) noexcept {
  return prefix_size(options) + (options.indications ? stun::data_indication_padding(options.payload) : 0);
}

std::optional<FromPeer> parse_from_peer(const Options& options, Bytes message) noexcept {
  if (!options.indications) {
    const auto data = stun::parse_channel_data(message);
    if (!data) return std::nullopt;
    return FromPeer{data->channel, {}, data->data};
  }
  const auto view = stun::MessageView::parse(message);
  const auto method = options.swap ? stun::Method::kSend : stun::Method::kData;
  if (!view || view->type() != stun::encode_type(method, stun::MessageClass::kIndication))
    return std::nullopt;
  const auto address = view->find(stun::Attribute::kXorPeerAddress);
  const auto data = view->find(stun::Attribute::kData);
  FromPeer from;
  if (!address || !data || !stun::read_xor_address(*address, view->transaction_id(), from.peer)) {
    return std::nullopt;
  }
  from.payload = *data;
  return from;
}

std::optional<Bytes> unframe(const Options& options, Bytes message, const wire::Endpoint& peer) noexcept {
  const auto from = parse_from_peer(options, message);
  if (!from) return std::nullopt;
  const bool right = options.indications ? from->peer == peer : from->channel == kChannel;
  return right ? std::optional(from->payload) : std::nullopt;
}

}  // namespace turnpike::load
