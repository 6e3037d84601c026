// SPDX-License-Identifier: BSD-3-Clause
// Making and reading of the stateless nonces.
#include "common/stun/nonce.hpp"

#include "common/wire/endian.hpp"

namespace turnpike::stun {

namespace {

constexpr std::string_view kCookie = "obMatJos2";
constexpr std::size_t kFeatureSize = 4;
constexpr std::size_t kBodySize =
    12;  // seconds and MAC: whole groups of three, so that no character has bits to spare
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static_assert(kCookie.size() + kFeatureSize + kBodySize / 3 * 4 == kNonceSize && kBodySize % 3 == 0);

using Body = std::array<std::uint8_t, kBodySize>;

constexpr std::uint8_t kPasswordAlgorithmsBit = 0x80;
constexpr std::uint8_t kUsernameAnonymityBit = 0x40;

std::uint8_t encode(NonceFeatures features) noexcept {
  return static_cast<std::uint8_t>((features.password_algorithms ? kPasswordAlgorithmsBit : 0) |
                                   (features.username_anonymity ? kUsernameAnonymityBit : 0));
}

void encode_base64(const Body& body, char* out) noexcept {
  for (std::size_t i = 0; i < body.size(); i += 3) {
    const unsigned group = body[i] << 16 | body[i + 1] << 8 | body[i + 2];
    for (int shift = 18; shift >= 0; shift -= 6) *out++ = kBase64Url[group >> shift & 0x3F];
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

bool decode_base64(std::string_view text, Body& body) noexcept {
  std::uint8_t wrong = 0;
  for (std::size_t i = 0; i < body.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::uint8_t digit = kDigits[static_cast<std::uint8_t>(text[i / 3 * 4 + j])];
      wrong |= digit;  // only kNoDigit has the upper bits
      group = group << 6 | (digit & 0x3F);
    }
    for (std::size_t j = 0; j < 3; ++j) body[i + j] = static_cast<std::uint8_t>(group >> (16 - 8 * j));
  }
  return wrong < 64;
}

std::uint64_t mac(const SipKey& key, const NonceClient& client, std::uint8_t features,
                  std::uint32_t seconds) noexcept {
  std::array<std::uint8_t, 25> text;
  wire::store_be32(text.data(), seconds);
  text[4] = features;
  text[5] = client.transport;
  text[6] = static_cast<std::uint8_t>(client.endpoint.address.family);
  wire::store_be16(text.data() + 7, client.endpoint.port);
  std::memcpy(text.data() + 9, client.endpoint.address.bytes.data(), 16);
  return siphash(key, text);
}

}  // namespace

Nonce make_nonce(const SipKey& key, const NonceClient& client, NonceFeatures features,
                 std::uint32_t seconds) noexcept {
  const std::uint8_t bits = encode(features);
  Nonce nonce;
  std::memcpy(nonce.data(), kCookie.data(), kCookie.size());
  char* const feature_text = nonce.data() + kCookie.size();
  feature_text[0] = "AQgw"[bits >> 6];  // standard base64 of (bits, 0, 0): only the top two bits are in use
  std::memcpy(feature_text + 1, "AAA", 3);
  Body body;
  wire::store_be32(body.data(), seconds);
  const std::uint64_t code = mac(key, client, bits, seconds);
  std::memcpy(body.data() + 4, &code, sizeof code);
  encode_base64(body, feature_text + kFeatureSize);
  return nonce;
}

std::optional<GenuineNonce> read_nonce(std::span<const SipKey> keys, const NonceClient& client,
                                       std::string_view nonce) noexcept {
  if (nonce.size() != kNonceSize || nonce.substr(0, kCookie.size()) != kCookie) return std::nullopt;
  const std::string_view feature_text = nonce.substr(kCookie.size(), kFeatureSize);
  const auto top = std::string_view("AQgw").find(feature_text[0]);
  if (top == std::string_view::npos || feature_text.substr(1) != "AAA") return std::nullopt;
  const auto bits = static_cast<std::uint8_t>(top << 6);

  Body body;
  if (!decode_base64(nonce.substr(kCookie.size() + kFeatureSize), body)) return std::nullopt;
  const std::uint32_t seconds = wire::load_be32(body.data());
  std::uint64_t code;
  std::memcpy(&code, body.data() + 4, sizeof code);
  for (const SipKey& key : keys) {
    if (mac(key, client, bits, seconds) != code) continue;  // as words: in constant time
    return GenuineNonce{seconds, {(bits & kPasswordAlgorithmsBit) != 0, (bits & kUsernameAnonymityBit) != 0}};
  }
  return std::nullopt;
}

}  // namespace turnpike::stun
