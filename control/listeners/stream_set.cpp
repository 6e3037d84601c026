// SPDX-License-Identifier: BSD-3-Clause
// Limits, sweeping, counting.
#include "control/listeners/stream_set.hpp"

#include <sys/epoll.h>

#include "common/stun/types.hpp"
#include "control/listeners/stream_client.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

constexpr std::size_t kReadSize = 64 << 10;

std::uint64_t& counter_of(ClientCounters& counters, CloseReason reason) {
  switch (reason) {
    case CloseReason::kStream:
      return counters.closed_stream;
    case CloseReason::kProxy:
      return counters.closed_proxy;
    case CloseReason::kTlsFailed:
      return counters.tls_failed;
    case CloseReason::kTlsNotServed:
      return counters.tls_not_served;
    case CloseReason::kUnfinished:
      return counters.closed_unfinished;
    case CloseReason::kIdle:
      return counters.closed_idle;
    case CloseReason::kRefused:
      return counters.closed_refused;
    case CloseReason::kTwice:
      return counters.closed_twice;
    case CloseReason::kByClient:
    case CloseReason::kStopping:
      break;
  }
  return counters.closed_by_client;
}

}  // namespace

static_assert(StreamSet::kFirstEvents == EPOLLIN);

StreamSet::StreamSet(boost::asio::io_context& io, ClientTable& table, ClientHandler& handler,
                     Admission& admission)
    : table_(table),
      handler_(handler),
      admission_(admission),
      poll_(io, [this](int fd, std::uint32_t events) { on_ready(fd, events); }),
      buffer_(kReadSize) {}

StreamSet::~StreamSet() { close_all(); }

bool StreamSet::admit(const wire::IpAddress& source, bool is_proxy) {
  return is_admitted(admission_.add_stream(source, is_proxy, monotonic_now()), counters_);
}

bool StreamSet::admit_proxied(const wire::IpAddress& client) {
  return is_admitted(admission_.admit_proxied(client, monotonic_now()), counters_);
}

void StreamSet::add(std::shared_ptr<StreamClient> client) {
  if (!poll_.add(client->fd(), kFirstEvents)) {
    ++counters_.refused_descriptors;
    admission_.remove_stream(client->source());
    return;
  }
  ++counters_.tcp_accepted;
  clients_.emplace(client->fd(), std::move(client));
}

void StreamSet::change(const StreamClient& client, std::uint32_t events) {
  poll_.change(client.fd(), events);
}

// One that was closed earlier in the same batch is not there any more.
void StreamSet::on_ready(int fd, std::uint32_t events) {
  const auto found = clients_.find(fd);
  if (found == clients_.end()) return;
  const std::shared_ptr<StreamClient> client = found->second;  // its end may come on the way
  client->on_ready(events);
}

void StreamSet::remove(StreamClient& client, CloseReason reason, bool was_open) {
  ++counter_of(counters_, reason);
  counters_.media_dropped += client.dropped_media();
  admission_.remove_stream(client.source());
  const auto found = clients_.find(client.fd());
  const auto kept = std::move(found->second);  // until it is out of the table
  clients_.erase(found);
  if (!was_open) return;
  table_.remove(client);
  if (reason == CloseReason::kStopping) return;  // the server goes with all its allocations
  handler_.on_client_gone(client.tuple(), monotonic_now());
}

Bytes StreamSet::padded(Bytes message) {
  const std::size_t size = stun::padded_size(message.size());
  if (size == message.size()) return message;
  padded_.assign(message.begin(), message.end());
  padded_.resize(size);
  return padded_;
}

std::vector<std::shared_ptr<StreamClient>> StreamSet::all() const {
  std::vector<std::shared_ptr<StreamClient>> clients;
  clients.reserve(clients_.size());
  for (const auto& [fd, client] : clients_) clients.push_back(client);
  return clients;
}

void StreamSet::tick(Time now) {
  for (const auto& client : all()) client->tick(now);
}

void StreamSet::close_all() {
  for (const auto& client : all()) client->close(CloseReason::kStopping);
}

}  // namespace turnpike::control
