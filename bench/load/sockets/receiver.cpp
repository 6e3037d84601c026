// SPDX-License-Identifier: BSD-3-Clause
// recvmmsg, UDP_GRO taken apart, and the judgement.
#include "bench/load/sockets/receiver.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bench/load/sockets/monotonic.hpp"
#include "common/stun/message_view.hpp"

namespace turnpike::load {
namespace {

constexpr std::size_t kBuffer = 0xFFFF;
// Not a power of two, or all buffers would begin in the same cache set.
constexpr std::size_t kStride = 0x10000 + 320;

constexpr std::uint64_t tag_of(Direction direction, std::uint32_t session) {
  return std::uint64_t{session} << 1 | direction;
}

// The size of the packets that the kernel put together; 0: it did not.
std::size_t segment_size(msghdr message) noexcept {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != IPPROTO_UDP || header->cmsg_type != UDP_GRO) continue;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(header), sizeof size);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  return 0;
}

}  // namespace

Receiver::Receiver(const Ends& ends)
    : ends_(ends), epoll_(epoll_create1(EPOLL_CLOEXEC)), buffers_(kBatch * kStride) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    parts_[i] = {buffers_.data() + i * kStride, kBuffer};
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
  for (auto& windows : windows_) windows.resize(ends.sessions.size());
}

Receiver::~Receiver() { close(epoll_); }

Result<std::unique_ptr<Receiver>> Receiver::make(const Ends& ends) {
  std::unique_ptr<Receiver> receiver(new Receiver(ends));
  for (const Direction direction : {kToPeer, kToClient}) {
    if (auto watched = receiver->watch(direction); !watched) return Error{watched.error()};
  }
  return receiver;
}

Status Receiver::watch(Direction direction) {
  if (direction == kToClient && ends_.options.sockets.deaf) return Unit{};
  for (std::uint32_t i = 0; i < ends_.sessions.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag_of(direction, i);
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, ends_.receiving_fd(direction, i), &event) != 0) {
      return Error{std::string("epoll: ") + std::strerror(errno)};
    }
  }
  return Unit{};
}

bool Receiver::step(int wait_ms) {
  if (!pending()) {
    const int count = epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), wait_ms);
    ready_at_ = 0;
    ready_count_ = static_cast<std::size_t>(std::max(count, 0));
    if (ready_count_ == 0) return false;
  }
  return take(ready_[ready_at_++].data.u64) != 0;
}

unsigned Receiver::take(std::uint64_t tag) {
  const auto direction = static_cast<Direction>(tag & 1);
  const auto session = static_cast<std::uint32_t>(tag >> 1);
  if (StreamConnection* stream = ends_.receiving_stream(direction, session)) {
    return take_stream(*stream, session);
  }
  for (std::size_t i = 0; i < kBatch; ++i) {
    messages_[i].msg_hdr.msg_control = controls_[i].data();
    messages_[i].msg_hdr.msg_controllen = kControl;
  }
  const int count = recvmmsg(ends_.receiving_fd(direction, session), messages_.data(), kBatch, 0, nullptr);
  now_ns_ = monotonic_ns();
  for (int i = 0; i < count; ++i) {
    inspect_datagram(direction, session, messages_[static_cast<std::size_t>(i)]);
  }
  return static_cast<unsigned>(std::max(count, 0));
}

unsigned Receiver::take_stream(StreamConnection& stream, std::uint32_t session) {
  unsigned taken = 0;
  const bool open = stream.receive([&](Bytes message) {
    now_ns_ = monotonic_ns();  // one batch is several reads
    inspect(kToClient, session, message);
    ++taken;
  });
  // What would have come is missed in the count of deliveries.
  if (!open) epoll_ctl(epoll_, EPOLL_CTL_DEL, stream.fd(), nullptr);
  return taken;
}

void Receiver::inspect_datagram(Direction direction, std::uint32_t session, const mmsghdr& message) {
  Bytes left(static_cast<const std::uint8_t*>(message.msg_hdr.msg_iov->iov_base), message.msg_len);
  const std::size_t segment = segment_size(message.msg_hdr);
  if (segment == 0) return inspect(direction, session, left);
  while (!left.empty()) {
    const std::size_t size = std::min(segment, left.size());
    inspect(direction, session, left.first(size));
    left = left.subspan(size);
  }
}

void Receiver::inspect(Direction direction, std::uint32_t session, Bytes packet) {
  if (direction == kToClient) {
    const auto inner = unframe(ends_.options, packet, ends_.sessions[session].peer);
    if (!inner) {
      // A late response, which is none of the media.
      const bool response = stun::MessageView::parse(packet).has_value();
      ++(response ? arrivals_.foreign : arrivals_.corrupt);
      return;
    }
    packet = *inner;
  }
  Stamp stamp;
  if (packet.size() < sizeof stamp) {
    ++arrivals_.corrupt;
    return;
  }
  std::memcpy(&stamp, packet.data(), sizeof stamp);
  const Messages& messages = ends_.messages[direction];
  const Bytes expected = messages.payload(session, stamp.sequence);
  constexpr std::size_t kIdentity = offsetof(Stamp, sequence);  // session and direction are before it
  const auto same = [&](std::size_t begin, std::size_t end) {
    return std::memcmp(packet.data() + begin, expected.data() + begin, end - begin) == 0;
  };
  if (packet.size() != expected.size() || !same(0, kIdentity) || !same(sizeof stamp, packet.size()) ||
      stamp.check != check_of(messages.key(session), stamp.sequence, stamp.sent_ns)) {
    ++arrivals_.corrupt;
    return;
  }
  count_good(direction, session, stamp, packet.size());
}

void Receiver::count_good(Direction direction, std::uint32_t session, const Stamp& stamp, std::size_t size) {
  SequenceWindow& window = windows_[direction][session];
  const std::uint32_t next = window.top();
  const Order order = window.take(stamp.sequence);
  if (order == Order::kDuplicate) {
    ++arrivals_.duplicate;
    return;
  }
  if (order == Order::kReordered) {
    ++arrivals_.reordered;
  } else {
    arrivals_.skipped += stamp.sequence - next;
  }
  arrivals_.bytes += size;
  ++arrivals_.received[direction];
  latencies_[direction].record(now_ns_ - std::min(now_ns_, stamp.sent_ns));
}

}  // namespace turnpike::load
