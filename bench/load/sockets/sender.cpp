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

Sender::Sender(const Ends& ends) : ends_(ends), options_(ends.options.sockets) {
  const auto& [to_peer, to_client] = ends.messages;
  buffer_.resize(options_.train * std::max(to_peer.largest(), to_client.largest()));
  for (auto& sequences : sequences_) sequences.resize(ends.sessions.size());
}

void Sender::send(std::uint32_t packets) {
  const auto& directions = options_.directions;
  for (std::uint32_t made = 0; made < packets; made += options_.train) {
    const std::uint64_t train = trains_++;
    const auto session = static_cast<std::uint32_t>(train / directions.size() % ends_.sessions.size());
    send_train(directions[train % directions.size()], session);
  }
}

void Sender::send_train(Direction direction, std::uint32_t session) {
  const Messages& messages = ends_.messages[direction];
  std::uint32_t& sequence = sequences_[direction][session];
  const std::uint64_t now = monotonic_ns();
  std::size_t end = 0;
  for (std::uint32_t i = 0; i < options_.train; ++i) {
    sizes_[i] = messages.write(session, sequence + i, now, buffer_.data() + end);
    end += sizes_[i];
  }
  StreamConnection* stream = ends_.sending_stream(direction, session);
  const int fd = ends_.sending_fd(direction, session);
  int sent = stream != nullptr ? transmit_stream(*stream, end) : transmit(fd, messages.all_alike());
  if (sent < 0 && errno == ECONNREFUSED) {  // of an earlier packet; this one has not been tried
    ++departures_.errors;
    sent = transmit(fd, messages.all_alike());
  }
  if (sent < 0) departures_.refusal = errno;
  const auto left = static_cast<std::uint32_t>(std::max(sent, 0));
  // What did not leave takes no numbers.
  sequence += left;
  departures_.sent += left;
  departures_.refused += options_.train - left;
}

int Sender::transmit_stream(StreamConnection& stream, std::size_t size) {
  if (stream.send(Bytes(buffer_).first(size))) return options_.train;
  errno = EAGAIN;
  return -1;
}

void Sender::flush() {
  for (std::uint32_t i = 0; i < ends_.sessions.size(); ++i) {
    if (StreamConnection* stream = ends_.clients.stream(i)) stream->flush();
  }
}

// How many packets left, or -1 and errno.
int Sender::transmit(int fd, bool all_alike) {
  if (options_.train == 1) return ::send(fd, buffer_.data(), sizes_[0], 0) < 0 ? -1 : 1;
  return options_.gso && all_alike ? transmit_segmented(fd) : transmit_batch(fd);
}

int Sender::transmit_segmented(int fd) {
  iovec part{buffer_.data(), sizes_[0] * options_.train};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
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
  return sendmsg(fd, &message, 0) < 0 ? -1 : options_.train;
}

int Sender::transmit_batch(int fd) {
  std::array<iovec, kMaxTrain> parts;
  std::array<mmsghdr, kMaxTrain> messages{};
  std::uint8_t* at = buffer_.data();
  for (std::size_t i = 0; i < options_.train; at += sizes_[i++]) {
    parts[i] = {at, sizes_[i]};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  return sendmmsg(fd, messages.data(), options_.train, 0);
}

}  // namespace turnpike::load
