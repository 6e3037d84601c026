// SPDX-License-Identifier: BSD-3-Clause
// One DTLS session of a client whose address is proved.
#pragma once

#include <memory>

#include "common/base/time.hpp"
#include "control/listeners/client.hpp"
#include "control/listeners/datagram_bio.hpp"

namespace turnpike::control {

struct FreeTls {
  void operator()(SSL* tls) const { SSL_free(tls); }
};
using TlsPointer = std::unique_ptr<SSL, FreeTls>;

class DtlsClient final : public Client {
public:
  enum class Outcome : std::uint8_t { kHandshaking, kOpen, kFailed };

  // `tls` has verified the cookie and holds the first message of the handshake.
  DtlsClient(TlsPointer tls, const DatagramBio& bio, Time now);

  // A datagram from the client. Then messages can be read.
  Outcome take(Bytes datagram);
  // The next message of the datagram taken; 0: none.
  std::size_t read(MutableBytes into);
  // While handshaking: repeats the last flight when it is time.
  void on_timer();
  void flush() override { bio_.road->flush(); }
  void finish();  // says goodbye

  bool is_open() const { return open_; }
  bool has_ended() const { return ended_; }  // the client said goodbye
  const DtlsPath& path() const { return bio_.path; }
  Time heard = {};  // when the client was last heard or had an allocation

private:
  bool has_room(std::size_t /*size*/) override { return true; }
  void queue(Bytes message) override;

  TlsPointer tls_;
  DatagramBio bio_;
  bool open_ = false;
  bool ended_ = false;
};

}  // namespace turnpike::control
