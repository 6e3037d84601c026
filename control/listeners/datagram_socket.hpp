// SPDX-License-Identifier: BSD-3-Clause
// A UDP socket that many DTLS clients talk to: read and written in batches.
#pragma once

#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/result.hpp"
#include "control/listeners/dtls_road.hpp"
#include "control/runtime/unique_fd.hpp"

namespace turnpike::control {

class DatagramSocket final : public DtlsRoad {
public:
  using Handler = std::function<void(DatagramSocket&, const DtlsPath&, Bytes)>;

  // A bound socket for `local`.
  DatagramSocket(boost::asio::io_context& io, UniqueFd fd, const wire::Endpoint& local, Handler handler);
  ~DatagramSocket() override;

  void send(const DtlsPath& path, Bytes datagram) override;
  // Runs of one destination and one size as one UDP_SEGMENT message, everything in one call.
  void flush() override;

  std::uint64_t dropped() const { return dropped_; }  // the send buffer was full

private:
  struct Batch;

  void wait();
  void receive();
  unsigned fill(unsigned first);
  void send_singly(unsigned message);

  wire::Endpoint local_;
  Handler handler_;
  boost::asio::posix::stream_descriptor socket_;
  std::unique_ptr<Batch> batch_;
  std::vector<std::uint8_t> bytes_;  // of the queued datagrams
  struct Queued {
    wire::Endpoint to;
    std::uint32_t offset;
    std::uint32_t size;
  };
  std::vector<Queued> queued_;
  std::uint64_t dropped_ = 0;
};

}  // namespace turnpike::control
