// SPDX-License-Identifier: BSD-3-Clause
// IP addresses and transport addresses with roles: a client's endpoint cannot be passed where a peer's is
// meant.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace turnpike::wire {

// The values are those of the STUN address attributes (RFC 8489 section 14.1).
enum class Family : std::uint8_t { kNone = 0, kIpv4 = 1, kIpv6 = 2 };

// Network byte order. An IPv4 address fills the first four bytes and the rest is zero, so that equality and
// hashes can work on the whole value. An IPv4-mapped IPv6 address stays IPv6 here: policy decodes it, nothing
// else does.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  Family family = Family::kNone;

  static constexpr IpAddress v4(std::uint32_t host_order) noexcept {
    IpAddress address;
    address.family = Family::kIpv4;
    for (int i = 0; i < 4; ++i) address.bytes[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return address;
  }
  static IpAddress v4_bytes(const std::uint8_t* four) noexcept {
    IpAddress address;
    address.family = Family::kIpv4;
    std::memcpy(address.bytes.data(), four, 4);
    return address;
  }
  static IpAddress v6_bytes(const std::uint8_t* sixteen) noexcept {
    IpAddress address;
    address.family = Family::kIpv6;
    std::memcpy(address.bytes.data(), sixteen, 16);
    return address;
  }

  constexpr bool is_v4() const noexcept { return family == Family::kIpv4; }
  constexpr bool is_v6() const noexcept { return family == Family::kIpv6; }
  constexpr std::size_t size() const noexcept { return is_v4() ? 4 : 16; }

  // In words: the array's own comparison would call memcmp.
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) noexcept {
    const auto left = std::bit_cast<std::array<std::uint64_t, 2>>(a.bytes);
    const auto right = std::bit_cast<std::array<std::uint64_t, 2>>(b.bytes);
    return ((left[0] ^ right[0]) | (left[1] ^ right[1])) == 0 && a.family == b.family;
  }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;
};

// A transport address. Lives in shared memory as it is, hence the fixed layout.
struct Endpoint {
  IpAddress address;
  std::uint8_t reserved = 0;
  std::uint16_t port = 0;  // host byte order

  friend constexpr bool operator==(const Endpoint&, const Endpoint&) noexcept = default;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) noexcept = default;
};
static_assert(sizeof(Endpoint) == 20 && alignof(Endpoint) == 2 && std::is_standard_layout_v<Endpoint>);

// RoleEndpoint<X> converts to Endpoint, never from it or from another role without saying so.
template <typename Role>
struct RoleEndpoint : Endpoint {
  constexpr RoleEndpoint() = default;
  constexpr explicit RoleEndpoint(const Endpoint& endpoint) noexcept : Endpoint(endpoint) {}
  friend constexpr bool operator==(const RoleEndpoint&, const RoleEndpoint&) noexcept = default;
};
using ClientEndpoint = RoleEndpoint<struct ClientRole>;  // the TURN client as we see it
using ServerEndpoint = RoleEndpoint<struct ServerRole>;  // the listening address that it talks to
using RelayEndpoint = RoleEndpoint<struct RelayRole>;    // a relayed transport address of ours
using PeerEndpoint = RoleEndpoint<struct PeerRole>;      // who talks to the relayed address
static_assert(sizeof(ClientEndpoint) == sizeof(Endpoint));

// "192.0.2.1", "2001:db8::1"; nothing on anything else (no names, no brackets, no zone).
std::optional<IpAddress> parse_address(std::string_view text);
// "192.0.2.1:3478", "[2001:db8::1]:3478".
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const IpAddress& address);
std::string to_string(const Endpoint& endpoint);

// splitmix64 finaliser over the words of a value; for tables in the control process (not seeded, not for
// lcores).
inline std::uint64_t mix(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}
inline std::uint64_t hash_value(const Endpoint& endpoint, std::uint64_t seed) noexcept {
  std::uint64_t words[3] = {};
  std::memcpy(words, &endpoint, sizeof endpoint);
  return mix(mix(mix(seed ^ words[0]) + words[1]) + words[2]);
}

}  // namespace turnpike::wire

template <>
struct std::hash<turnpike::wire::Endpoint> {
  std::size_t operator()(const turnpike::wire::Endpoint& endpoint) const noexcept {
    return turnpike::wire::hash_value(endpoint, 0);
  }
};
template <>
struct std::hash<turnpike::wire::IpAddress> {
  std::size_t operator()(const turnpike::wire::IpAddress& address) const noexcept {
    return turnpike::wire::hash_value({address, 0, 0}, 0);
  }
};
