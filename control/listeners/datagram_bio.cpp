// SPDX-License-Identifier: BSD-3-Clause
// The BIO method: OpenSSL's callbacks, without a socket.
#include "control/listeners/datagram_bio.hpp"

#include <openssl/bio.h>

#include <algorithm>
#include <cstring>

namespace turnpike::control {
namespace {

// UDP payload of handshake messages: what every IPv6 path carries, headers off (RFC 8200 section 5).
constexpr long kHandshakeMtu = 1280 - 48;

DatagramBio& self(BIO* bio) { return *static_cast<DatagramBio*>(BIO_get_data(bio)); }

int write(BIO* bio, const char* bytes, int size) {
  DatagramBio& datagrams = self(bio);
  datagrams.road->send(datagrams.path,
                       {reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size)});
  return size;
}

// A datagram is read once; what does not fit is lost, as with a socket.
int read(BIO* bio, char* into, int size) {
  DatagramBio& datagrams = self(bio);
  BIO_clear_retry_flags(bio);
  if (datagrams.input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t taken = std::min(datagrams.input.size(), static_cast<std::size_t>(size));
  std::memcpy(into, datagrams.input.data(), taken);
  datagrams.input = {};
  return static_cast<int>(taken);
}

long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return kHandshakeMtu;
    default:
      return 0;
  }
}

int create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

struct Method {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
  Method() {
    BIO_meth_set_write(method, write);
    BIO_meth_set_read(method, read);
    BIO_meth_set_ctrl(method, control);
    BIO_meth_set_create(method, create);
  }
  ~Method() { BIO_meth_free(method); }
};

}  // namespace

bool DatagramBio::attach(SSL* tls) {
  static const Method method;
  BIO* bio = SSL_get_rbio(tls);
  if (bio == nullptr) {
    bio = BIO_new(method.method);
    if (bio == nullptr) return false;
    SSL_set_bio(tls, bio, bio);
  }
  BIO_set_data(bio, this);
  SSL_set_mtu(tls, kHandshakeMtu);
  return true;
}

DatagramBio& DatagramBio::of(SSL* tls) { return self(SSL_get_rbio(tls)); }

}  // namespace turnpike::control
