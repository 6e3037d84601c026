// SPDX-License-Identifier: BSD-3-Clause
// One client's DTLS association over a UDP socket of its own.
#pragma once

#include "bench/load/sockets/client_connection.hpp"
#include "bench/load/sockets/udp_socket.hpp"

namespace turnpike::load {

class DtlsConnection final : public ClientConnection {
public:
  // The handshake is done when this returns.
  static Result<std::unique_ptr<DtlsConnection>> open(const wire::Endpoint& local,
                                                      const wire::Endpoint& server, SSL_CTX* context,
                                                      std::uint32_t buffers);

  int fd() const override { return socket_.fd(); }
  unsigned send(Bytes messages, std::span<const std::size_t> sizes) override;
  void flush() override {}
  bool receive(const std::function<void(Bytes message)>& take) override;
  std::uint64_t drops() const override { return socket_.drops(); }

private:
  struct Free {
    // Says goodbye: a server that is left alone would say it much later, to whoever has the port then.
    void operator()(SSL* tls) const {
      if (SSL_is_init_finished(tls) != 0) SSL_shutdown(tls);
      SSL_free(tls);
    }
  };
  DtlsConnection(UdpSocket socket, SSL* tls) : socket_(std::move(socket)), tls_(tls) {}
  Status shake_hands();

  UdpSocket socket_;
  std::unique_ptr<SSL, Free> tls_;
};

// A client's context that believes every certificate.
TlsContextPointer make_dtls_context();

}  // namespace turnpike::load
