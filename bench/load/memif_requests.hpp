// SPDX-License-Identifier: BSD-3-Clause
// Requests over raw frames.
#pragma once

#include "bench/load/memif.hpp"
#include "bench/load/request_path.hpp"
#include "bench/load/session.hpp"

namespace turnpike::load {

class MemifRequests final : public RequestPath {
public:
  MemifRequests(MemifPort& port, const Options& options, const std::vector<Session>& sessions)
      : port_(port), options_(options), sessions_(sessions) {}

  Status send(std::uint32_t session, Bytes message) override;
  void receive(const Take& take) override;

private:
  MemifPort& port_;
  const Options& options_;
  const std::vector<Session>& sessions_;
};

}  // namespace turnpike::load
