// SPDX-License-Identifier: BSD-3-Clause
// One TCP connection of a client: PROXY header, plain or TLS by its first byte, messages, time-outs.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "common/base/time.hpp"
#include "common/stun/stream_framer.hpp"
#include "control/listeners/byte_stream.hpp"
#include "control/listeners/client.hpp"
#include "control/listeners/stream_set.hpp"

namespace turnpike::control {

class StreamClient final : public Client, public std::enable_shared_from_this<StreamClient> {
public:
  // The connection was accepted from `source`, its kernel endpoints known.
  StreamClient(StreamSet& set, boost::asio::ip::tcp::socket socket, const wire::Endpoint& source,
               const wire::Endpoint& local, bool behind_proxy, Time now);
  ~StreamClient() override;

  void start() { wait_readable(); }
  void flush() override;
  // Closes it when its time is over; about once a second.
  void tick(Time now);
  void close(CloseReason reason);

  // Of the connection itself, a proxy's perhaps.
  const wire::IpAddress& source() const { return source_; }

private:
  enum class Phase : std::uint8_t { kProxyHeader, kFirstByte, kHandshake, kOpen, kClosed };

  bool has_room(std::size_t size) const override;
  void queue(Bytes message) override;

  void wait_readable();
  void wait_writable();
  void on_readable();
  // The phases before kOpen. False: it has to wait, or is closed.
  bool open();
  bool read_proxy_header();
  bool detect();
  bool shake_hands();
  bool become_open();
  bool end(CloseReason reason);  // closes; false
  void read_messages();
  bool take(Bytes bytes);

  StreamSet& set_;
  boost::asio::ip::tcp::socket socket_;
  wire::IpAddress source_;
  ByteStream stream_;
  stun::StreamFramer framer_;
  Time deadline_;  // while there is no allocation
  Phase phase_;
  bool reading_ = false;  // a wait for bytes is under way
  bool writing_ = false;
};

}  // namespace turnpike::control
