// SPDX-License-Identifier: BSD-3-Clause
// A client that does not speak plain UDP: what TCP, TLS and DTLS have in common.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "common/base/types.hpp"

namespace turnpike::load {

// Connected, handshake done, and never blocking from then on.
class ClientConnection {
public:
  virtual ~ClientConnection() = default;

  virtual int fd() const = 0;
  // Whole messages one behind the other, and their sizes: how many were taken. Errno says why not more.
  virtual unsigned send(Bytes messages, std::span<const std::size_t> sizes) = 0;
  // Sends what waits, as far as that goes.
  virtual void flush() = 0;
  // Everything that has arrived. False: the server has closed, or what it sent is no TURN.
  virtual bool receive(const std::function<void(Bytes message)>& take) = 0;
  // Datagrams that found the receive buffer full.
  virtual std::uint64_t drops() const = 0;
};

struct FreeTlsContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContextPointer = std::unique_ptr<SSL_CTX, FreeTlsContext>;

}  // namespace turnpike::load
