// SPDX-License-Identifier: BSD-3-Clause
// Whom the messages of a flood on a port say that they are from.
#pragma once

#include <cstdint>

#include "bench/load/options.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::load {

// Options::sources addresses from the first client's on, with any port from 1024 on; without such a number
// the clients of the sessions.
class FloodSources {
public:
  explicit FloodSources(const Options& options) : options_(options), random_(options.sockets.seed * 2 + 1) {}

  // Any of them.
  wire::Endpoint next() noexcept;
  // How many there are for messages whose nonce is bound to its source, and which those are.
  std::uint32_t fixed_count() const noexcept;
  wire::Endpoint fixed(std::uint32_t index) const noexcept;

private:
  std::uint32_t below(std::uint32_t limit) noexcept;

  const Options& options_;
  std::uint64_t random_;
};

bool is_flood_source(const Options& options, const wire::IpAddress& address) noexcept;

}  // namespace turnpike::load
