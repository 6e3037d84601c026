// SPDX-License-Identifier: BSD-3-Clause
// recvmmsg, control messages, coalesced datagrams, error queues.
#include "dataplane/port/socket_receiver.hpp"

#include <linux/errqueue.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>

#include "common/wire/icmp.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

constexpr unsigned kErrorsPerEvent = 8;

template <typename T>
T value_of(const cmsghdr* header) noexcept {
  T value;
  std::memcpy(&value, CMSG_DATA(header), sizeof value);
  return value;
}

// TTL and TOS come as int, IPv4's TOS as one byte.
void read_control(const msghdr& header, SocketIpFields& fields, std::uint32_t& segment) noexcept {
  for (const cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr;
       at = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(at))) {
    const int level = at->cmsg_level;
    const int type = at->cmsg_type;
    if (level == IPPROTO_IP && type == IP_TTL) fields.ttl = static_cast<std::uint8_t>(value_of<int>(at));
    if (level == IPPROTO_IP && type == IP_TOS) fields.traffic_class = value_of<std::uint8_t>(at);
    if (level == IPPROTO_IPV6 && type == IPV6_HOPLIMIT)
      fields.ttl = static_cast<std::uint8_t>(value_of<int>(at));
    if (level == IPPROTO_IPV6 && type == IPV6_TCLASS)
      fields.traffic_class = static_cast<std::uint8_t>(value_of<int>(at));
    if (level == IPPROTO_UDP && type == UDP_GRO) segment = static_cast<std::uint32_t>(value_of<int>(at));
  }
}

// What the error queue says, as the ICMP message that it came from. False: none that concerns a relayed
// packet.
bool read_error(const msghdr& header, SocketError& error) noexcept {
  for (const cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr;
       at = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(at))) {
    const bool v4 = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR;
    const bool v6 = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR;
    if (!v4 && !v6) continue;
    const auto extended = value_of<sock_extended_err>(at);
    error.info = extended.ee_info;
    if (extended.ee_origin == SO_EE_ORIGIN_ICMP || extended.ee_origin == SO_EE_ORIGIN_ICMP6) {
      wire::SocketAddress offender;
      const auto* given = CMSG_DATA(at) + sizeof(sock_extended_err);
      std::memcpy(&offender, given, v4 ? sizeof offender.v4 : sizeof offender.v6);
      error.offender = wire::from_kernel(offender).address;
      error.type = extended.ee_type;
      error.code = extended.ee_code;
      return error.offender.family == error.from.address.family;
    }
    if (extended.ee_origin == SO_EE_ORIGIN_LOCAL && extended.ee_errno == EMSGSIZE) {
      error.offender = error.from.address;  // our own kernel is the router that cannot
      error.type = v4 ? wire::kIcmpUnreachable : wire::kIcmpv6PacketTooBig;
      error.code = v4 ? wire::kIcmpCodeFragmentationNeeded : 0;
      return true;
    }
  }
  return false;
}

}  // namespace

SocketReceiver::SocketReceiver(SocketTable& table, rte_mempool* mbufs, const SocketOptions& options,
                               IoCounters counters)
    : table_(table),
      mbufs_(mbufs),
      options_(options),
      counters_(counters),
      bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(kMessages * kStride)) {
  for (unsigned i = 0; i < kMessages; ++i) {
    slots_[i].vector = {bytes_.get() + i * kStride, kBytes};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &slots_[i].vector;
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &slots_[i].from;
    messages_[i].msg_hdr.msg_control = slots_[i].control.data();
  }
}

void SocketReceiver::take_events(int count) noexcept {
  event_at_ = 0;
  event_count_ = count > 0 ? static_cast<unsigned>(count) : 0;
}

std::uint16_t SocketReceiver::receive(std::span<rte_mbuf*> burst) noexcept {
  std::uint16_t filled = 0;
  while (filled < burst.size()) {
    if (message_at_ < message_count_) {
      if (rte_mbuf* mbuf = next_frame(); mbuf != nullptr) burst[filled++] = mbuf;
      continue;
    }
    if (event_at_ == event_count_) break;
    const epoll_event& event = events_[event_at_++];
    if (event.data.u32 >= table_.size()) continue;  // the wake-up
    if ((event.events & EPOLLERR) != 0) filled += read_errors(event.data.u32, burst.subspan(filled));
    if ((event.events & EPOLLIN) != 0) read(event.data.u32);
  }
  return filled;
}

