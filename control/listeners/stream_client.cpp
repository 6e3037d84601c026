// SPDX-License-Identifier: BSD-3-Clause
// Reading, writing and the end of a connection.
#include "control/listeners/stream_client.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/stun/channel_data.hpp"
#include "control/listeners/proxy_protocol.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

using IoStatus = ByteStream::Status;

constexpr std::uint8_t kTlsHandshake = 22;  // the first byte of a TLS client; no STUN or ChannelData has it
constexpr unsigned kReadsAtOnce = 4;        // calls of the kernel; then the others have their turn
// Of a client without allocation: more than any request needs, less than what HTTP looks like.
constexpr std::size_t kMaxFirstMessage = 4096;

}  // namespace

StreamClient::StreamClient(StreamSet& set, UniqueFd socket, const wire::Endpoint& source,
                           const wire::Endpoint& local, bool behind_proxy, Time now)
    : Client(turn::Transport::kTcp),
      set_(set),
      socket_(std::move(socket)),
      source_(source.address),
      stream_(socket_.get()),
      framer_(kMaxFirstMessage),
      deadline_(now + StreamSet::kHandshakeTime),
      phase_(behind_proxy ? Phase::kProxyHeader : Phase::kFirstByte),
      events_(StreamSet::kFirstEvents) {
  tuple_.client = wire::ClientEndpoint(source);
  tuple_.server = wire::ServerEndpoint(local);
}

// One pass may bring a fast client more than its queue takes, which the kernel has room for as a rule. A
// connection that turns out to be closed is left to epoll: nothing may be called back from here.
bool StreamClient::has_room(std::size_t size) {
  if (stream_.queued() + size <= StreamSet::kMaxQueuedMedia) return true;
  if (writing_) return false;
  writing_ = stream_.flush() == IoStatus::kWantWrite;
  update_events();
  return stream_.queued() + size <= StreamSet::kMaxQueuedMedia;
}

// A message that TLS refuses is lost with the connection, which the next read finds failed.
void StreamClient::queue(Bytes message) { stream_.write(set_.padded(message)); }

void StreamClient::update_events() {
  if (phase_ == Phase::kClosed) return;
  const std::uint32_t wanted = (is_full() ? 0U : EPOLLIN) | (writing_ ? EPOLLOUT : 0U);
  if (wanted == events_) return;
  events_ = wanted;
  set_.change(*this, wanted);
}

void StreamClient::on_ready(std::uint32_t events) {
  const bool was_full = is_full();
  if ((events & EPOLLOUT) != 0) {
    writing_ = false;
    flush();
  }
  const bool lost = (events & (EPOLLERR | EPOLLHUP)) != 0;
  const bool readable = lost || was_full || (events & EPOLLIN) != 0;
  if (readable && phase_ != Phase::kClosed && !is_full()) on_readable();
  if (stream_.has_answered()) flush();
  if (lost) close(CloseReason::kByClient);  // where reading has not found out
  update_events();
}

void StreamClient::on_readable() {
  stream_.allow_reads(kReadsAtOnce);
  if (phase_ != Phase::kOpen && !open()) return;
  read_messages();
}

bool StreamClient::open() {
  if (phase_ == Phase::kProxyHeader && !read_proxy_header()) return false;
  if (phase_ == Phase::kFirstByte && !detect()) return false;
  if (phase_ == Phase::kHandshake && !shake_hands()) return false;
  return phase_ == Phase::kOpen;
}

// Looks without taking, so that the bytes behind the header stay for whoever reads them, TLS or us.
bool StreamClient::read_proxy_header() {
  std::array<std::uint8_t, kMaxProxyHeader> bytes;
  const int fd = socket_.get();
  const ssize_t size = recv(fd, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size == 0) return end(CloseReason::kByClient);
  const auto known = static_cast<std::size_t>(std::max<ssize_t>(size, 0));
  const ProxyHeader header = parse_proxy_header(Bytes(bytes).first(known));
  if (header.status == ProxyStatus::kInvalid) return end(CloseReason::kProxy);
  // The bytes that were looked at still count as readable: wake only for more than these.
  const int wanted = header.status == ProxyStatus::kDone ? 1 : static_cast<int>(known) + 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted);
  if (header.status == ProxyStatus::kNeedMore) return false;
  recv(fd, bytes.data(), header.size, MSG_DONTWAIT);
  if (header.source) tuple_.client = wire::ClientEndpoint(*header.source);
  if (header.destination) tuple_.server = wire::ServerEndpoint(*header.destination);
  if (!set_.admit_proxied(tuple_.client.address)) return end(CloseReason::kRefused);
  phase_ = Phase::kFirstByte;
  return true;
}

