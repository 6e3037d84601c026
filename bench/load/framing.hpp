// SPDX-License-Identifier: BSD-3-Clause
// What surrounds a payload on the client's side: ChannelData, or Send and Data indications.
#pragma once

#include <optional>
#include <vector>

#include "bench/load/options.hpp"
#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::load {

inline constexpr std::uint16_t kChannel = 0x4000;  // of every client's first peer
inline constexpr std::uint32_t kMaxPeersEach = 0x1000;
constexpr std::uint16_t channel_of(std::uint32_t peer) { return static_cast<std::uint16_t>(kChannel + peer); }

// What a client sends its payload in.
std::vector<std::uint8_t> framed(const Options& options, const wire::Endpoint& peer, Bytes payload,
                                 std::uint16_t channel = kChannel);
// What is before the payload, and behind it too.
std::size_t prefix_size(const Options& options) noexcept;
std::size_t framing_size(const Options& options) noexcept;
// What arrived at a client, with whom it is from: a channel or, in an indication, a peer.
struct FromPeer {
  std::uint16_t channel = 0;
  wire::Endpoint peer;
  Bytes payload;
};
// Nothing when it is not framed as it has to be.
std::optional<FromPeer> parse_from_peer(const Options& options, Bytes message) noexcept;
// The payload of what arrived at a client with one peer; nothing when it is not framed as it has to be.
// Swapped frames come back in the framing in which they left.
std::optional<Bytes> unframe(const Options& options, Bytes message, const wire::Endpoint& peer) noexcept;

}  // namespace turnpike::load
