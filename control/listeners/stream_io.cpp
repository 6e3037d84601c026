// SPDX-License-Identifier: BSD-3-Clause
// recv within one's turn, and the BIO method.
#include "control/listeners/stream_io.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace turnpike::control {
namespace {

StreamIo& io_of(BIO* bio) { return *static_cast<StreamIo*>(BIO_get_data(bio)); }

int write_stream(BIO* bio, const char* bytes, int size) {
  std::vector<std::uint8_t>& out = io_of(bio).out;
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes);
  out.insert(out.end(), first, first + size);
  return size;
}

int read_stream(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t taken = io_of(bio).receive(into, static_cast<std::size_t>(size));
  if (taken < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(taken);
}

long control_stream(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

struct StreamMethod {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
  StreamMethod() {
    BIO_meth_set_write(method, write_stream);
    BIO_meth_set_read(method, read_stream);
    BIO_meth_set_ctrl(method, control_stream);
  }
  ~StreamMethod() { BIO_meth_free(method); }
};

}  // namespace

ssize_t StreamIo::receive(void* into, std::size_t size) {
  if (reads_left == 0) {
    errno = EAGAIN;
    return -1;
  }
  const ssize_t taken = recv(fd, into, size, MSG_DONTWAIT);
  const bool filled = taken > 0 && static_cast<std::size_t>(taken) == size;
  reads_left = filled ? reads_left - 1 : 0;
  return taken;
}

BIO* StreamIo::make_bio() {
  static const StreamMethod method;
  BIO* bio = BIO_new(method.method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace turnpike::control
