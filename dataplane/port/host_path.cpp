// SPDX-License-Identifier: BSD-3-Clause
// Tap device and rings. The tap has no offloads, so the kernel hands over frames with finished checksums.
#include "dataplane/port/host_path.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "dataplane/port/netdev.hpp"

namespace turnpike::dataplane {
namespace {

void drop(shm::WorkerCounters& counts, shm::DropReason reason) {
  shm::add_relaxed(counts.drops[static_cast<std::size_t>(reason)], 1);
}

void drain(rte_ring* ring) {
  void* frame = nullptr;
  while (ring != nullptr && rte_ring_dequeue(ring, &frame) == 0)
    rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
  rte_ring_free(ring);
}

// A neighbour on this host leaves checksums to an offload that never runs on a virtual wire (virtio says so
// by RX_L4_CKSUM_NONE): the kernel behind the tap, which has no such flag, would drop the frame.
void finish_checksum(rte_mbuf* frame) {
  rte_net_hdr_lens lengths{};
  const std::uint32_t kind =
      rte_net_get_ptype(frame, &lengths, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
  const std::uint32_t l4 = kind & RTE_PTYPE_L4_MASK;
  if (l4 != RTE_PTYPE_L4_TCP && l4 != RTE_PTYPE_L4_UDP) return;
  const std::uint16_t l4_offset = lengths.l2_len + lengths.l3_len;
  const std::uint16_t field = l4_offset + (l4 == RTE_PTYPE_L4_TCP ? offsetof(rte_tcp_hdr, cksum)
                                                                  : offsetof(rte_udp_hdr, dgram_cksum));
  if (field + sizeof(rte_be16_t) > rte_pktmbuf_data_len(frame)) return;
  auto* checksum = rte_pktmbuf_mtod_offset(frame, rte_be16_t*, field);
  *checksum = 0;
  const void* ip = rte_pktmbuf_mtod_offset(frame, const void*, lengths.l2_len);
  *checksum = RTE_ETH_IS_IPV4_HDR(kind)
                  ? rte_ipv4_udptcp_cksum_mbuf(frame, static_cast<const rte_ipv4_hdr*>(ip), l4_offset)
                  : rte_ipv6_udptcp_cksum_mbuf(frame, static_cast<const rte_ipv6_hdr*>(ip), l4_offset);
}

}  // namespace

Result<std::unique_ptr<HostPath>> HostPath::create(const HostPathConfig& config) {
  std::unique_ptr<HostPath> path(new HostPath);
  path->name_ = config.name;
  path->mbufs_ = config.mbufs;
  if (auto done = path->open_tap(config); !done) return Error{done.error()};
  if (auto done = path->make_rings(config); !done) return Error{done.error()};
  return path;
}

HostPath::~HostPath() {
  if (fd_ >= 0) {
    if (!kept_) ioctl(fd_, TUNSETPERSIST, 0);
    close(fd_);
  }
  drain(queues_.to_host);
  drain(queues_.from_host);
}

Status HostPath::open_tap(const HostPathConfig& config) {
  const auto failed = [&](const std::string& what) {
    return Error{"twin=" + config.name + ": " + what + ": " + std::strerror(errno)};
  };
  const bool found = if_nametoindex(config.name.c_str()) != 0;
  if (found && !is_tap(config.name)) {
    return Error{"twin=" + config.name + ": there is a netdev of this name; give another with twin=NAME"};
  }
  fd_ = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0)
    return failed("/dev/net/tun (modprobe tun, or give the container the device; twin=none does without)");
  ifreq request{};
  std::strncpy(request.ifr_name, config.name.c_str(), IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (found ? 0 : IFF_TUN_EXCL));
  if (ioctl(fd_, TUNSETIFF, &request) != 0) {
    return failed(found
                      ? "taking over the tap device of this name (another program may have it; give another "
                        "with twin=NAME)"
                      : "making the tap device (needs root or CAP_NET_ADMIN)");
  }
  if (ioctl(fd_, TUNSETPERSIST, 1) != 0) return failed("having the tap device outlive this program");
  if (ioctl(fd_, TUNSETOFFLOAD, 0) != 0) return failed("switching offloads off");
  if (auto done = set_netdev_mac(config.name, config.mac); !done) return done;
  if (auto done = set_netdev_mtu(config.name, config.mtu); !done) return done;
  if (auto done = set_netdev_up(config.name); !done) return done;
  ifindex_ = if_nametoindex(config.name.c_str());
  return Unit{};
}

Status HostPath::make_rings(const HostPathConfig& config) {
  const std::string suffix = std::to_string(config.port);
  queues_.to_host = rte_ring_create(("to_host_" + suffix).c_str(), kRingSize, SOCKET_ID_ANY, RING_F_SC_DEQ);
  queues_.from_host = rte_ring_create(("from_host_" + suffix).c_str(), kRingSize, SOCKET_ID_ANY,
                                      RING_F_SP_ENQ | RING_F_SC_DEQ);
  if (queues_.to_host == nullptr || queues_.from_host == nullptr) {
    return Error{"twin=" + config.name + ": no memory for its rings (" + rte_strerror(rte_errno) +
                 "); raise --memory"};
  }
  return Unit{};
}

bool HostPath::from_kernel(shm::WorkerCounters& counts) {
  for (unsigned i = 0; i < kBatch; ++i) {
    rte_mbuf* frame = rte_pktmbuf_alloc(mbufs_);
    if (frame == nullptr) {
      drop(counts, shm::DropReason::k_no_mbuf);
      return true;
    }
    const ssize_t size = read(fd_, rte_pktmbuf_mtod(frame, void*), rte_pktmbuf_tailroom(frame));
    if (size <= 0) {
      rte_pktmbuf_free(frame);
      return size == 0 || errno == EAGAIN || errno == EINTR;
    }
    frame->data_len = static_cast<std::uint16_t>(size);
    frame->pkt_len = static_cast<std::uint32_t>(size);
    if (rte_ring_enqueue(queues_.from_host, frame) != 0) {
      rte_pktmbuf_free(frame);
      drop(counts, shm::DropReason::k_host_path_full);
    }
  }
  return true;
}

void HostPath::to_kernel(shm::WorkerCounters& counts) {
  std::array<void*, kBatch> frames;
  const unsigned count = rte_ring_dequeue_burst(queues_.to_host, frames.data(), kBatch, nullptr);
  for (unsigned i = 0; i < count; ++i) {
    auto* frame = static_cast<rte_mbuf*>(frames[i]);
    if ((frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE)
      finish_checksum(frame);
    std::array<iovec, 8> parts;
    unsigned part_count = 0;
    for (rte_mbuf* part = frame; part != nullptr && part_count < parts.size(); part = part->next) {
      parts[part_count++] = {rte_pktmbuf_mtod(part, void*), part->data_len};
    }
    if (writev(fd_, parts.data(), static_cast<int>(part_count)) != static_cast<ssize_t>(frame->pkt_len)) {
      drop(counts, shm::DropReason::k_host_path_full);
    }
    rte_pktmbuf_free(frame);
  }
}

void HostPath::set_carrier(bool up) {
  int carrier = up ? 1 : 0;
  ioctl(fd_, TUNSETCARRIER,
        &carrier);  // kernels before 5.0 do not know it: the twin then seems always connected
}

}  // namespace turnpike::dataplane
