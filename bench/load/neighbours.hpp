// SPDX-License-Identifier: BSD-3-Clause
// ARP (RFC 826) and neighbour discovery (RFC 4861) of a program that has many addresses and one MAC.
#pragma once

#include <optional>
#include <vector>

#include "bench/load/options.hpp"
#include "common/base/types.hpp"

namespace turnpike::load {

class Neighbours {
public:
  using Frame = std::vector<std::uint8_t>;

  explicit Neighbours(const Options& options) : options_(options) {}

  // To whoever asks for the MAC of a client or peer.
  std::optional<Frame> answer(Bytes frame) const;
  // Asks for the server's, and finds it in an answer.
  Frame question() const;
  std::optional<wire::MacAddress> server_in(Bytes frame) const;

private:
  bool is_own(const wire::IpAddress& address) const noexcept;

  const Options& options_;
};

}  // namespace turnpike::load
