// SPDX-License-Identifier: BSD-3-Clause
// Addresses counted up, ports at random.
#include "bench/load/flood_sources.hpp"

#include <algorithm>

#include "bench/load/session.hpp"

namespace turnpike::load {
namespace {

constexpr std::uint32_t kFirstPort = 1024;
constexpr std::uint32_t kPorts = 65'536 - kFirstPort;

}  // namespace

wire::Endpoint FloodSources::next() noexcept {
  if (options_.sources == 0) return client_endpoint(options_, below(options_.sessions), 0);
  return {plus(options_.client_ip, below(options_.sources)), 0,
          static_cast<std::uint16_t>(kFirstPort + below(kPorts))};
}

std::uint32_t FloodSources::fixed_count() const noexcept { return std::max(options_.sources, 1U); }

wire::Endpoint FloodSources::fixed(std::uint32_t index) const noexcept {
  return {plus(options_.client_ip, index), 0, options_.first_port};
}

// The high half of a linear congruential generator.
std::uint32_t FloodSources::below(std::uint32_t limit) noexcept {
  random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<std::uint32_t>((random_ >> 32) * limit >> 32);
}

bool is_flood_source(const Options& options, const wire::IpAddress& address) noexcept {
  return is_within(options.client_ip, options.sources, address);
}

}  // namespace turnpike::load
