// SPDX-License-Identifier: BSD-3-Clause
// How DTLS datagrams come and go: by a kernel socket of control, or through a worker that has the socket.
#pragma once

#include "common/base/types.hpp"
#include "common/shm/commands.hpp"

namespace turnpike::control {

struct DtlsPath {
  wire::Endpoint client;
  wire::Endpoint server;
  WorkerIndex worker = 0;  // the next two: of datagrams that came through a worker
  shm::LinkPath link;
};

class DtlsRoad {
public:
  virtual ~DtlsRoad() = default;
  // Queues a datagram, or drops it when too many wait: DTLS expects that of a network.
  virtual void send(const DtlsPath& path, Bytes datagram) = 0;
  virtual void flush() = 0;
};

}  // namespace turnpike::control
