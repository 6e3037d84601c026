// SPDX-License-Identifier: BSD-3-Clause
// The kernel UDP sockets of one worker: its listeners and the relayed addresses of its allocations.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/base/result.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::dataplane {

inline constexpr std::uint32_t kNoSocket = 0xFFFFFFFF;

struct SocketEndpoint {
  int fd = -1;  // -1: free
  wire::Endpoint local;
  bool listener = false;
  bool gso = true;                 // until the kernel refuses it
  bool dont_fragment = false;      // what IP_MTU_DISCOVER says at the moment (IPv4)
  std::uint32_t users = 0;         // allocations on it: several where peers are multiplexed
  std::uint32_t next = kNoSocket;  // another address with the same family and port
};

struct SocketBuffers {
  int receive = 0;  // bytes, as the kernel granted them
  int send = 0;
};

// Opens a bound, non-blocking UDP socket with all that relaying needs: TTL and TOS of what comes in, ICMP
// errors, large buffers, receive offload. `share`: several workers listen on the address (SO_REUSEPORT).
// Returns the descriptor, or -errno.
int open_socket(const wire::Endpoint& local, bool listener, bool share, bool gro) noexcept;
SocketBuffers buffers_of(int fd) noexcept;

// Found by address and port on the way out. Only its worker touches it, once the worker runs.
class SocketTable {
public:
  // At most `capacity` sockets.
  explicit SocketTable(std::uint32_t capacity);
  ~SocketTable();
  SocketTable(const SocketTable&) = delete;
  SocketTable& operator=(const SocketTable&) = delete;

  // Takes `fd`. kNoSocket: the table is full, and `fd` still the caller's.
  std::uint32_t add(int fd, const wire::Endpoint& local, bool listener) noexcept;
  void remove(std::uint32_t index) noexcept;  // closes
  std::uint32_t find(const wire::IpAddress& address, std::uint16_t port) const noexcept;

  SocketEndpoint& operator[](std::uint32_t index) noexcept { return endpoints_[index]; }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(endpoints_.size()); }

private:
  std::uint32_t& chain(const wire::IpAddress& address, std::uint16_t port) noexcept {
    return by_port_[address.is_v4() ? 0 : 1][port];
  }

  std::vector<SocketEndpoint> endpoints_;
  std::vector<std::uint32_t> free_;
  std::array<std::vector<std::uint32_t>, 2> by_port_;  // [family][port] first socket
};

}  // namespace turnpike::dataplane
