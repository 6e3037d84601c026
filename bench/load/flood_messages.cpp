// SPDX-License-Identifier: BSD-3-Clause
// Whole messages first, then what is done to them.
#include "bench/load/flood_messages.hpp"

#include <algorithm>

#include "common/stun/channel_data.hpp"
#include "common/stun/integrity.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::load {
namespace {

using stun::Attribute;
using stun::MessageClass;
using stun::Method;

constexpr std::size_t kStunHeader = 20;
constexpr std::size_t kMaxBody = 300;

std::string text_in(const stun::MessageView& message, Attribute attribute) {
  const auto value = message.find(attribute);
  return value ? std::string(value->begin(), value->end()) : std::string();
}

}  // namespace

FloodMessages::FloodMessages(const Options& options) : options_(options), random_(options.sockets.seed) {}

Bytes FloodMessages::next() {
  const std::string& flood = options_.sockets.flood;
  if (flood == "binding") return binding();
  if (flood == "allocate") return allocate();
  if (flood == "garbage") return garbage();
  if (flood == "wrong-password") return wrong_password();
  return damaged();
}

void FloodMessages::begin(stun::MessageWriter& writer, Method method, MessageClass message_class) {
  stun::TransactionId id;
  for (auto& byte : id) byte = static_cast<std::uint8_t>(random_());
  writer.begin(method, message_class, id);
}

Bytes FloodMessages::binding() {
  stun::MessageWriter writer(buffer_);
  begin(writer, Method::kBinding, MessageClass::kRequest);
  return writer.finish();
}

Bytes FloodMessages::allocate() {
  stun::MessageWriter writer(buffer_);
  begin(writer, Method::kAllocate, MessageClass::kRequest);
  writer.add_requested_transport(stun::kTransportUdp);
  return writer.finish();
}

bool FloodMessages::take_challenge(const stun::MessageView& answer) {
  realm_ = text_in(answer, Attribute::kRealm);
  nonce_ = text_in(answer, Attribute::kNonce);
  for (auto& byte : key_) byte = static_cast<std::uint8_t>(random_());
  return !realm_.empty() && !nonce_.empty();
}

Bytes FloodMessages::wrong_password() {
  stun::MessageWriter writer(buffer_);
  begin(writer, Method::kAllocate, MessageClass::kRequest);
  writer.add_requested_transport(stun::kTransportUdp);
  writer.add_text(Attribute::kUsername, options_.user);
  writer.add_text(Attribute::kRealm, realm_);
  writer.add_text(Attribute::kNonce, nonce_);
  stun::add_integrity(writer, stun::IntegrityKind::kSha1, crypto_, key_);
  return writer.finish();
}

Bytes FloodMessages::garbage() {
  const std::size_t size = 1 + below(buffer_.size());
  std::generate_n(buffer_.begin(), size, [&] { return static_cast<std::uint8_t>(random_()); });
  return Bytes(buffer_).first(size);
}

// One that a client could have sent, but for the password.
Bytes FloodMessages::some_message() {
  constexpr std::array kMethods{Method::kBinding, Method::kAllocate,         Method::kRefresh,
                                Method::kSend,    Method::kCreatePermission, Method::kChannelBind};
  std::array<std::uint8_t, kMaxBody> body{};
  const Bytes payload = Bytes(body).first(below(body.size()));
  const std::uint64_t which = below(kMethods.size() + 1);
  if (which == kMethods.size()) {
    const auto channel = static_cast<std::uint16_t>(0x4000 + below(0x1000));
    return stun::write_channel_data(buffer_, channel, payload, stun::ChannelPadding::kNone);
  }
  const Method method = kMethods[which];
  stun::MessageWriter writer(buffer_);
  begin(writer, method, method == Method::kSend ? MessageClass::kIndication : MessageClass::kRequest);
  const wire::Endpoint peer{options_.peer_ip, 0, static_cast<std::uint16_t>(1 + below(0xFFFF))};
  if (method == Method::kAllocate) writer.add_requested_transport(stun::kTransportUdp);
  if (method == Method::kChannelBind) writer.add_channel_number(static_cast<std::uint16_t>(below(0x10000)));
  if (method != Method::kBinding) writer.add_xor_address(Attribute::kXorPeerAddress, peer);
  if (method == Method::kSend) writer.add(Attribute::kData, payload);
  if (below(2) != 0) {
    writer.add_text(Attribute::kUsername, options_.user);
    writer.add_text(Attribute::kRealm, "a realm");
    writer.add(Attribute::kNonce, payload.first(std::min<std::size_t>(payload.size(), 100)));
    stun::add_integrity(writer, stun::IntegrityKind::kSha1, crypto_, key_);
  }
  if (below(4) == 0) writer.add_fingerprint();
  return writer.finish();
}

Bytes FloodMessages::damaged() {
  if (below(16) == 0) return garbage();
  const std::size_t size = some_message().size();
  return Bytes(buffer_).first(damage(size));
}

// What is left of the message.
std::size_t FloodMessages::damage(std::size_t size) {
  const auto lie = static_cast<std::uint16_t>(random_());
  switch (below(6)) {
    case 0:  // some bits
      for (std::uint64_t bits = 1 + below(8); bits > 0; --bits) {
        const std::uint64_t bit = below(size * 8);
        buffer_[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      }
      return size;
    case 1:  // cut off
      return below(size) + 1;
    case 2:  // something behind it
      for (std::uint64_t more = 1 + below(64); more > 0 && size < buffer_.size(); --more) {
        buffer_[size++] = static_cast<std::uint8_t>(random_());
      }
      return size;
    case 3:  // a wrong length
      wire::store_be16(buffer_.data() + 2, lie);
      return size;
    case 4:  // a wrong length of the first attribute
      if (size >= kStunHeader + 4) wire::store_be16(buffer_.data() + kStunHeader + 2, lie);
      return size;
    default:  // another type of message, or none of it is wrong
      if (below(2) != 0) wire::store_be16(buffer_.data(), lie & 0x3FFF);
      return size;
  }
}

}  // namespace turnpike::load
