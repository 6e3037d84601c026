// SPDX-License-Identifier: BSD-3-Clause
// Requests over raw frames.
#pragma once

#include "bench/load/neighbours.hpp"
#include "bench/load/port.hpp"
#include "bench/load/request_path.hpp"
#include "bench/load/session.hpp"

namespace turnpike::load {

class PortRequests final : public RequestPath {
public:
  PortRequests(Port& port, const Options& options, const std::vector<Session>& sessions)
      : port_(port), options_(options), sessions_(sessions), neighbours_(options) {}

  Status send(std::uint32_t session, Bytes message) override;
  void receive(const Take& take) override;
  // Whether the frame is a response, which is taken then, or a neighbour's question, which is answered.
  bool take_frame(Bytes frame, const Take& take);

private:
  bool take_response(Bytes frame, const Take& take) const;
  bool answer_neighbour(Bytes frame);

  Port& port_;
  const Options& options_;
  const std::vector<Session>& sessions_;
  Neighbours neighbours_;
};

}  // namespace turnpike::load
