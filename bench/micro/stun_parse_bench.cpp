// SPDX-License-Identifier: BSD-3-Clause
// A received message checked and read in place, against a parser that copies every attribute out into a list,
// as a straightforward one does.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "bench/micro/measure.hpp"
#include "bench/micro/messages.hpp"
#include "common/stun/crc32.hpp"
#include "common/stun/data_indication.hpp"
#include "control/crypto/openssl_crypto.hpp"

namespace turnpike::bench {
namespace {

using stun::Attribute;
using test::ByteVector;

struct CopiedMessage {
  std::uint16_t type = 0;
  std::array<std::uint8_t, stun::kTransactionIdSize> transaction_id;
  std::vector<std::pair<std::uint16_t, ByteVector>> attributes;

  const ByteVector* find(Attribute attribute) const {
    for (const auto& [code, value] : attributes) {
      if (code == static_cast<std::uint16_t>(attribute)) return &value;
    }
    return nullptr;
  }
};

// The same checks as the product's; FINGERPRINT too.
std::optional<CopiedMessage> parse_copy(const ByteVector& bytes) {
  if (bytes.size() < stun::kHeaderSize || (bytes[0] & 0xC0) != 0) return std::nullopt;
  if (wire::load_be32(&bytes[4]) != stun::kMagicCookie) return std::nullopt;
  if (stun::kHeaderSize + wire::load_be16(&bytes[2]) != bytes.size()) return std::nullopt;
  CopiedMessage message;
  message.type = wire::load_be16(bytes.data());
  std::copy_n(&bytes[8], stun::kTransactionIdSize, message.transaction_id.begin());
  for (std::size_t at = stun::kHeaderSize; at + 4 <= bytes.size();) {
    const std::uint16_t code = wire::load_be16(&bytes[at]);
    const std::size_t size = wire::load_be16(&bytes[at + 2]);
    if (at + 4 + stun::padded_size(size) > bytes.size()) return std::nullopt;
    const auto value = bytes.begin() + static_cast<std::ptrdiff_t>(at + 4);
    message.attributes.emplace_back(code, ByteVector(value, value + static_cast<std::ptrdiff_t>(size)));
    if (code == static_cast<std::uint16_t>(Attribute::kFingerprint) &&
        wire::load_be32(&bytes[at + 4]) != (stun::crc32(Bytes(bytes).first(at)) ^ stun::kFingerprintXor)) {
      return std::nullopt;
    }
    at += 4 + stun::padded_size(size);
  }
  return message;
}

ByteVector binding_request() {
  return made_message(stun::Method::kBinding, stun::MessageClass::kRequest, [](stun::MessageWriter& writer) {
    writer.add_text(Attribute::kSoftware, "a client");
    writer.add_fingerprint();
  });
}

ByteVector authenticated_request() {
  control::OpensslCrypto crypto;
  return refresh_request(crypto, stun::IntegrityKind::kSha1, true);
}

void parse(benchmark::State& state, ByteVector (*make)(), Attribute wanted) {
  const ByteVector bytes = make();
  bool right = true;
  for (auto _ : state) {
    stun::MessageView message;
    right &= stun::MessageView::parse(bytes, message) == stun::ParseError::kNone;
    benchmark::DoNotOptimize(message.find(wanted));
  }
  if (!right) return state.SkipWithError("the message was refused");
  count_items(state, 1);
}

void parse_by_copy(benchmark::State& state, ByteVector (*make)(), Attribute wanted) {
  const ByteVector bytes = make();
  bool right = true;
  for (auto _ : state) {
    const auto message = parse_copy(bytes);
    right &= message.has_value();
    if (message) benchmark::DoNotOptimize(message->find(wanted));
  }
  if (!right) return state.SkipWithError("the message was refused");
  count_items(state, 1);
}

ByteVector send_of(const benchmark::State& state) {
  const char* peer = state.range(0) == 4 ? "10.0.2.2:5000" : "[fd00:2::2]:5000";
  return send_indication(wire::parse_endpoint(peer).value(), static_cast<std::size_t>(state.range(1)));
}

// As client_send does: the usual layout without a walk.
void parse_send(benchmark::State& state) {
  const ByteVector bytes = send_of(state);
  bool right = true;
  for (auto _ : state) {
    stun::SendIndication send;
    right &= stun::parse_plain_send_indication(bytes, send);
    benchmark::DoNotOptimize(send);
  }
  if (!right) return state.SkipWithError("the message was refused");
  count_items(state, 1);
}

void parse_send_by_walk(benchmark::State& state) {
  const ByteVector bytes = send_of(state);
  bool right = true;
  for (auto _ : state) {
    stun::MessageView message;
    stun::SendIndication send;
    right &= stun::MessageView::parse(bytes, message) == stun::ParseError::kNone &&
             stun::parse_send_indication(message, send) == stun::SendError::kNone;
    benchmark::DoNotOptimize(send);
  }
  if (!right) return state.SkipWithError("the message was refused");
  count_items(state, 1);
}

void parse_send_by_copy(benchmark::State& state) {
  const ByteVector bytes = send_of(state);
  bool right = true;
  for (auto _ : state) {
    const auto message = parse_copy(bytes);
    const ByteVector* peer_value = message ? message->find(Attribute::kXorPeerAddress) : nullptr;
    wire::Endpoint peer;
    right &= peer_value != nullptr && stun::read_xor_address(*peer_value, message->transaction_id, peer) &&
             message->find(Attribute::kData) != nullptr;
    benchmark::DoNotOptimize(peer);
  }
  if (!right) return state.SkipWithError("the message was refused");
  count_items(state, 1);
}

void send_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"family", "payload"})->ArgsProduct({{4, 6}, {120, 1200}});
}

BENCHMARK_CAPTURE(parse, binding, binding_request, Attribute::kSoftware)->Name("parse-binding/turnpike");
BENCHMARK_CAPTURE(parse_by_copy, binding, binding_request, Attribute::kSoftware)
    ->Name("parse-binding/copy-out");
BENCHMARK_CAPTURE(parse, refresh, authenticated_request, Attribute::kNonce)->Name("parse-refresh/turnpike");
BENCHMARK_CAPTURE(parse_by_copy, refresh, authenticated_request, Attribute::kNonce)
    ->Name("parse-refresh/copy-out");
BENCHMARK(parse_send)->Name("parse-send/turnpike")->Apply(send_sizes);
BENCHMARK(parse_send_by_walk)->Name("parse-send/turnpike-walk")->Apply(send_sizes);
BENCHMARK(parse_send_by_copy)->Name("parse-send/copy-out")->Apply(send_sizes);

}  // namespace
}  // namespace turnpike::bench
