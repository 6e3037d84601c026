// SPDX-License-Identifier: BSD-3-Clause
// Data indications written and Send indications read on the packet path (RFC 8656 section 11).
#pragma once

#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/types.hpp"

namespace turnpike::stun {

// Header, XOR-PEER-ADDRESS, header of DATA; then come the payload and 0-3 zero bytes of padding.
inline constexpr std::size_t kDataIndicationPrefixV4 = kHeaderSize + 4 + kAddressValueV4 + 4;
inline constexpr std::size_t kDataIndicationPrefixV6 = kHeaderSize + 4 + kAddressValueV6 + 4;
static_assert(kDataIndicationPrefixV4 == 36 && kDataIndicationPrefixV6 == 48);

constexpr std::size_t data_indication_prefix_size(Family peer_family) noexcept {
  return peer_family == Family::kIpv4 ? kDataIndicationPrefixV4 : kDataIndicationPrefixV6;
}
// Zero bytes that the caller puts behind the payload.
constexpr std::size_t data_indication_padding(std::size_t data_size) noexcept {
  return padded_size(data_size) - data_size;
}

// Writes what stands before the payload and returns its size; 0 when `out` is too small, the peer has no
// family or the message would be longer than STUN can say.
inline std::size_t write_data_indication_prefix(MutableBytes out, TransactionIdView transaction_id,
                                                const Endpoint& peer, std::size_t data_size) noexcept {
  const std::size_t prefix = data_indication_prefix_size(peer.address.family);
  const std::size_t length = prefix - kHeaderSize + padded_size(data_size);
  if (peer.address.family == Family::kNone || out.size() < prefix) return 0;
  if (data_size > kMaxMessageLength || length > kMaxMessageLength) return 0;
  std::uint8_t* at = out.data();
  wire::store_be16(at, encode_type(Method::kData, MessageClass::kIndication));
  wire::store_be16(at + 2, static_cast<std::uint16_t>(length));
  wire::store_be32(at + 4, kMagicCookie);
  std::memcpy(at + 8, transaction_id.data(), kTransactionIdSize);
  at += kHeaderSize;
  wire::store_be16(at, static_cast<std::uint16_t>(Attribute::kXorPeerAddress));
  wire::store_be16(at + 2, static_cast<std::uint16_t>(address_value_size(peer.address.family)));
  encode_address(at + 4, xor_endpoint(peer, transaction_id));
  at += 4 + address_value_size(peer.address.family);
  wire::store_be16(at, static_cast<std::uint16_t>(Attribute::kData));
  wire::store_be16(at + 2, static_cast<std::uint16_t>(data_size));
  return prefix;
}

struct SendIndication {
  Endpoint peer;
  Bytes data;                   // inside the datagram; may be empty
  std::size_t data_offset = 0;  // of data from the first byte of the message
  bool dont_fragment = false;
};

// Why a Send indication is dropped (RFC 8489 section 6.3.2, RFC 8656 section 11.2).
enum class SendError : std::uint8_t { kNone, kNotSend, kUnknownAttribute, kNoPeer, kBadPeer, kNoData };

// Reads the first XOR-PEER-ADDRESS and the first DATA. Policy (permission, port 0, family) is the caller's.
inline SendError parse_send_indication(const MessageView& message, SendIndication& send) noexcept {
  if (message.type() != encode_type(Method::kSend, MessageClass::kIndication)) return SendError::kNotSend;
  if (!message.unknown_required().empty()) return SendError::kUnknownAttribute;
  Bytes peer_value;
  bool has_peer = false;
  bool has_data = false;
  send = SendIndication();
  message.for_each([&](std::uint16_t code, Bytes value) {
    switch (static_cast<Attribute>(code)) {
      case Attribute::kXorPeerAddress:
        if (!has_peer) peer_value = value;
        has_peer = true;
        break;
      case Attribute::kData:
        if (!has_data) send.data = value;
        has_data = true;
        break;
      case Attribute::kDontFragment:
        send.dont_fragment = true;
        break;
      default:
        break;
    }
  });
  if (!has_peer) return SendError::kNoPeer;
  if (!read_xor_address(peer_value, message.transaction_id(), send.peer)) return SendError::kBadPeer;
  if (!has_data) return SendError::kNoData;
  send.data_offset = static_cast<std::size_t>(send.data.data() - message.bytes().data());
  return SendError::kNone;
}

// The layout that nearly every client sends, read without a walk: header, XOR-PEER-ADDRESS, DATA, and no
// more. False says nothing but "not this layout": MessageView and parse_send_indication() decide then. True
// means that they would agree.
inline bool parse_plain_send_indication(Bytes datagram, SendIndication& send) noexcept {
  constexpr std::uint32_t kType = std::uint32_t{encode_type(Method::kSend, MessageClass::kIndication)} << 16;
  constexpr std::uint32_t kPeer = std::uint32_t{static_cast<std::uint16_t>(Attribute::kXorPeerAddress)} << 16;
  const std::uint8_t* at = datagram.data();
  if (datagram.size() < kDataIndicationPrefixV4 || datagram.size() > kMaxMessageSize) return false;
  const auto length = static_cast<std::uint32_t>(datagram.size() - kHeaderSize);
  if (wire::load_be32(at) != (kType | length) || wire::load_be32(at + 4) != kMagicCookie) return false;
  const std::uint32_t peer_header = wire::load_be32(at + kHeaderSize);
  const bool is_v4 = peer_header == (kPeer | kAddressValueV4);
  if (!is_v4 && peer_header != (kPeer | kAddressValueV6)) return false;
  const std::size_t prefix = is_v4 ? kDataIndicationPrefixV4 : kDataIndicationPrefixV6;
  if (datagram.size() < prefix) return false;
  const std::size_t data_size = wire::load_be16(at + prefix - 2);
  if (wire::load_be16(at + prefix - 4) != static_cast<std::uint16_t>(Attribute::kData)) return false;
  if (prefix + padded_size(data_size) != datagram.size()) return false;
  const Bytes peer_value = datagram.subspan(kHeaderSize + 4, is_v4 ? kAddressValueV4 : kAddressValueV6);
  if (!read_xor_address(peer_value, TransactionIdView(at + 8, kTransactionIdSize), send.peer)) return false;
  send.data = datagram.subspan(prefix, data_size);
  send.data_offset = prefix;
  send.dont_fragment = false;
  return true;
}

}  // namespace turnpike::stun
