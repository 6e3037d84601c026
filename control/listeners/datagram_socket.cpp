// SPDX-License-Identifier: BSD-3-Clause
// recvmmsg, sendmmsg, UDP_SEGMENT.
#include "control/listeners/datagram_socket.hpp"

#include <netinet/udp.h>

#include <array>
#include <cerrno>

#include "common/wire/socket_address.hpp"

namespace turnpike::control {
namespace {

using boost::system::error_code;

constexpr unsigned kMessages = 32;
constexpr std::size_t kDatagram = 2048;      // DTLS datagrams are cut to fit a link's MTU
constexpr std::size_t kMaxQueued = 1 << 20;  // bytes between two flushes
constexpr std::uint32_t kMaxSegments = 64;
constexpr std::uint32_t kMaxRun = 60000;
constexpr int kBuffer = 8 << 20;
constexpr int kBatchesAtOnce = 8;  // then the others have their turn

}  // namespace

struct DatagramSocket::Batch {
  std::array<mmsghdr, kMessages> messages{};
  std::array<iovec, kMessages> vectors;
  std::array<wire::SocketAddress, kMessages> addresses;
  struct alignas(cmsghdr) Control {
    std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
  };
  std::array<Control, kMessages> controls;
  std::array<std::uint32_t, kMessages> first;     // index of the first queued datagram of each message
  std::array<std::uint32_t, kMessages> segments;  // how many of them
  unsigned messages_used = 0;
  std::vector<std::uint8_t> received = std::vector<std::uint8_t>(kMessages * kDatagram);
};

DatagramSocket::DatagramSocket(boost::asio::io_context& io, UniqueFd fd, const wire::Endpoint& local,
                               Handler handler)
    : local_(local),
      handler_(std::move(handler)),
      socket_(io, fd.release()),
      batch_(std::make_unique<Batch>()) {
  const int descriptor = socket_.native_handle();
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) != 0) {
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  }
  setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &kBuffer, sizeof kBuffer);
  wait();
}

DatagramSocket::~DatagramSocket() = default;

void DatagramSocket::wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](error_code error) {
    if (error) return;
    receive();
    wait();
  });
}

void DatagramSocket::receive() {
  for (int batch = 0; batch < kBatchesAtOnce; ++batch) {
    for (unsigned i = 0; i < kMessages; ++i) {
      batch_->vectors[i] = {&batch_->received[i * kDatagram], kDatagram};
      batch_->messages[i].msg_hdr = {};
      batch_->messages[i].msg_hdr.msg_iov = &batch_->vectors[i];
      batch_->messages[i].msg_hdr.msg_iovlen = 1;
      batch_->messages[i].msg_hdr.msg_name = &batch_->addresses[i];
      batch_->messages[i].msg_hdr.msg_namelen = sizeof batch_->addresses[i];
    }
    const int count =
        recvmmsg(socket_.native_handle(), batch_->messages.data(), kMessages, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; ++i) {
      DtlsPath path;
      path.client = wire::from_kernel(batch_->addresses[static_cast<unsigned>(i)]);
      path.server = local_;
      const mmsghdr& message = batch_->messages[static_cast<unsigned>(i)];
      const bool cut = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
      if (!cut && path.client.port != 0 && path.client.address.family == local_.address.family) {
        handler_(*this, path, {&batch_->received[static_cast<unsigned>(i) * kDatagram], message.msg_len});
      }
    }
    if (count < static_cast<int>(kMessages)) break;
  }
  flush();
}

void DatagramSocket::send(const DtlsPath& path, Bytes datagram) {
  if (bytes_.size() + datagram.size() > kMaxQueued) {
    ++dropped_;
    return;
  }
  queued_.push_back(
      {path.client, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(datagram.size())});
  bytes_.insert(bytes_.end(), datagram.begin(), datagram.end());
}

// Messages from the queued datagrams from `first` on; how many datagrams they hold.
unsigned DatagramSocket::fill(unsigned first) {
  unsigned at = first;
  unsigned count = 0;
  for (; count < kMessages && at < queued_.size(); ++count) {
    const Queued& begin = queued_[at];
    std::uint32_t segments = 1;
    std::uint32_t size = begin.size;
    // Queued one behind the other, they lie one behind the other.
    while (at + segments < queued_.size() && segments < kMaxSegments) {
      const Queued& next = queued_[at + segments];
      const bool last_was_short = queued_[at + segments - 1].size < begin.size;
      if (last_was_short || next.size > begin.size || !(next.to == begin.to) || size + next.size > kMaxRun)
        break;
      size += next.size;
      ++segments;
    }
    msghdr& header = batch_->messages[count].msg_hdr;
    header = {};
    batch_->vectors[count] = {&bytes_[begin.offset], size};
    header.msg_iov = &batch_->vectors[count];
    header.msg_iovlen = 1;
    header.msg_name = &batch_->addresses[count];
    header.msg_namelen = wire::to_kernel(begin.to, batch_->addresses[count]);
    if (segments > 1) {
      header.msg_control = &batch_->controls[count];
      header.msg_controllen = sizeof batch_->controls[count];
      cmsghdr* control = CMSG_FIRSTHDR(&header);
      control->cmsg_level = IPPROTO_UDP;
      control->cmsg_type = UDP_SEGMENT;
      control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
      const auto segment = static_cast<std::uint16_t>(begin.size);
      std::memcpy(CMSG_DATA(control), &segment, sizeof segment);
    }
    batch_->first[count] = at;
    batch_->segments[count] = segments;
    at += segments;
  }
  batch_->messages_used = count;
  return at - first;
}

void DatagramSocket::flush() {
  const int fd = socket_.native_handle();
  for (unsigned at = 0; at < queued_.size();) {
    at += fill(at);
    for (unsigned done = 0; done < batch_->messages_used;) {
      const int sent = sendmmsg(fd, &batch_->messages[done], batch_->messages_used - done, MSG_DONTWAIT);
      if (sent > 0) {
        done += static_cast<unsigned>(sent);
        continue;
      }
      if (errno == EAGAIN || errno == ENOBUFS) {
        while (done < batch_->messages_used) dropped_ += batch_->segments[done++];
        break;
      }
      send_singly(done++);  // segments refused, or an error of this destination alone
    }
  }
  queued_.clear();
  bytes_.clear();
}

void DatagramSocket::send_singly(unsigned message) {
  const msghdr& header = batch_->messages[message].msg_hdr;
  for (std::uint32_t i = 0; i < batch_->segments[message]; ++i) {
    const Queued& one = queued_[batch_->first[message] + i];
    if (sendto(socket_.native_handle(), &bytes_[one.offset], one.size, MSG_DONTWAIT,
               static_cast<const sockaddr*>(header.msg_name), header.msg_namelen) < 0) {
      ++dropped_;
    }
  }
}

}  // namespace turnpike::control
