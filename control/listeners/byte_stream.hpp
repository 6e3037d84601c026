// SPDX-License-Identifier: BSD-3-Clause
// The bytes of one non-blocking connection, plain or inside TLS.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <vector>

#include "common/base/types.hpp"

namespace turnpike::control {

// What is to be written is queued, encrypted at once, and leaves with flush(): any number of TLS records in
// one call of the kernel, and nothing that OpenSSL would have to be asked for again with the same bytes.
class ByteStream {
public:
  enum class Status : std::uint8_t { kDone, kWantRead, kWantWrite, kClosed, kFailed };
  struct Outcome {
    Status status;
    std::size_t size = 0;  // bytes read, with kDone
  };

  // The descriptor stays its owner's.
  explicit ByteStream(int fd) : fd_(fd) {}
  ByteStream(const ByteStream&) = delete;  // TLS writes into this object
  ByteStream& operator=(const ByteStream&) = delete;

  // From here on everything is TLS, as a server of this context. False: out of memory.
  bool start_tls(SSL_CTX* context);
  Status handshake();  // kDone: finished; kWantRead, with an answer queued perhaps

  Outcome read(MutableBytes into);
  // Queues a message, as a TLS record of its own. False: TLS has failed.
  bool write(Bytes message);
  // Queues the goodbye of TLS, where there is one.
  void finish();

  std::size_t queued() const { return out_.size() - out_at_; }
  // Sends what is queued: kDone (all of it), kWantWrite or kClosed.
  Status flush();
  // Gives back the memory of an empty queue.
  void shrink();

private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  Status after_tls(int result);

  int fd_;
  std::unique_ptr<SSL, Free> tls_;
  std::vector<std::uint8_t> out_;  // from out_at_ on: not yet sent
  std::size_t out_at_ = 0;
};

}  // namespace turnpike::control
