// SPDX-License-Identifier: BSD-3-Clause
// MESSAGE-INTEGRITY of a Refresh request: control's fetched and reused OpenSSL contexts against OpenSSL's
// one-shot HMAC(), which looks the digest up each time and wants the message in one piece.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "bench/micro/measure.hpp"
#include "bench/micro/messages.hpp"
#include "control/crypto/openssl_crypto.hpp"

namespace turnpike::bench {
namespace {

using stun::IntegrityKind;

stun::MessageView viewed(const test::ByteVector& message) {
  const auto view = stun::MessageView::parse(message);
  if (!view) give_up("integrity: the request is malformed");
  return *view;
}

void integrity(benchmark::State& state, IntegrityKind kind) {
  control::OpensslCrypto crypto;
  const test::ByteVector message = refresh_request(crypto, kind, false);
  const stun::MessageView view = viewed(message);
  bool right = true;
  for (auto _ : state) right &= stun::verify_integrity(crypto, view, bench_key());
  if (!right) return state.SkipWithError("the MAC is wrong");
  count_items(state, 1);
}

bool verify_at_once(const stun::MessageView& view, IntegrityKind kind) {
  const bool sha256 = kind == IntegrityKind::kSha256;
  const std::size_t offset = sha256 ? view.integrity_sha256_offset() : view.integrity_offset();
  const Bytes value = view.value_at(offset);
  std::array<std::uint8_t, 512> text;
  std::copy_n(view.bytes().begin(), offset, text.begin());
  wire::store_be16(text.data() + 2, static_cast<std::uint16_t>(offset - stun::kHeaderSize +
                                                               stun::kAttributeHeaderSize + value.size()));
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac;
  unsigned size = 0;
  HMAC(sha256 ? EVP_sha256() : EVP_sha1(), bench_key().data(), static_cast<int>(bench_key().size()),
       text.data(), offset, mac.data(), &size);
  return size == value.size() && std::equal(value.begin(), value.end(), mac.begin());
}

void integrity_at_once(benchmark::State& state, IntegrityKind kind) {
  control::OpensslCrypto crypto;
  const test::ByteVector message = refresh_request(crypto, kind, false);
  const stun::MessageView view = viewed(message);
  bool right = true;
  for (auto _ : state) right &= verify_at_once(view, kind);
  if (!right) return state.SkipWithError("the MAC is wrong");
  count_items(state, 1);
}

BENCHMARK_CAPTURE(integrity, sha1, IntegrityKind::kSha1)->Name("integrity-sha1/turnpike");
BENCHMARK_CAPTURE(integrity_at_once, sha1, IntegrityKind::kSha1)->Name("integrity-sha1/one-shot-HMAC");
BENCHMARK_CAPTURE(integrity, sha256, IntegrityKind::kSha256)->Name("integrity-sha256/turnpike");
BENCHMARK_CAPTURE(integrity_at_once, sha256, IntegrityKind::kSha256)->Name("integrity-sha256/one-shot-HMAC");

}  // namespace
}  // namespace turnpike::bench
