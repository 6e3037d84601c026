// SPDX-License-Identifier: BSD-3-Clause
// What surrounds a payload on the client's side: ChannelData, or Send and Data indications.
#pragma once

#include <optional>
#include <vector>

#include "bench/load/options.hpp"
#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::load {

inline constexpr std::uint16_t kChannel = 0x4000;  // of every session

// What a client sends its payload in.
std::vector<std::uint8_t> framed(const Options& options, const wire::Endpoint& peer, Bytes payload);
// What is before the payload, and behind it too.
std::size_t prefix_size(const Options& options) noexcept;
std::size_t framing_size(const Options& options) noexcept;
// The payload of what arrived at a client; nothing when it is not framed as it has to be. Swapped frames come
// back in the framing in which they left.
std::optional<Bytes> unframe(const Options& options, Bytes message, const wire::Endpoint& peer) noexcept;

}  // namespace turnpike::load
