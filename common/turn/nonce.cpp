// SPDX-License-Identifier: BSD-3-Clause
// Issue and check of the stateless nonces.
#include "common/turn/nonce.hpp"

#include <cstring>

#include "common/base/constant_time.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::turn {

namespace {

constexpr std::string_view kCookie = "obMatJos2";
constexpr std::size_t kFeatureSize = 4;
constexpr std::size_t kBodySize = 16;  // seconds and MAC
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static_assert(kCookie.size() + kFeatureSize + (kBodySize * 8 + 5) / 6 == NonceKeys::kNonceSize);

constexpr std::uint8_t kPasswordAlgorithmsBit = 0x80;
constexpr std::uint8_t kUsernameAnonymityBit = 0x40;

std::uint8_t encode(NonceFeatures features) {
  return static_cast<std::uint8_t>((features.password_algorithms ? kPasswordAlgorithmsBit : 0) |
                                   (features.username_anonymity ? kUsernameAnonymityBit : 0));
}

// Six bits a character, most significant first. 16 bytes make 21 1/3 characters: the last one carries two
// bits.
void encode_base64(const std::array<std::uint8_t, kBodySize>& body, char* out) {
  for (std::size_t bit = 0; bit < 8 * kBodySize; bit += 6) {
    const std::size_t byte = bit / 8;
    const unsigned window = body[byte] << 8 | (byte + 1 < kBodySize ? body[byte + 1] : 0);
    *out++ = kBase64Url[window >> (10 - bit % 8) & 0x3F];
  }
}

constexpr std::uint8_t kNoDigit = 0xFF;
constexpr auto kDigits = [] {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (std::size_t i = 0; i < kBase64Url.size(); ++i) {
    digits[static_cast<std::uint8_t>(kBase64Url[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}();

bool decode_base64(std::string_view text, std::array<std::uint8_t, kBodySize>& body) {
  std::uint32_t bits = 0;
  unsigned held = 0;  // of `bits`, not yet written
  std::size_t at = 0;
  for (const char c : text) {
    const std::uint8_t digit = kDigits[static_cast<std::uint8_t>(c)];
    if (digit == kNoDigit) return false;
    bits = bits << 6 | digit;
    held += 6;
    if (held < 8 || at == kBodySize) continue;
    held -= 8;
    body[at++] = static_cast<std::uint8_t>(bits >> held);
  }
  return (bits & ((1U << held) - 1)) == 0;  // the unused bits of the last character: one spelling only
}

std::uint32_t whole_seconds(Time time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<seconds>(time).count());
}

}  // namespace

NonceKeys::NonceKeys(Crypto& crypto) : crypto_(crypto) {
  crypto_.random(current_);
  crypto_.random(previous_);
}

void NonceKeys::rotate(Time now) {
  if (!rotated_at_) rotated_at_ = now;
  if (now - *rotated_at_ < kRotation) return;
  previous_ = current_;
  crypto_.random(current_);
  rotated_at_ = now;
}

NonceKeys::Mac NonceKeys::mac(const Key& key, std::uint32_t seconds, std::uint8_t features,
                              const FiveTuple& client) {
  std::array<std::uint8_t, 25> text{};
  wire::store_be32(text.data(), seconds);
  text[4] = features;
  text[5] = static_cast<std::uint8_t>(client.transport);
  text[6] = static_cast<std::uint8_t>(client.client.address.family);
  wire::store_be16(text.data() + 7, client.client.port);
  std::memcpy(text.data() + 9, client.client.address.bytes.data(), 16);
  const Sha256Digest digest = crypto_.hmac_sha256(key, text, {});
  Mac mac;
  std::memcpy(mac.data(), digest.data(), mac.size());
  return mac;
}

std::array<char, NonceKeys::kNonceSize> NonceKeys::issue(const FiveTuple& client, NonceFeatures features,
                                                         Time now) {
  rotate(now);
  const std::uint8_t bits = encode(features);
  std::array<char, kNonceSize> nonce;
  std::memcpy(nonce.data(), kCookie.data(), kCookie.size());
  char* feature_text = nonce.data() + kCookie.size();
  feature_text[0] = "AQgw"[bits >> 6];  // standard base64 of (bits, 0, 0): only the top two bits are in use
  std::memcpy(feature_text + 1, "AAA", 3);

  std::array<std::uint8_t, kBodySize> body;
  wire::store_be32(body.data(), whole_seconds(now));
  const Mac code = mac(current_, whole_seconds(now), bits, client);
  std::memcpy(body.data() + 4, code.data(), code.size());
  encode_base64(body, feature_text + kFeatureSize);
  return nonce;
}

std::optional<NonceKeys::Genuine> NonceKeys::check(const FiveTuple& client, std::string_view nonce,
                                                   Time now) {
  rotate(now);
  if (nonce.size() != kNonceSize || nonce.substr(0, kCookie.size()) != kCookie) return std::nullopt;
  const std::string_view feature_text = nonce.substr(kCookie.size(), kFeatureSize);
  const auto top = std::string_view("AQgw").find(feature_text[0]);
  if (top == std::string_view::npos || feature_text.substr(1) != "AAA") return std::nullopt;
  const auto bits = static_cast<std::uint8_t>(top << 6);

  std::array<std::uint8_t, kBodySize> body;
  if (!decode_base64(nonce.substr(kCookie.size() + kFeatureSize), body)) return std::nullopt;
  const std::uint32_t issued = wire::load_be32(body.data());
  const Bytes received = Bytes(body).subspan(4);
  if (!constant_time_equal(mac(current_, issued, bits, client), received) &&
      !constant_time_equal(mac(previous_, issued, bits, client), received)) {
    return std::nullopt;
  }
  Genuine genuine;
  const std::uint32_t current = whole_seconds(now);
  genuine.age = seconds(current > issued ? current - issued : 0);
  genuine.features = {(bits & kPasswordAlgorithmsBit) != 0, (bits & kUsernameAnonymityBit) != 0};
  return genuine;
}

}  // namespace turnpike::turn
