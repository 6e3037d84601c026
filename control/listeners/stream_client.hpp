// SPDX-License-Identifier: BSD-3-Clause
// One TCP connection of a client: PROXY header, plain or TLS by its first byte, messages, time-outs.
#pragma once

#include <cstdint>

#include "common/base/time.hpp"
#include "common/stun/stream_framer.hpp"
#include "control/listeners/byte_stream.hpp"
#include "control/listeners/client.hpp"
#include "control/listeners/stream_set.hpp"
#include "control/runtime/unique_fd.hpp"

namespace turnpike::control {

class StreamClient final : public Client {
public:
  // The connection was accepted from `source`, its kernel endpoints known.
  StreamClient(StreamSet& set, UniqueFd socket, const wire::Endpoint& source, const wire::Endpoint& local,
               bool behind_proxy, Time now);

  int fd() const { return socket_.get(); }
  // What epoll_wait said of the connection.
  void on_ready(std::uint32_t events);
  void flush() override;
  // Closes it when its time is over; about once a second.
  void tick(Time now);
  void close(CloseReason reason);

  // Of the connection itself, a proxy's perhaps.
  const wire::IpAddress& source() const { return source_; }

private:
  enum class Phase : std::uint8_t { kProxyHeader, kFirstByte, kHandshake, kOpen, kClosed };

  bool has_room(std::size_t size) override;
  void queue(Bytes message) override;

  void on_readable();
  bool is_full() const { return stream_.queued() > StreamSet::kMaxQueued; }
  // Has epoll say what matters next: room to write while something waits, bytes to read unless too much does.
  void update_events();
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
  UniqueFd socket_;
  wire::IpAddress source_;
  ByteStream stream_;
  stun::StreamFramer framer_;
  Time deadline_;  // while there is no allocation
  Phase phase_;
  bool writing_ = false;  // the kernel had no room
  std::uint32_t events_;  // that epoll looks for
};

}  // namespace turnpike::control
