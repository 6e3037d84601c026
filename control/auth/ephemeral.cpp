// SPDX-License-Identifier: BSD-3-Clause
// Names and passwords of ephemeral credentials.
#include "control/auth/ephemeral.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

namespace turnpike::control {
namespace {

// Digits alone, within 64 bits: no sign, no blank.
std::optional<std::int64_t> parse_time(std::string_view text) {
  const bool digits =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  std::int64_t time = 0;
  if (!digits || std::from_chars(text.data(), text.data() + text.size(), time).ec != std::errc{}) {
    return std::nullopt;
  }
  return time;
}

}  // namespace

std::optional<EphemeralName> parse_ephemeral(std::string_view name, char separator) {
  const std::size_t at = name.find(separator);
  const std::string_view first = name.substr(0, at);
  const std::string_view second = at == name.npos ? std::string_view() : name.substr(at + 1);
  if (const auto time = parse_time(first)) return EphemeralName{*time, second};
  if (at == name.npos || first.empty()) return std::nullopt;
  const auto time = parse_time(second);
  return time ? std::optional(EphemeralName{*time, first}) : std::nullopt;
}

std::string ephemeral_password(Crypto& crypto, std::string_view secret, std::string_view name) {
  Sha1Digest mac = crypto.hmac_sha1(as_bytes(secret), as_bytes(name), {});
  std::array<unsigned char, 32> text;  // 28 characters and the zero that OpenSSL puts behind them
  const int size = EVP_EncodeBlock(text.data(), mac.data(), static_cast<int>(mac.size()));
  std::string password(reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size));
  OPENSSL_cleanse(mac.data(), mac.size());
  OPENSSL_cleanse(text.data(), text.size());
  return password;
}

}  // namespace turnpike::control
