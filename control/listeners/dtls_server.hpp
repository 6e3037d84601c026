// SPDX-License-Identifier: BSD-3-Clause
// All DTLS clients of one thread: cookies before any state, sessions, time-outs.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "common/base/crypto.hpp"
#include "control/listeners/admission.hpp"
#include "control/listeners/client_counters.hpp"
#include "control/listeners/client_table.hpp"
#include "control/listeners/dtls_client.hpp"
#include "control/tls/tls_context.hpp"

namespace turnpike::control {

class DtlsServer {
public:
  static constexpr seconds kHandshakeTime{10};
  static constexpr seconds kIdleTime{60};  // without allocation

  // What is given by reference must outlive the server; `admission` may be shared with other threads'
  // servers.
  DtlsServer(ClientTable& table, ClientHandler& handler, ClientCounters& counters, Crypto& crypto,
             Admission& admission);
  ~DtlsServer();

  Status set_context(std::shared_ptr<TlsContext> context);
  const TlsContext* context() const { return context_.get(); }

  // A datagram that may be DTLS. What it causes is queued on the road, which the caller flushes.
  void on_datagram(DtlsRoad& road, const DtlsPath& path, Bytes datagram, Time now);
  // About ten times a second while is_handshaking(), and once a second in any case.
  void on_timer(Time now);
  bool is_handshaking() const { return handshaking_ != 0; }
  std::size_t size() const { return sessions_.size(); }

private:
  struct PathHash {
    std::size_t operator()(const turn::FiveTuple& tuple) const noexcept { return turn::hash_value(tuple, 1); }
  };
  using Sessions = std::unordered_map<turn::FiveTuple, std::unique_ptr<DtlsClient>, PathHash>;

  static int make_cookie(SSL* tls, unsigned char* cookie, unsigned int* size);
  static int check_cookie(SSL* tls, const unsigned char* cookie, unsigned int size);
  Sha256Digest cookie_of(const DtlsPath& path) const;

  bool new_listener();
  void greet(DtlsRoad& road, const DtlsPath& path, Bytes datagram, Time now);
  void serve(Sessions::iterator session, Bytes datagram, Time now);
  void remove(Sessions::iterator session, std::uint64_t& counter, Time now);

  ClientTable& table_;
  ClientHandler& handler_;
  ClientCounters& counters_;
  Crypto& crypto_;
  Admission& admission_;
  Sha256Digest secret_{};
  std::shared_ptr<TlsContext> context_;
  TlsPointer listener_;  // answers whoever has no cookie yet; becomes the session of who has one
  DatagramBio listener_bio_;
  Sessions sessions_;
  std::size_t handshaking_ = 0;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace turnpike::control
