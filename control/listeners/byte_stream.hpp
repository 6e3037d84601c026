// SPDX-License-Identifier: BSD-3-Clause
// The bytes of one non-blocking connection, plain or inside TLS.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "common/base/types.hpp"

namespace turnpike::control {

class ByteStream {
public:
  enum class Status : std::uint8_t { kDone, kWantRead, kWantWrite, kClosed, kFailed };
  struct Outcome {
    Status status;
    std::size_t size = 0;  // bytes read or written, with kDone
  };

  // The descriptor stays its owner's.
  explicit ByteStream(int fd) : fd_(fd) {}

  // From here on everything is TLS, as a server of this context. False: out of memory.
  bool start_tls(SSL_CTX* context);
  bool is_tls() const { return tls_ != nullptr; }
  Outcome handshake();  // kDone: finished

  Outcome read(MutableBytes into);
  Outcome write(Bytes bytes);
  // Says goodbye, as far as that goes without waiting.
  void finish();

private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  Outcome after_tls(int result);

  int fd_;
  std::unique_ptr<SSL, Free> tls_;
};

}  // namespace turnpike::control
