// SPDX-License-Identifier: BSD-3-Clause
// Requests over raw frames.
#pragma once

#include "bench/load/port.hpp"
#include "bench/load/request_path.hpp"
#include "bench/load/session.hpp"

namespace turnpike::load {

class PortRequests final : public RequestPath {
public:
  PortRequests(Port& port, const Options& options, const std::vector<Session>& sessions)
      : port_(port), options_(options), sessions_(sessions) {}

  Status send(std::uint32_t session, Bytes message) override;
  void receive(const Take& take) override;

private:
  Port& port_;
  const Options& options_;
  const std::vector<Session>& sessions_;
};

}  // namespace turnpike::load
