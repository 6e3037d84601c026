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

constexpr std::uint64_t tag_of(Direction direction, std::uint32_t receiver) {
  return std::uint64_t{receiver} << 1 | direction;
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
  for (std::size_t i = 0; i < kBatch; ++i) parts_[i].iov_base = buffers_.data() + i * kStride;
  for (auto& windows : windows_) windows.resize(ends.sessions.size());
}

Receiver::~Receiver() { close(epoll_); }

Result<std::unique_ptr<Receiver>> Receiver::make(const Ends& ends, std::uint32_t part, std::uint32_t parts) {
  std::unique_ptr<Receiver> made(new Receiver(ends));
  for (const Direction direction : {kToPeer, kToClient}) {
    if (direction == kToClient && ends.options.sockets.deaf) continue;
    for (std::uint32_t i = part; i < ends.receivers(direction); i += parts) {
      if (ends.receiving_fd(direction, i) < 0) continue;  // its session has not begun
      if (auto watched = made->watch(direction, i); !watched) return Error{watched.error()};
    }
  }
  return made;
}

Status Receiver::watch(Direction direction, std::uint32_t receiver) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag_of(direction, receiver);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, ends_.receiving_fd(direction, receiver), &event) == 0) return Unit{};
  return Error{std::string("epoll: ") + std::strerror(errno)};
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
  const auto receiver = static_cast<std::uint32_t>(tag >> 1);
  if (ClientConnection* connection = ends_.receiving_connection(direction, receiver)) {
    return take_connection(*connection, receiver);
  }
  for (std::size_t i = 0; i < kBatch; ++i) {
    parts_[i].iov_len = kBuffer;
    msghdr& message = messages_[i].msg_hdr;
    message = {};
    message.msg_iov = &parts_[i];
    message.msg_iovlen = 1;
    message.msg_control = controls_[i].data();
    message.msg_controllen = kControl;
    if (direction == kToClient || ends_.remotes == nullptr) continue;
    message.msg_name = &names_[i];
    message.msg_namelen = sizeof names_[i];
  }
  const int fd = ends_.receiving_fd(direction, receiver);
  const int count = recvmmsg(fd, messages_.data(), kBatch, 0, nullptr);
  if (count <= 0) return 0;
  now_ns_ = monotonic_ns();
  const auto taken = static_cast<std::size_t>(count);
  if (direction == kToPeer && ends_.options.sockets.echo) {
    send_back(fd, taken);
    return static_cast<unsigned>(count);
  }
  if (direction == kToPeer && ends_.remotes != nullptr) learn(receiver, messages_[taken - 1].msg_hdr);
  for (std::size_t i = 0; i < taken; ++i) inspect_datagram(direction, receiver, messages_[i]);
  return static_cast<unsigned>(count);
}

unsigned Receiver::take_connection(ClientConnection& connection, std::uint32_t client) {
  unsigned taken = 0;
  const bool open = connection.receive([&](Bytes message) {
    now_ns_ = monotonic_ns();  // one batch is several reads
    inspect(kToClient, client, message);
    ++taken;
  });
  // What would have come is missed in the count of deliveries.
  if (!open) epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.fd(), nullptr);
  return taken;
}

// A client that begins anew has another relayed address.
void Receiver::learn(std::uint32_t session, const msghdr& message) {
  Remote& remote = (*ends_.remotes)[session];
  std::memcpy(&remote.address, message.msg_name, message.msg_namelen);
  remote.size = message.msg_namelen;
}

// As it came, to where it came from; what the kernel put together it takes apart again.
void Receiver::send_back(int fd, std::size_t count) {
  std::array<std::size_t, kBatch> packets;
  for (std::size_t i = 0; i < count; ++i) {
    msghdr& message = messages_[i].msg_hdr;
    const std::size_t segment = segment_size(message);
    parts_[i].iov_len = messages_[i].msg_len;
    packets[i] = segment == 0 ? 1 : (messages_[i].msg_len + segment - 1) / segment;
    message.msg_controllen = 0;
    if (packets[i] == 1) continue;
    message.msg_controllen = CMSG_SPACE(sizeof(std::uint16_t));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto size = static_cast<std::uint16_t>(segment);
    std::memcpy(CMSG_DATA(header), &size, sizeof size);
  }
  const int sent = sendmmsg(fd, messages_.data(), static_cast<unsigned>(count), 0);
  for (std::size_t i = 0; i < count; ++i) {
    const bool left = static_cast<int>(i) < sent;
    (left ? arrivals_.returned : arrivals_.not_returned) += packets[i];
  }
}

void Receiver::inspect_datagram(Direction direction, std::uint32_t receiver, const mmsghdr& message) {
  Bytes left(static_cast<const std::uint8_t*>(message.msg_hdr.msg_iov->iov_base), message.msg_len);
  const std::size_t segment = segment_size(message.msg_hdr);
  if (segment == 0) return inspect(direction, receiver, left);
  while (!left.empty()) {
    const std::size_t size = std::min(segment, left.size());
    inspect(direction, receiver, left.first(size));
    left = left.subspan(size);
  }
}

// Whose media it is; nothing when that cannot be told, which is counted.
std::optional<Receiver::Media> Receiver::take_off_framing(std::uint32_t client, Bytes packet) {
  const std::uint32_t each = ends_.options.sockets.peers_per_client;
  const std::uint32_t first = client * each;
  const auto from = parse_from_peer(ends_.options, packet);
  if (from && from->channel >= kChannel && from->channel - kChannel < static_cast<int>(each)) {
    return Media{first + from->channel - kChannel, from->payload};
  }
  if (from && ends_.options.indications) {
    const auto begin = ends_.sessions.begin() + first;
    const auto found =
        std::find_if(begin, begin + each, [&](const Session& session) { return session.peer == from->peer; });
    if (found != begin + each) return Media{first + static_cast<std::uint32_t>(found - begin), from->payload};
  } else if (stun::MessageView::parse(packet)) {  // a response, whose first bytes are no channel
    ++arrivals_.foreign;
    ends_.mailbox->put(client, packet);
    return std::nullopt;
  }
  ++arrivals_.corrupt;
  return std::nullopt;
}

void Receiver::inspect(Direction direction, std::uint32_t receiver, Bytes packet) {
  std::uint32_t session = receiver;
  if (direction == kToClient) {
    const auto media = take_off_framing(receiver, packet);
    if (!media) return;
    session = media->session;
    packet = media->payload;
  }
  Stamp stamp;
  if (packet.size() < sizeof stamp) {
    ++arrivals_.corrupt;
    return;
  }
  std::memcpy(&stamp, packet.data(), sizeof stamp);
  const Messages& messages = ends_.messages[ends_.comes_back() ? kToPeer : direction];
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
