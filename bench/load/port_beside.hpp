// SPDX-License-Identifier: BSD-3-Clause
// While media flows on a port: refreshes of what it needs, and answers to neighbours.
#pragma once

#include "bench/load/beside.hpp"
#include "bench/load/port_requests.hpp"
#include "bench/load/signalling.hpp"

namespace turnpike::load {

class PortBeside final : public Beside {
public:
  PortBeside(const Options& options, PortRequests& requests, Signalling& signalling)
      : options_(options), requests_(requests), signalling_(signalling) {}

  bool expects() const override { return signalling_.waiting(); }
  bool take(Bytes frame) override {
    return requests_.take_frame(
        frame, [this](std::uint32_t client, Bytes message) { signalling_.deliver(client, message); });
  }
  void tick() override {
    if (!options_.swap) signalling_.keep_alive();
  }

private:
  const Options& options_;
  PortRequests& requests_;
  Signalling& signalling_;
};

}  // namespace turnpike::load
