// SPDX-License-Identifier: BSD-3-Clause
// Its loop, and the faults in the order in which they claim a packet.
#include "bench/load/sockets/bad_relay.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "bench/load/framing.hpp"
#include "common/stun/channel_data.hpp"
#include "common/wire/socket_address.hpp"

namespace turnpike::load::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQuiet{20};  // then what waits for a next packet goes without
constexpr std::uint32_t kBuffers = 4U << 20;
constexpr std::size_t kMaxDatagram = 2048;

UdpSocket open_on_loopback() {
  auto socket = UdpSocket::open({*wire::parse_address("127.0.0.1"), 0, 0});
  if (!socket) throw std::runtime_error(socket.error());
  if (auto sized = socket->set_buffers(kBuffers); !sized) throw std::runtime_error(sized.error());
  return std::move(*socket);
}

void send_to(int fd, Bytes bytes, const wire::Endpoint& endpoint) {
  wire::SocketAddress address;
  const auto size = wire::to_kernel(endpoint, address);
  static_cast<void>(sendto(fd, bytes.data(), bytes.size(), 0, &address.any, size));
}

}  // namespace

wire::Endpoint local_endpoint(int fd) {
  wire::SocketAddress address{};
  socklen_t size = sizeof address;
  getsockname(fd, &address.any, &size);
  return wire::from_kernel(address);
}

BadRelay::BadRelay(const Faults& faults)
    : faults_(faults), listener_(open_on_loopback()), server_(local_endpoint(listener_.fd())) {}

BadRelay::~BadRelay() { stop(); }

wire::Endpoint BadRelay::add(const wire::Endpoint& client, const wire::Endpoint& peer) {
  sessions_.push_back({client, peer, open_on_loopback(), {}});
  return local_endpoint(sessions_.back().relay.fd());
}

void BadRelay::start() {
  thread_ = std::thread([this] { loop(); });
}

void BadRelay::stop() {
  over_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void BadRelay::loop() {
  std::vector<pollfd> sockets{{listener_.fd(), POLLIN, 0}};
  for (const Session& session : sessions_) sockets.push_back({session.relay.fd(), POLLIN, 0});
  while (!over_.load(std::memory_order_relaxed)) {
    const int wait = queue_.empty() ? static_cast<int>(kQuiet.count()) : 1;
    const bool quiet = poll(sockets.data(), sockets.size(), wait) == 0 && queue_.empty();
    take_all();
    if (quiet) release_held();
    send_due(Clock::now());
  }
}

void BadRelay::take_all() {
  std::array<std::uint8_t, kMaxDatagram> buffer;
  while (true) {
    wire::SocketAddress from;
    socklen_t from_size = sizeof from;
    const ssize_t size = recvfrom(listener_.fd(), buffer.data(), buffer.size(), 0, &from.any, &from_size);
    if (size < 0) break;
    const std::size_t session = session_of(wire::from_kernel(from));
    const auto message = stun::parse_channel_data(Bytes(buffer.data(), static_cast<std::size_t>(size)));
    if (session == sessions_.size() || !message) continue;
    take(session, kToPeer, {message->data.begin(), message->data.end()});
  }
  for (std::size_t session = 0; session < sessions_.size(); ++session) {
    while (true) {
      const ssize_t size = recv(sessions_[session].relay.fd(), buffer.data(), buffer.size(), 0);
      if (size < 0) break;
      take(session, kToClient, {buffer.begin(), buffer.begin() + size});
    }
  }
}

std::size_t BadRelay::session_of(const wire::Endpoint& client) const {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [&](const Session& session) { return session.client == client; });
  return static_cast<std::size_t>(found - sessions_.begin());
}

void BadRelay::take(std::size_t session, Direction direction, Packet payload) {
  Flow& flow = sessions_[session].flows[direction];
  Deeds& deeds = deeds_[direction];
  ++deeds.taken;
  const std::uint64_t number = ++flow.taken;
  const auto meets = [&](std::uint32_t one_of) { return one_of != 0 && number % one_of == 0; };
  if (meets(faults_.drop)) {
    ++deeds.dropped;
  } else if (meets(faults_.corrupt)) {
    const std::uint64_t bit = deeds.corrupted++ * 37 % (payload.size() * 8);
    payload[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    forward(session, direction, std::move(payload));
  } else if (meets(faults_.swap) && flow.held.empty()) {
    flow.held = std::move(payload);
  } else {
    if (meets(faults_.repeat)) {
      ++deeds.repeated;
      forward(session, direction, payload);
    }
    forward(session, direction, std::move(payload));
    if (flow.held.empty()) return;
    ++deeds.swapped;
    forward(session, direction, std::exchange(flow.held, {}));
  }
}

void BadRelay::release_held() {
  for (std::size_t session = 0; session < sessions_.size(); ++session) {
    for (const Direction direction : {kToPeer, kToClient}) {
      Packet held = std::exchange(sessions_[session].flows[direction].held, {});
      if (!held.empty()) forward(session, direction, std::move(held));
    }
  }
}

void BadRelay::forward(std::size_t session, Direction direction, Packet payload) {
  queue_.push_back({Clock::now() + faults_.delay, session, direction, std::move(payload)});
}

void BadRelay::send_due(Clock::time_point now) {
  while (!queue_.empty() && queue_.front().due <= now) {
    send(queue_.front());
    queue_.pop_front();
  }
}

void BadRelay::send(const Delayed& packet) {
  const Session& session = sessions_[packet.session];
  if (packet.direction == kToPeer) {
    send_to(session.relay.fd(), packet.payload, session.peer);
    return;
  }
  std::array<std::uint8_t, kMaxDatagram> buffer;
  send_to(listener_.fd(),
          stun::write_channel_data(buffer, kChannel, packet.payload, stun::ChannelPadding::kNone),
          session.client);
}

}  // namespace turnpike::load::test
