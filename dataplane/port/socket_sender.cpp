// SPDX-License-Identifier: BSD-3-Clause
// Runs, GSO messages, sendmmsg, and what becomes of datagrams that the kernel refuses.
#include "dataplane/port/socket_sender.hpp"

#include <netinet/udp.h>

#include <cerrno>

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

// The kernel takes what fits one IP packet, headers included.
constexpr std::uint32_t kLargestMessage = 65535 - 48;

bool same_fields(const SocketIpFields& a, const SocketIpFields& b) noexcept {
  return a.ttl == b.ttl && a.traffic_class == b.traffic_class && a.dont_fragment == b.dont_fragment;
}

template <typename T>
cmsghdr* put(msghdr& header, cmsghdr* at, int level, int type, T value) noexcept {
  at->cmsg_level = level;
  at->cmsg_type = type;
  at->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(at), &value, sizeof value);
  header.msg_controllen += CMSG_SPACE(sizeof value);
  return reinterpret_cast<cmsghdr*>(reinterpret_cast<char*>(at) + CMSG_SPACE(sizeof value));
}

// IP fields and, for more than one datagram, their common size; `payload` is theirs, in order.
template <typename Space, typename Run>
void fill_header(msghdr& header, Space& space, const Run& run, std::span<iovec> payload) noexcept {
  header = {};
  header.msg_name = &space.to;
  header.msg_namelen = wire::to_kernel(run.to, space.to);
  header.msg_iov = payload.data();
  header.msg_iovlen = payload.size();
  header.msg_control = space.control.data();
  auto* control = reinterpret_cast<cmsghdr*>(space.control.data());
  const bool v4 = run.to.address.is_v4();
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  control = put(header, control, level, v4 ? IP_TTL : IPV6_HOPLIMIT, int{run.fields.ttl});
  control = put(header, control, level, v4 ? IP_TOS : IPV6_TCLASS, int{run.fields.traffic_class});
  if (payload.size() > 1) put(header, control, IPPROTO_UDP, UDP_SEGMENT, run.segment);
}

bool gso_refusal(int error) noexcept { return error == EINVAL || error == ENOPROTOOPT || error == EIO; }

}  // namespace

void SocketSender::send(std::span<rte_mbuf*> frames) noexcept {
  for (std::size_t start = 0; start < frames.size(); start += kFrames) {
    const auto some = frames.subspan(start, std::min<std::size_t>(kFrames, frames.size() - start));
    sort(some);
    for (unsigned i = 0; i < run_count_; ++i) {
      if (!runs_[i].sent) send_socket(runs_[i].socket, i);
    }
    rte_pktmbuf_free_bulk(some.data(), static_cast<unsigned>(some.size()));
  }
}

void SocketSender::sort(std::span<rte_mbuf*> frames) noexcept {
  run_count_ = datagram_count_ = 0;
  for (const rte_mbuf* frame : frames) {
    SocketDatagram& datagram = datagrams_[datagram_count_];
    const bool readable = read_frame(frame, datagram);
    const std::uint32_t socket =
        readable ? table_.find(datagram.from.address, datagram.from.port) : kNoSocket;
    if (socket == kNoSocket) {
      counters_.drop(readable ? DropReason::k_socket_gone : DropReason::k_socket_tx_failed);
      continue;
    }
    Run& run = run_for(datagram, socket);
    const auto index = static_cast<std::uint8_t>(datagram_count_++);
    if (run.count == 0) {
      run.first = index;
    } else {
      next_[run.last] = index;
    }
    run.last = index;
    ++run.count;
    run.bytes += static_cast<std::uint32_t>(datagram.payload.size());
    run.closed = datagram.payload.size() < run.segment;
  }
}

bool SocketSender::extends(const Run& run, const SocketDatagram& datagram,
                           std::uint32_t socket) const noexcept {
  return run.socket == socket && run.to == datagram.to && same_fields(run.fields, datagram.fields);
}

// The open run that the datagram belongs to, or a new one. Runs of other destinations do not end it: order is
// kept within a destination, and only there it means something.
SocketSender::Run& SocketSender::run_for(const SocketDatagram& datagram, std::uint32_t socket) noexcept {
  const std::size_t size = datagram.payload.size();
  for (unsigned i = run_count_; options_.gso && i > 0; --i) {
    Run& run = runs_[i - 1];
    if (!extends(run, datagram, socket)) continue;
    const bool fits = !run.closed && size <= run.segment && size != 0 && run.segment != 0 &&
                      run.bytes + size <= kLargestMessage && table_[socket].gso;
    if (fits) return run;
    break;  // a later run of the same destination must not be overtaken
  }
  Run& run = runs_[run_count_++];
  run = {};
  run.socket = socket;
  run.to = datagram.to;
  run.fields = datagram.fields;
  run.segment = static_cast<std::uint16_t>(size);
  const std::size_t headers = datagram.to.address.is_v4() ? 28 : 48;
  run.closed = size + headers > options_.mtu;  // the kernel refuses segments larger than the link's MTU
  return run;
}

