// SPDX-License-Identifier: BSD-3-Clause
// Netdevs by ioctl and sysfs.
#include "dataplane/port/netdev.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace turnpike::dataplane {
namespace {

// An ifreq for `name` and a socket to send it through.
class Request {
public:
  explicit Request(const std::string& name) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::strncpy(ifr.ifr_name, name.c_str(), IFNAMSIZ - 1);
  }
  ~Request() {
    if (socket_ >= 0) close(socket_);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  bool send(unsigned long what) { return ioctl(socket_, what, &ifr) == 0; }
  template <typename T>
  bool ethtool(T& command) {
    ifr.ifr_data = reinterpret_cast<char*>(&command);
    return send(SIOCETHTOOL);
  }

  ifreq ifr{};

private:
  int socket_;
};

Error failed(const std::string& name, const char* what) {
  return Error{name + ": " + what + ": " + std::strerror(errno)};
}

}  // namespace

std::optional<Netdev> read_netdev(const std::string& name) {
  Netdev netdev;
  Request request(name);
  if (!request.send(SIOCGIFINDEX)) return {};
  netdev.ifindex = static_cast<unsigned>(request.ifr.ifr_ifindex);
  if (!request.send(SIOCGIFHWADDR)) return {};
  std::memcpy(netdev.mac.data(), request.ifr.ifr_hwaddr.sa_data, netdev.mac.size());
  if (!request.send(SIOCGIFMTU)) return {};
  netdev.mtu = static_cast<std::uint32_t>(request.ifr.ifr_mtu);
  if (!request.send(SIOCGIFFLAGS)) return {};
  netdev.up = (request.ifr.ifr_flags & IFF_UP) != 0;
  netdev.running = netdev.up && (request.ifr.ifr_flags & IFF_RUNNING) != 0;
  return netdev;
}

std::string netdev_driver(const std::string& name) {
  Request request(name);
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  if (!request.ethtool(info)) return "";
  return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

bool is_tap(const std::string& name) {
  return access(("/sys/class/net/" + name + "/tun_flags").c_str(), F_OK) == 0;
}

std::uint32_t netdev_rx_queues(const std::string& name) {
  Request request(name);
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (!request.ethtool(channels)) return 1;
  return std::max(1u, channels.combined_count + channels.rx_count);
}

int netdev_numa_node(const std::string& name) {
  std::ifstream file("/sys/class/net/" + name + "/device/numa_node");
  int node = -1;
  return file >> node ? node : -1;
}

Status set_netdev_mac(const std::string& name, const shm::MacAddress& mac) {
  Request request(name);
  request.ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr.ifr_hwaddr.sa_data, mac.data(), mac.size());
  if (!request.send(SIOCSIFHWADDR)) return failed(name, "setting the MAC address");
  return Unit{};
}

Status set_netdev_mtu(const std::string& name, std::uint32_t mtu) {
  Request request(name);
  request.ifr.ifr_mtu = static_cast<int>(mtu);
  if (!request.send(SIOCSIFMTU)) return failed(name, "setting the MTU");
  return Unit{};
}

Status set_netdev_up(const std::string& name) {
  Request request(name);
  if (!request.send(SIOCGIFFLAGS)) return failed(name, "reading the flags");
  request.ifr.ifr_flags |= IFF_UP;
  if (!request.send(SIOCSIFFLAGS)) return failed(name, "setting the device up");
  return Unit{};
}

bool set_vlan_stripping(const std::string& name, bool on) {
  Request request(name);
  ethtool_value flags{};
  flags.cmd = ETHTOOL_GFLAGS;
  if (!request.ethtool(flags) || ((flags.data & ETH_FLAG_RXVLAN) != 0) == on) return false;
  flags.cmd = ETHTOOL_SFLAGS;
  flags.data ^= ETH_FLAG_RXVLAN;
  return request.ethtool(flags);
}

}  // namespace turnpike::dataplane
