// SPDX-License-Identifier: BSD-3-Clause
// One client's TCP connection, plain or with TLS.
#pragma once

#include <functional>
#include <memory>

#include "common/base/result.hpp"
#include "common/stun/stream_framer.hpp"
#include "common/wire/endpoint.hpp"
#include "control/listeners/byte_stream.hpp"

namespace turnpike::load {

class StreamConnection {
public:
  // Connected, and with a context its handshake done, when this returns; then it never blocks. The kernel
  // keeps `receive_buffer` bytes for it; 0: as many as it likes.
  static Result<std::unique_ptr<StreamConnection>> open(const wire::Endpoint& local,
                                                        const wire::Endpoint& server, SSL_CTX* tls,
                                                        int receive_buffer);
  ~StreamConnection();
  StreamConnection(const StreamConnection&) = delete;
  StreamConnection& operator=(const StreamConnection&) = delete;

  int fd() const { return fd_; }
  // Takes whole messages, padded, for one write. False, and nothing taken: earlier ones still wait for room.
  bool send(Bytes messages);
  // Sends what waits, as far as that goes.
  void flush() { static_cast<void>(stream_.flush()); }
  // Everything that has arrived. False: the server has closed, or what it sent is no TURN.
  bool receive(const std::function<void(Bytes message)>& take);

private:
  explicit StreamConnection(int fd) : fd_(fd), stream_(fd) {}
  Status shake_hands(SSL_CTX* tls);

  int fd_;
  control::ByteStream stream_;
  stun::StreamFramer framer_;
};

struct FreeTlsContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContextPointer = std::unique_ptr<SSL_CTX, FreeTlsContext>;

// A client's context that believes every certificate: a load generator measures, it keeps no secrets.
TlsContextPointer make_tls_context();

}  // namespace turnpike::load
