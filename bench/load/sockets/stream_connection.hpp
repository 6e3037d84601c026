// SPDX-License-Identifier: BSD-3-Clause
// One client's TCP connection, plain or with TLS.
#pragma once

#include "bench/load/sockets/client_connection.hpp"
#include "common/base/result.hpp"
#include "common/stun/stream_framer.hpp"
#include "common/wire/endpoint.hpp"
#include "control/listeners/byte_stream.hpp"

namespace turnpike::load {

class StreamConnection final : public ClientConnection {
public:
  // Connected, and with a context its handshake done, when this returns; then it never blocks. The kernel
  // keeps `receive_buffer` bytes for it; 0: as many as it likes.
  static Result<std::unique_ptr<StreamConnection>> open(const wire::Endpoint& local,
                                                        const wire::Endpoint& server, SSL_CTX* tls,
                                                        int receive_buffer);
  ~StreamConnection() override;
  StreamConnection(const StreamConnection&) = delete;
  StreamConnection& operator=(const StreamConnection&) = delete;

  int fd() const override { return fd_; }
  // All (padded ones, in one write) or none: earlier ones still wait for room.
  unsigned send(Bytes messages, std::span<const std::size_t> sizes) override;
  void flush() override { static_cast<void>(stream_.flush()); }
  bool receive(const std::function<void(Bytes message)>& take) override;
  std::uint64_t drops() const override { return 0; }

private:
  explicit StreamConnection(int fd) : fd_(fd), stream_(fd) {}
  Status shake_hands(SSL_CTX* tls);

  int fd_;
  control::ByteStream stream_;
  stun::StreamFramer framer_;
};

// A client's context that believes every certificate: a load generator measures, it keeps no secrets.
TlsContextPointer make_tls_context();

}  // namespace turnpike::load
