// SPDX-License-Identifier: BSD-3-Clause
// Messages of tests/vectors/NAME.hex as bytes, and the credentials that they were made with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::test {

// Hex digits with any white space between them; the rest of a line after '#' is a comment.
std::vector<std::uint8_t> from_hex(std::string_view text);

// The file tests/vectors/NAME.hex. Ends the test program with one line when it is missing or no hex.
std::vector<std::uint8_t> load_vector(const std::string& name);

// Vectors o-NN: user, realm and password of all of them, and the keys that follow from these.
inline constexpr std::string_view kVectorUser = "alice";
inline constexpr std::string_view kVectorRealm = "example.org";
inline constexpr std::string_view kVectorPassword = "wonderland";
inline constexpr std::string_view kVectorMd5Key = "72f86f2053703faa0f521ce71cfe6f59";
inline constexpr std::string_view kVectorSha256Key =
    "f0c3ae808cef897043f79de49549776f1f58cb7c5364e03ab40abac620459848";
inline constexpr std::string_view kVectorUserhash =
    "435b7933096a304d3c734cfb833ec9075bd47ab1c0160321aed31c06a8c7009e";

}  // namespace turnpike::test
