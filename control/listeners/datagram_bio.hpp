// SPDX-License-Identifier: BSD-3-Clause
// What OpenSSL reads and writes for one DTLS client: one datagram in, datagrams out to its road.
#pragma once

#include <openssl/ssl.h>

#include "control/listeners/dtls_road.hpp"

namespace turnpike::control {

struct DatagramBio {
  DtlsRoad* road = nullptr;
  DtlsPath path;
  Bytes input;  // the datagram at hand; empty once it was read

  // Makes `tls` read and write here. The object must stay where it is until another one is attached. False:
  // out of memory.
  bool attach(SSL* tls);
  static DatagramBio& of(SSL* tls);
};

}  // namespace turnpike::control
