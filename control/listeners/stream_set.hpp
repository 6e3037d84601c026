// SPDX-License-Identifier: BSD-3-Clause
// All TCP and TLS clients of one thread: who is let in, what they share, and their end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/base/time.hpp"
#include "control/listeners/admission.hpp"
#include "control/listeners/client_counters.hpp"
#include "control/listeners/client_table.hpp"
#include "control/listeners/stream_poll.hpp"
#include "control/tls/tls_context.hpp"

namespace turnpike::control {

class StreamClient;

enum class CloseReason : std::uint8_t {
  kByClient,
  kStream,
  kProxy,
  kTlsFailed,
  kTlsNotServed,
  kUnfinished,
  kIdle,
  kRefused,
  kTwice,
  kStopping,
};

class StreamSet {
public:
  static constexpr seconds kHandshakeTime{10};  // from accept to the first message that may come
  static constexpr seconds kIdleTime{60};       // without allocation
  // What waits for one slow reader. Media above the first is dropped, above the second nothing more is read.
  static constexpr std::size_t kMaxQueuedMedia = 64 << 10;
  static constexpr std::size_t kMaxQueued = 96 << 10;
  static constexpr int kSocketBuffer = 256 << 10;  // asked of the kernel, each way

  static constexpr std::uint32_t kFirstEvents = 1;  // EPOLLIN: what a new connection waits for

  // What is given by reference must outlive the set; `admission` may be shared with other threads' sets.
  StreamSet(boost::asio::io_context& io, ClientTable& table, ClientHandler& handler, Admission& admission);
  ~StreamSet();

  // A connection from `source`: false, counted, when it may not come in. Who is admitted has to be added.
  // `is_proxy`: the client's own address is to come, in a header.
  bool admit(const wire::IpAddress& source, bool is_proxy);
  // And that is it.
  bool admit_proxied(const wire::IpAddress& client);
  void add(std::shared_ptr<StreamClient> client);
  // What epoll looks for from now on.
  void change(const StreamClient& client, std::uint32_t events);
  // Called once by every client that was added.
  void remove(StreamClient& client, CloseReason reason, bool was_open);
  void tick(Time now);
  void close_all();

  // Null: TLS is not served. What is open keeps what it has.
  void set_tls(std::shared_ptr<TlsContext> tls) { tls_ = std::move(tls); }
  const TlsContext* tls() const { return tls_.get(); }

  ClientTable& table() { return table_; }
  ClientHandler& handler() { return handler_; }
  ClientCounters& counters() { return counters_; }
  const ClientCounters& counters() const { return counters_; }
  std::size_t size() const { return clients_.size(); }
  // Scratch for one read; nothing of it outlives the call that filled it.
  MutableBytes buffer() { return buffer_; }
  // The message as a stream carries it (RFC 8656 section 12.5), until the next call.
  Bytes padded(Bytes message);

private:
  void on_ready(int fd, std::uint32_t events);
  std::vector<std::shared_ptr<StreamClient>> all() const;

  ClientTable& table_;
  ClientHandler& handler_;
  Admission& admission_;
  ClientCounters counters_;
  std::shared_ptr<TlsContext> tls_;
  StreamPoll poll_;
  std::unordered_map<int, std::shared_ptr<StreamClient>> clients_;  // by descriptor
  std::vector<std::uint8_t> buffer_;
  std::vector<std::uint8_t> padded_;
};

}  // namespace turnpike::control
