// SPDX-License-Identifier: BSD-3-Clause
// The bytes of one non-blocking connection, plain or inside TLS.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <utility>

#include "common/base/types.hpp"
#include "control/listeners/stream_io.hpp"

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
  explicit ByteStream(int fd) { io_.fd = fd; }
  ByteStream(const ByteStream&) = delete;  // TLS writes into this object
  ByteStream& operator=(const ByteStream&) = delete;

  enum class TlsRole : std::uint8_t { kServer, kClient };
  // From here on everything is TLS. False: out of memory.
  bool start_tls(SSL_CTX* context, TlsRole role = TlsRole::kServer);

  // The connection is readable: from now on as many calls of the kernel may read it, until it is empty.
  // Without it every read says kWantRead.
  void allow_reads(unsigned calls) { io_.reads_left = calls; }
  Status handshake();  // kDone: finished; kWantRead, with an answer queued perhaps

  Outcome read(MutableBytes into);
  // Whether TLS itself had to say something while it read: an alert, a change of keys. Told once.
  bool has_answered() { return std::exchange(answered_, false); }
  // Queues a message, as a TLS record of its own. False: TLS has failed.
  bool write(Bytes message);
  // Queues the goodbye of TLS, where there is one.
  void finish();

  std::size_t queued() const { return io_.out.size() - io_.out_at; }
  // Sends what is queued: kDone (all of it), kWantWrite or kClosed.
  Status flush();
  // Gives back the memory of an empty queue.
  void shrink();

private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  Status after_tls(int result);

  StreamIo io_;
  std::unique_ptr<SSL, Free> tls_;
  bool answered_ = false;
};

}  // namespace turnpike::control