int SocketReceiver::call(int fd, unsigned limit) noexcept {
  for (unsigned i = 0; i < limit; ++i) {
    messages_[i].msg_hdr.msg_namelen = sizeof(wire::SocketAddress);
    messages_[i].msg_hdr.msg_controllen = slots_[i].control.size();
    messages_[i].msg_hdr.msg_flags = 0;
  }
  counters_.add(Counter::k_io_rx_calls);
  if (options_.recvmmsg) return recvmmsg(fd, messages_.data(), limit, MSG_DONTWAIT, nullptr);
  const ssize_t size = recvmsg(fd, &messages_[0].msg_hdr, MSG_DONTWAIT);
  if (size < 0) return -1;
  messages_[0].msg_len = static_cast<unsigned>(size);
  return 1;
}

void SocketReceiver::read(std::uint32_t socket) noexcept {
  const SocketEndpoint& endpoint = table_[socket];
  if (endpoint.fd < 0) return;  // closed since epoll reported it
  const unsigned limit = !options_.recvmmsg                        ? 1
                         : endpoint.listener || endpoint.users > 1 ? kMessages
                                                                   : kRelayMessages;
  int count = call(endpoint.fd, limit);
  // A pending ICMP error is reported once, instead of data.
  if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) count = call(endpoint.fd, limit);
  if (count <= 0) return counters_.add(Counter::k_io_rx_would_block);
  counters_.histogram(Counter::k_io_rx_1, static_cast<std::uint32_t>(count));
  socket_ = socket;
  message_at_ = 0;
  message_count_ = static_cast<unsigned>(count);
  open_message(0);
}

void SocketReceiver::open_message(unsigned index) noexcept {
  const msghdr& header = messages_[index].msg_hdr;
  message_ = {};
  message_.from = wire::from_kernel(slots_[index].from);
  message_.data = bytes_.get() + index * kStride;
  message_.size = messages_[index].msg_len;
  message_.segment = message_.size;
  std::uint32_t segment = 0;
  read_control(header, message_.fields, segment);
  if (segment != 0) message_.segment = segment;
}

// The next datagram of the messages at hand; null when it could not be taken over.
rte_mbuf* SocketReceiver::next_frame() noexcept {
  const std::uint32_t size = std::min(message_.segment, message_.size - message_.at);
  const Bytes payload(message_.data + message_.at, size);
  const bool coalesced = message_.segment < message_.size;
  message_.at += size;
  const Message current = message_;
  if (message_.at >= message_.size && ++message_at_ < message_count_) open_message(message_at_);
  counters_.add(Counter::k_io_rx_datagrams);
  if (coalesced) counters_.add(Counter::k_io_rx_gro);
  const wire::Endpoint& local = table_[socket_].local;
  if (table_[socket_].fd < 0 || current.from.address.family != local.address.family) return nullptr;
  rte_mbuf* mbuf = rte_pktmbuf_alloc(mbufs_);
  if (mbuf == nullptr) {
    counters_.drop(DropReason::k_no_mbuf);
    return nullptr;
  }
  if (make_frame(mbuf, current.from, local, current.fields, payload)) return mbuf;
  counters_.add(Counter::k_io_rx_truncated);
  counters_.drop(DropReason::k_too_big);
  rte_pktmbuf_free(mbuf);
  return nullptr;
}

std::uint16_t SocketReceiver::read_errors(std::uint32_t socket, std::span<rte_mbuf*> burst) noexcept {
  std::uint16_t filled = 0;
  for (unsigned i = 0; i < kErrorsPerEvent && filled < burst.size() && table_[socket].fd >= 0; ++i) {
    wire::SocketAddress destination;
    alignas(cmsghdr) std::array<char, 256> control;
    std::uint8_t ignored;
    iovec vector{&ignored, sizeof ignored};
    msghdr header{};
    header.msg_name = &destination;
    header.msg_namelen = sizeof destination;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    if (recvmsg(table_[socket].fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    SocketError error;
    error.from = table_[socket].local;
    error.to = wire::from_kernel(destination);
    if (error.to.address.family != error.from.address.family || !read_error(header, error)) continue;
    counters_.add(Counter::k_io_rx_errors);
    rte_mbuf* mbuf = rte_pktmbuf_alloc(mbufs_);
    if (mbuf == nullptr) break;
    if (make_icmp_frame(mbuf, error)) {
      burst[filled++] = mbuf;
    } else {
      rte_pktmbuf_free(mbuf);
    }
  }
  return filled;
}

}  // namespace turnpike::dataplane
