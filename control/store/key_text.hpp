// SPDX-License-Identifier: BSD-3-Clause
// A user's keys as the text that databases hold: 32 hex digits of the MD5 key, as coturn writes them, and
// behind a colon 64 of the SHA-256 key where that is known. coturn reads the first 32 digits only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/turn/users.hpp"

namespace turnpike::control {

inline constexpr std::size_t kMd5TextSize = 32;
inline constexpr std::size_t kFullKeyTextSize = 32 + 1 + 64;

// Digits of exactly N bytes.
template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> parse_hex(std::string_view digits);
extern template std::optional<Md5Digest> parse_hex<16>(std::string_view);
extern template std::optional<Sha256Digest> parse_hex<32>(std::string_view);

std::string key_text(const turn::UserKeys& keys);
// Without the name. Blanks behind it are a fixed-width column's. Nothing: neither form.
std::optional<turn::UserKeys> parse_key_text(std::string_view text);

// The long-term keys of a password (RFC 8489 sections 9.2.2 and 18.5.1).
turn::UserKeys make_keys(Crypto& crypto, std::string_view name, std::string_view realm,
                         std::string_view password);

// The same of what an operator wrote: a password, or 0x and the 32 hex digits of the MD5 key. The error says
// what is wrong with name or secret, and shows no secret.
Result<turn::UserKeys> read_keys(Crypto& crypto, std::string_view name, std::string_view realm,
                                 std::string_view secret);

}  // namespace turnpike::control
