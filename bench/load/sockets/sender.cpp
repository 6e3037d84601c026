// SPDX-License-Identifier: BSD-3-Clause
// send, sendmsg with UDP_SEGMENT, sendmmsg, and connections.
#include "bench/load/sockets/sender.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bench/load/sockets/monotonic.hpp"

namespace turnpike::load {

Sender::Sender(const Ends& ends, std::vector<std::uint32_t> sessions)
    : ends_(ends),
      options_(ends.options.sockets),
      directions_(sending_directions(ends.options.sockets)),
      sessions_(std::move(sessions)) {
  const auto& [to_peer, to_client] = ends.messages;
  buffer_.resize(options_.train * std::max(to_peer.largest(), to_client.largest()));
  for (auto& sequences : sequences_) sequences.resize(ends.sessions.size());
}

void Sender::send(std::uint32_t packets) {
  if (sessions_.empty()) return;
  for (std::uint32_t made = 0; made < packets; made += options_.train) {
    const std::uint64_t train = trains_++;
    const std::uint32_t session = sessions_[train / directions_.size() % sessions_.size()];
    send_train(directions_[train % directions_.size()], session, options_.train);
  }
}

void Sender::greet() {
  for (const std::uint32_t session : sessions_) send_train(kToPeer, session, 1);
}

void Sender::send_train(Direction direction, std::uint32_t session, std::uint32_t train) {
  Remote* const to = ends_.remote(direction, session);
  if (to != nullptr && to->size == 0) return;  // its client has not been heard
  const Messages& messages = ends_.messages[direction];
  std::uint32_t& sequence = sequences_[direction][session];
  const std::uint64_t now = monotonic_ns();
  std::size_t end = 0;
  for (std::uint32_t i = 0; i < train; ++i) {
    sizes_[i] = messages.write(session, sequence + i, now, buffer_.data() + end);
    end += sizes_[i];
  }
  int sent = 0;
  if (ClientConnection* connection = ends_.sending_connection(direction, session)) {
    sent = static_cast<int>(connection->send(Bytes(buffer_).first(end), std::span(sizes_).first(train)));
  } else {
    const int fd = ends_.sending_fd(direction, session);
    sent = transmit(fd, train, messages.all_alike(), to);
    if (sent < 0 && errno == ECONNREFUSED) {  // of an earlier packet; this one has not been tried
      ++departures_.errors;
      sent = transmit(fd, train, messages.all_alike(), to);
    }
  }
  if (sent <= 0) departures_.refusal = errno;
  const auto left = static_cast<std::uint32_t>(std::max(sent, 0));
  // What did not leave takes no numbers.
  sequence += left;
  departures_.sent += left;
  departures_.refused += train - left;
}

void Sender::flush() {
  for (std::uint32_t i = 0; i < ends_.receivers(kToClient); ++i) {
    if (ClientConnection* connection = ends_.clients->connection(i)) connection->flush();
  }
}

// How many packets left, or -1 and errno.
int Sender::transmit(int fd, std::uint32_t train, bool all_alike, Remote* to) {
  if (train == 1) {
    const sockaddr* const address = to != nullptr ? &to->address.any : nullptr;
    const socklen_t size = to != nullptr ? to->size : 0;
    return ::sendto(fd, buffer_.data(), sizes_[0], 0, address, size) < 0 ? -1 : 1;
  }
  return options_.gso && all_alike ? transmit_segmented(fd, train, to) : transmit_batch(fd, train, to);
}

int Sender::transmit_segmented(int fd, std::uint32_t train, Remote* to) {
  iovec part{buffer_.data(), sizes_[0] * train};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
  if (to != nullptr) {
    message.msg_name = &to->address;
    message.msg_namelen = to->size;
  }
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto segment = static_cast<std::uint16_t>(sizes_[0]);
  std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
  return sendmsg(fd, &message, 0) < 0 ? -1 : static_cast<int>(train);
}

int Sender::transmit_batch(int fd, std::uint32_t train, Remote* to) {
  std::array<iovec, kMaxTrain> parts;
  std::array<mmsghdr, kMaxTrain> messages{};
  std::uint8_t* at = buffer_.data();
  for (std::size_t i = 0; i < train; at += sizes_[i++]) {
    parts[i] = {at, sizes_[i]};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    if (to == nullptr) continue;
    messages[i].msg_hdr.msg_name = &to->address;
    messages[i].msg_hdr.msg_namelen = to->size;
  }
  return sendmmsg(fd, messages.data(), train, 0);
}

}  // namespace turnpike::load
