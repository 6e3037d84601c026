// SPDX-License-Identifier: BSD-3-Clause
// Hex to keys and back, and keys from passwords.
#include "control/store/key_text.hpp"

#include <algorithm>
#include <cstring>

namespace turnpike::control {
namespace {

constexpr std::size_t kMaxNameBytes = 508;  // RFC 8489 section 14.3: fewer than 509

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

void append_hex(std::string& text, Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xF];
  }
}

}  // namespace

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> parse_hex(std::string_view digits) {
  if (digits.size() != 2 * N) return std::nullopt;
  std::array<std::uint8_t, N> bytes;
  for (std::size_t i = 0; i < N; ++i) {
    const auto high = hex_digit(digits[2 * i]);
    const auto low = hex_digit(digits[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return bytes;
}
template std::optional<Md5Digest> parse_hex<16>(std::string_view);
template std::optional<Sha256Digest> parse_hex<32>(std::string_view);

std::string key_text(const turn::UserKeys& keys) {
  std::string text;
  append_hex(text, keys.md5);
  if (keys.sha256) {
    text += ':';
    append_hex(text, *keys.sha256);
  }
  return text;
}

std::optional<turn::UserKeys> parse_key_text(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  const auto md5 = parse_hex<16>(text.substr(0, kMd5TextSize));
  if (!md5) return std::nullopt;
  turn::UserKeys keys;
  keys.md5 = *md5;
  if (text.size() == kMd5TextSize) return keys;
  if (text[kMd5TextSize] != ':') return std::nullopt;
  keys.sha256 = parse_hex<32>(text.substr(kMd5TextSize + 1));
  if (!keys.sha256) return std::nullopt;
  return keys;
}

turn::UserKeys make_keys(Crypto& crypto, std::string_view name, std::string_view realm,
                         std::string_view password) {
  std::string text;
  text.reserve(name.size() + realm.size() + password.size() + 2);  // one place to wipe
  text.append(name).append(1, ':').append(realm).append(1, ':').append(password);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  turn::UserKeys keys;
  keys.name = name;
  keys.md5 = crypto.md5(bytes);
  keys.sha256 = crypto.sha256(bytes);
  explicit_bzero(text.data(), text.size());
  return keys;
}

Result<turn::UserKeys> read_keys(Crypto& crypto, std::string_view name, std::string_view realm,
                                 std::string_view secret) {
  if (name.empty()) return Error{"the name is empty"};
  if (name.size() > kMaxNameBytes) return Error{"name longer than 508 bytes"};
  if (has_control_characters(name) || has_control_characters(secret)) {
    return Error{"control characters in name or password"};
  }
  if (secret.empty()) return Error{"empty password"};
  if (!secret.starts_with("0x")) return make_keys(crypto, name, realm, secret);
  const auto key = parse_hex<16>(secret.substr(2));
  if (!key) return Error{"a key is 0x and 32 hex digits, the MD5 of NAME:REALM:PASSWORD"};
  turn::UserKeys keys;
  keys.name = name;
  keys.md5 = *key;
  return keys;
}

}  // namespace turnpike::control
