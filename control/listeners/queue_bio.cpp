// SPDX-License-Identifier: BSD-3-Clause
// The BIO method: a write always has room.
#include "control/listeners/queue_bio.hpp"

namespace turnpike::control {
namespace {

using Queue = std::vector<std::uint8_t>;

int append(BIO* bio, const char* bytes, int size) {
  Queue& queue = *static_cast<Queue*>(BIO_get_data(bio));
  queue.insert(queue.end(), bytes, bytes + size);
  return size;
}

long control_queue(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

struct QueueMethod {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "queue");
  QueueMethod() {
    BIO_meth_set_write(method, append);
    BIO_meth_set_ctrl(method, control_queue);
  }
  ~QueueMethod() { BIO_meth_free(method); }
};

}  // namespace

BIO* make_queue_bio(std::vector<std::uint8_t>& queue) {
  static const QueueMethod method;
  BIO* bio = BIO_new(method.method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &queue);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace turnpike::control
