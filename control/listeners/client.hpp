// SPDX-License-Identifier: BSD-3-Clause
// A client whose socket control has: a TCP or TLS connection, or a DTLS session.
#pragma once

#include <cstdint>

#include "common/turn/effects.hpp"

namespace turnpike::control {

class Client {
public:
  explicit Client(turn::Transport transport) { tuple_.transport = transport; }
  virtual ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const turn::FiveTuple& tuple() const { return tuple_; }
  // Queues a whole message; it leaves with flush(). Media that finds a full queue is dropped and counted,
  // answers always find room. Never calls back.
  void send(Bytes message, bool media);
  // Writes what was queued, as far as it goes without waiting. May close the client and so remove it.
  virtual void flush() = 0;

  std::uint64_t dropped_media() const { return dropped_media_; }
  bool has_allocation() const { return allocation_.generation != 0; }

protected:
  virtual bool has_room(std::size_t size) = 0;
  virtual void queue(Bytes message) = 0;

  turn::FiveTuple tuple_;

private:
  friend class ClientTable;
  turn::SlotId allocation_;  // generation 0: none
  bool dirty_ = false;       // in the table's list of those to flush
  std::uint64_t dropped_media_ = 0;
};

// What control does for them; implemented by the engine.
class ClientHandler {
public:
  virtual ~ClientHandler() = default;
  virtual void on_client_message(const turn::FiveTuple& from, Bytes message, Time now) = 0;
  // The client is no longer in the table.
  virtual void on_client_gone(const turn::FiveTuple& client, Time now) = 0;
};

inline void Client::send(Bytes message, bool media) {
  if (media && !has_room(message.size())) {
    ++dropped_media_;
    return;
  }
  queue(message);
}

}  // namespace turnpike::control
