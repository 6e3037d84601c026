// SPDX-License-Identifier: BSD-3-Clause
// STUN messages: the reader, every typed decoder, and the round trip through the writer.
#include <algorithm>
#include <vector>

#include "common/stun/attributes.hpp"
#include "common/stun/crc32.hpp"
#include "common/stun/data_indication.hpp"
#include "common/stun/integrity.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/message_writer.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/test_crypto.hpp"

namespace {

using namespace turnpike;
using namespace turnpike::stun;

using Buffer = std::vector<std::uint8_t>;

bool equal(Bytes left, Bytes right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

bool inside(Bytes part, Bytes whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// An address that decodes must encode to the same bytes (the first one is ignored, so it may differ).
void check_address(Bytes value, TransactionIdView id) {
  const auto plain = decode_address(value);
  const auto decoded = decode_xor_address(value, id);
  FUZZ_CHECK(plain.has_value() == decoded.has_value());
  if (!decoded) return;
  FUZZ_CHECK(xor_endpoint(*decoded, id) == *plain);
  Buffer again(address_value_size(decoded->address.family));
  encode_address(again.data(), xor_endpoint(*decoded, id));
  FUZZ_CHECK(equal(Bytes(again).subspan(1), value.subspan(1)));
}

void decode_all(Bytes value, TransactionIdView id) {
  check_address(value, id);
  FUZZ_CHECK(decode_u32(value).has_value() == (value.size() == 4));
  FUZZ_CHECK(decode_lifetime(value) == decode_u32(value));
  FUZZ_CHECK(decode_channel_number(value).has_value() == (value.size() == 4));
  FUZZ_CHECK(decode_requested_transport(value).has_value() == (value.size() == 4));
  FUZZ_CHECK(decode_address_family(value).has_value() == (value.size() == 4));
  FUZZ_CHECK(decode_even_port(value).has_value() == !value.empty());
  FUZZ_CHECK(decode_reservation_token(value).has_value() == (value.size() == 8));
  FUZZ_CHECK(decode_userhash(value).has_value() == (value.size() == 32));
  if (const auto text = decode_text(value)) FUZZ_CHECK(text->size() == value.size());
  if (const auto error = decode_error(value)) FUZZ_CHECK(error->code >= 300 && error->code <= 699);
  FUZZ_CHECK(decode_address_error(value).has_value() == decode_error(value).has_value());
  if (const auto icmp = decode_icmp(value))
    FUZZ_CHECK(equal(Bytes(encode_icmp(*icmp)).subspan(2), value.subspan(2)));
  decode_password_algorithm(value);
  decode_password_algorithms(
      value, [&](PasswordAlgorithm, Bytes parameters) { FUZZ_CHECK(inside(parameters, value)); });
  decode_unknown_attributes(value, [](std::uint16_t) {});
}

// What the view says must agree with itself.
void check_view(const MessageView& view) {
  const Bytes bytes = view.bytes();
  FUZZ_CHECK(encode_type(view.method(), view.message_class()) == view.type());
  view.for_each([&](std::uint16_t code, Bytes value) {
    FUZZ_CHECK(inside(value, bytes));
    const auto first = view.find(static_cast<Attribute>(code));
    FUZZ_CHECK(first && first->data() <= value.data());
    decode_all(value, view.transaction_id());
  });
  for (const std::uint16_t code : view.unknown_required()) {
    FUZZ_CHECK(is_comprehension_required(code) && !is_known(code) && view.has(static_cast<Attribute>(code)));
  }
  for (const std::size_t offset : {view.integrity_offset(), view.integrity_sha256_offset()}) {
    if (offset != 0) FUZZ_CHECK(inside(view.value_at(offset), bytes));
  }
  SendIndication send;
  if (parse_send_indication(view, send) == SendError::kNone) {
    FUZZ_CHECK(inside(send.data, bytes) && send.data_offset + send.data.size() <= bytes.size());
  }
}

// The attributes that count, written anew with integrity and FINGERPRINT, must come back the same.
void check_round_trip(const MessageView& view) {
  const Buffer key = {'k', 'e', 'y'};
  test::TestCrypto crypto;
  Buffer buffer(view.bytes().size() + 24 + 36 + 8);
  MessageWriter writer(buffer);
  writer.begin(view.method(), view.message_class(), view.transaction_id());
  view.for_each([&](std::uint16_t code, Bytes value) { writer.add(static_cast<Attribute>(code), value); });
  add_integrity(writer, IntegrityKind::kSha1, crypto, key);
  add_integrity(writer, IntegrityKind::kSha256, crypto, key);
  writer.add_fingerprint();
  const Bytes written = writer.finish();
  if (written.empty()) {
    FUZZ_CHECK(buffer.size() > kMaxMessageSize);
    return;
  }
  const auto again = MessageView::parse(written);
  FUZZ_CHECK(again && again->has_fingerprint() && again->type() == view.type());
  FUZZ_CHECK(verify_sha1(crypto, *again, key) && verify_sha256(crypto, *again, key));
  FUZZ_CHECK(equal(again->transaction_id(), view.transaction_id()));
  std::vector<std::pair<std::uint16_t, Bytes>> attributes;
  view.for_each([&](std::uint16_t code, Bytes value) { attributes.emplace_back(code, value); });
  std::size_t index = 0;
  again->for_each([&](std::uint16_t code, Bytes value) {
    FUZZ_CHECK(index < attributes.size() && attributes[index].first == code &&
               equal(attributes[index].second, value));
    ++index;
  });
  FUZZ_CHECK(index == attributes.size());
}

void run(Bytes datagram) {
  MessageView view;
  const ParseError error = MessageView::parse(datagram, view);
  SendIndication plain;
  if (parse_plain_send_indication(datagram, plain)) {
    SendIndication send;
    FUZZ_CHECK(error == ParseError::kNone && parse_send_indication(view, send) == SendError::kNone);
    FUZZ_CHECK(plain.peer == send.peer && equal(plain.data, send.data) &&
               plain.data_offset == send.data_offset);
    FUZZ_CHECK(!send.dont_fragment);
  }
  if (error != ParseError::kNone) return;
  FUZZ_CHECK(equal(view.bytes(), datagram));
  check_view(view);
  check_round_trip(view);
}

// A fuzzer cannot guess a CRC or keep the length right: mend both, so that mutations get past them.
void mend(Buffer& datagram) {
  datagram.resize(std::min(datagram.size() & ~std::size_t{3}, kMaxMessageSize));
  if (datagram.size() < kHeaderSize) return;
  datagram[0] &= 0x3F;
  wire::store_be16(datagram.data() + 2, static_cast<std::uint16_t>(datagram.size() - kHeaderSize));
  wire::store_be32(datagram.data() + 4, kMagicCookie);
  if (datagram.size() < kHeaderSize + 8) return;
  std::uint8_t* last = datagram.data() + datagram.size() - 8;
  if (wire::load_be32(last) != 0x80280004) return;
  wire::store_be32(last + 4, crc32(Bytes(datagram).first(datagram.size() - 8)) ^ kFingerprintXor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  run(Bytes(data, size));
  Buffer mended(data, data + size);
  mend(mended);
  mended.shrink_to_fit();
  run(mended);
  return 0;
}