// Plain or TLS: the first byte tells (RFC 7983).
bool StreamClient::detect() {
  std::uint8_t first = 0;
  const ssize_t size = recv(socket_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size == 0) return end(CloseReason::kByClient);
  if (size < 0) return false;
  if (first != kTlsHandshake) return become_open();
  const TlsContext* tls = set_.tls();
  if (tls == nullptr) return end(CloseReason::kTlsNotServed);
  if (!stream_.start_tls(tls->get())) return end(CloseReason::kTlsFailed);
  tuple_.transport = turn::Transport::kTls;
  phase_ = Phase::kHandshake;
  return true;
}

bool StreamClient::shake_hands() {
  const IoStatus status = stream_.handshake();
  flush();  // an answer or an alert
  if (phase_ == Phase::kClosed) return false;
  if (status == IoStatus::kDone) {
    ++set_.counters().tls_accepted;
    return become_open();
  }
  if (status == IoStatus::kClosed) return end(CloseReason::kByClient);
  if (status == IoStatus::kFailed) return end(CloseReason::kTlsFailed);
  return false;
}

bool StreamClient::become_open() {
  if (!set_.table().add(*this)) return end(CloseReason::kTwice);
  phase_ = Phase::kOpen;
  deadline_ = monotonic_now() + StreamSet::kIdleTime;
  return true;
}

// Until the kernel has no more, or others have their turn: then epoll says again that there is more.
void StreamClient::read_messages() {
  while (true) {
    // Reading rests only while the kernel has no room: then EPOLLOUT comes and reads on, which matters for
    // records that TLS has taken already, of which epoll knows nothing.
    if (is_full()) flush();
    if (is_full() || phase_ == Phase::kClosed) return;
    const ByteStream::Outcome read = stream_.read(set_.buffer());
    if (read.status == IoStatus::kWantRead) return;
    if (read.status == IoStatus::kClosed) return close(CloseReason::kByClient);
    if (read.status == IoStatus::kFailed) return close(CloseReason::kStream);
    if (!take(Bytes(set_.buffer()).first(read.size))) return close(CloseReason::kStream);
  }
}

// False: the stream is out of step.
bool StreamClient::take(Bytes bytes) {
  const Time now = monotonic_now();
  Bytes message;
  while (true) {
    switch (framer_.next(bytes, message)) {
      case stun::FrameStatus::kMessage:
        set_.handler().on_client_message(tuple_, message, now);
        if (has_allocation()) framer_.set_limit(stun::StreamFramer::kLargestMessage);
        break;
      case stun::FrameStatus::kNeedMore:
        return true;
      default:
        return false;
    }
  }
}

void StreamClient::flush() {
  if (phase_ == Phase::kClosed || writing_) return;  // epoll will tell of room
  const IoStatus status = stream_.flush();
  if (status == IoStatus::kClosed) return close(CloseReason::kByClient);
  writing_ = status == IoStatus::kWantWrite;
  update_events();
}

void StreamClient::tick(Time now) {
  stream_.shrink();
  if (phase_ == Phase::kOpen) {
    if (has_allocation()) deadline_ = now + StreamSet::kIdleTime;
    if (now >= deadline_) close(CloseReason::kIdle);
  } else if (now >= deadline_) {
    close(CloseReason::kUnfinished);
  }
}

bool StreamClient::end(CloseReason reason) {
  close(reason);
  return false;
}

void StreamClient::close(CloseReason reason) {
  if (phase_ == Phase::kClosed) return;
  const bool was_open = std::exchange(phase_, Phase::kClosed) == Phase::kOpen;
  stream_.finish();
  stream_.flush();
  set_.remove(*this, reason, was_open);
}

}  // namespace turnpike::control
