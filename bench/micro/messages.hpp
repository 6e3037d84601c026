// SPDX-License-Identifier: BSD-3-Clause
// The requests that parsing and integrity are measured on.
#pragma once

#include <vector>

#include "common/stun/integrity.hpp"
#include "tests/support/packet_builder.hpp"

namespace turnpike::bench {

inline const test::ByteVector& bench_key() {
  static const test::ByteVector key = test::bytes_of("sixteen byte key");
  return key;
}

template <typename Add>
test::ByteVector made_message(stun::Method method, stun::MessageClass message_class, Add&& add) {
  test::ByteVector buffer(2048);
  const test::ByteVector id = test::bytes_of("transaction!");
  stun::MessageWriter writer(buffer);
  writer.begin(method, message_class, stun::TransactionIdView(id.data(), stun::kTransactionIdSize));
  add(writer);
  const Bytes message = writer.finish();
  return {message.begin(), message.end()};
}

// A Refresh as clients send it, with credentials.
inline test::ByteVector refresh_request(Crypto& crypto, stun::IntegrityKind kind, bool fingerprint) {
  return made_message(stun::Method::kRefresh, stun::MessageClass::kRequest, [&](stun::MessageWriter& writer) {
    writer.add_u32(stun::Attribute::kLifetime, 600);
    writer.add_text(stun::Attribute::kUsername, "1790000000:alice");
    writer.add_text(stun::Attribute::kRealm, "example.org");
    writer.add_text(stun::Attribute::kNonce, "obMatJos2AAAAabcdefghijklmnopqrstuv");
    stun::add_integrity(writer, kind, crypto, bench_key());
    if (fingerprint) writer.add_fingerprint();
  });
}

inline test::ByteVector send_indication(const wire::Endpoint& peer, std::size_t payload) {
  return made_message(stun::Method::kSend, stun::MessageClass::kIndication, [&](stun::MessageWriter& writer) {
    writer.add_xor_address(stun::Attribute::kXorPeerAddress, peer);
    writer.add(stun::Attribute::kData, test::ByteVector(payload, 0x5A));
  });
}

}  // namespace turnpike::bench