void SocketSender::send_socket(std::uint32_t socket, unsigned first_run) noexcept {
  unsigned count = 0;
  vector_count_ = 0;
  for (unsigned i = first_run; i < run_count_; ++i) {
    Run& run = runs_[i];
    if (run.socket != socket) continue;
    run.sent = true;
    if (run.fields.dont_fragment != table_[socket].dont_fragment) {
      flush(socket, count);
      count = vector_count_ = 0;
      set_dont_fragment(table_[socket], run.fields.dont_fragment);
    }
    fill_message(count++, run);
    if (options_.sendmmsg) continue;
    flush(socket, count);
    count = vector_count_ = 0;
  }
  flush(socket, count);
}

void SocketSender::fill_message(unsigned message, const Run& run) noexcept {
  iovec* const vectors = &vectors_[vector_count_];
  std::uint8_t at = run.first;
  for (unsigned i = 0; i < run.count; ++i, at = next_[at]) {
    const Bytes payload = datagrams_[at].payload;
    vectors_[vector_count_++] = {const_cast<std::uint8_t*>(payload.data()), payload.size()};
  }
  message_runs_[message] = &run;
  fill_header(messages_[message].msg_hdr, headers_[message], run, {vectors, run.count});
}

int SocketSender::call(int fd, unsigned first, unsigned count) noexcept {
  counters_.add(Counter::k_io_tx_calls);
  if (options_.sendmmsg) return sendmmsg(fd, &messages_[first], count, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sendmsg(fd, &messages_[first].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
}

void SocketSender::flush(std::uint32_t socket, unsigned count) noexcept {
  unsigned done = 0;
  while (done < count) {
    const int sent = call(table_[socket].fd, done, count - done);
    if (sent > 0) {
      counters_.histogram(Counter::k_io_tx_1, static_cast<std::uint32_t>(sent));
      counters_.add(Counter::k_io_tx_messages, static_cast<std::uint64_t>(sent));
      for (int i = 0; i < sent; ++i) {
        const Run& run = *message_runs_[done + static_cast<unsigned>(i)];
        counters_.add(Counter::k_io_tx_datagrams, run.count);
        if (run.count > 1) counters_.histogram(Counter::k_io_gso_1, run.count);
      }
      done += static_cast<unsigned>(sent);
      continue;
    }
    if (!refused(socket, done, errno)) {
      while (done < count) drop(message_runs_[done++]->count, DropReason::k_socket_tx_dropped);
      return;
    }
    ++done;
  }
}

bool SocketSender::refused(std::uint32_t socket, unsigned message, int error) noexcept {
  if (count_full(error)) return false;
  const Run& run = *message_runs_[message];
  if (run.count > 1 && gso_refusal(error) && table_[socket].gso) {
    table_[socket].gso = false;
    gso_refused_ = true;
    counters_.add(Counter::k_io_gso_refused);
  }
  // Any other error concerns this destination, or is an ICMP error that waited on the socket and is told
  // once; one more try tells them apart.
  send_one_by_one(socket, run);
  return true;
}

void SocketSender::send_one_by_one(std::uint32_t socket, const Run& run) noexcept {
  Headers space;
  std::uint8_t at = run.first;
  for (unsigned i = 0; i < run.count; ++i, at = next_[at]) {
    const Bytes payload = datagrams_[at].payload;
    iovec vector{const_cast<std::uint8_t*>(payload.data()), payload.size()};
    msghdr header;
    fill_header(header, space, run, {&vector, 1});
    counters_.add(Counter::k_io_tx_calls);
    if (sendmsg(table_[socket].fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
      counters_.histogram(Counter::k_io_tx_1, 1);
      counters_.add(Counter::k_io_tx_messages);
      counters_.add(Counter::k_io_tx_datagrams);
      continue;
    }
    drop(1, count_full(errno) ? DropReason::k_socket_tx_dropped : DropReason::k_socket_tx_failed);
  }
}

void SocketSender::drop(std::uint32_t datagrams, DropReason reason) noexcept {
  counters_.drop(reason, datagrams);
  if (reason == DropReason::k_socket_tx_failed) counters_.add(Counter::k_io_tx_failed, datagrams);
}

// Whether `error` says that the send buffer or the kernel's memory is full.
bool SocketSender::count_full(int error) const noexcept {
  const bool block = error == EAGAIN || error == EWOULDBLOCK;
  const bool memory = error == ENOBUFS || error == ENOMEM;
  if (block) counters_.add(Counter::k_io_tx_would_block);
  if (memory) counters_.add(Counter::k_io_tx_no_buffer);
  return block || memory;
}

// There is no control message for IPv4's DF, so the socket carries it from one run to the next.
void SocketSender::set_dont_fragment(SocketEndpoint& endpoint, bool wanted) noexcept {
  const int value = wanted ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
  setsockopt(endpoint.fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, sizeof value);
  endpoint.dont_fragment = wanted;
}

}  // namespace turnpike::dataplane
