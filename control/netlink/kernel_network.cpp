// SPDX-License-Identifier: BSD-3-Clause
// The mirror: dumps at start, changes afterwards, everything anew when changes were lost.
#include "control/netlink/kernel_network.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace turnpike::control {
namespace {

using netlink::Socket;

constexpr std::size_t kMaxRememberedRoutes = 65536;

// Room for any request below; aligned as netlink headers need it.
struct alignas(NLMSG_ALIGNTO) Request {
  std::array<char, 512> bytes{};

  nlmsghdr* begin(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    return header;
  }
};

std::uint8_t family_of(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

void put_address(nlmsghdr* message, std::uint16_t type, const IpAddress& address) {
  mnl_attr_put(message, type, address.size(), address.bytes.data());
}

}  // namespace

Result<KernelNetwork> KernelNetwork::open() {
  auto changes = Socket::open({RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                               RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEIGH});
  if (!changes) return Error{changes.error()};
  auto requests = Socket::open();
  if (!requests) return Error{requests.error()};
  KernelNetwork network(std::move(*requests), std::move(*changes));
  if (auto read = network.read_all(); !read) return Error{read.error()};
  return network;
}

Status KernelNetwork::read_all() {
  links_.clear();
  addresses_.clear();
  neighbours_.clear();
  routes_.clear();
  for (const std::uint16_t type : {RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH}) {
    if (auto dumped = dump(type); !dumped) return dumped;
  }
  return Unit{};
}

Status KernelNetwork::dump(std::uint16_t type) {
  int error = 0;
  // EINTR: the kernel's table changed while it was being dumped.
  for (int attempt = 0; attempt < 5; ++attempt) {
    Request request;
    nlmsghdr* message = request.begin(type, NLM_F_DUMP);
    if (type == RTM_GETLINK) mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
    if (type == RTM_GETADDR) mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg));
    if (type == RTM_GETNEIGH) mnl_nlmsg_put_extra_header(message, sizeof(ndmsg));
    Changes ignored;
    error = requests_.request(message, [&](const nlmsghdr* answer) { apply(answer, ignored); });
    if (error != EINTR) break;
  }
  if (error == 0) return Unit{};
  return Error{"netlink: dump " + std::to_string(type) + ": " + std::strerror(error)};
}

void KernelNetwork::apply(const nlmsghdr* message, Changes& changed) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (const auto link = netlink::parse_link(message)) {
        if (message->nlmsg_type == RTM_NEWLINK) {
          links_[link->ifindex] = *link;
        } else {
          links_.erase(link->ifindex);
        }
        changed.links = changed.routes = true;
      }
      break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      if (const auto address = netlink::parse_address(message)) {
        apply_address(*address, message->nlmsg_type == RTM_NEWADDR);
        changed.addresses = changed.routes = true;
      }
      break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      if (const auto record = netlink::parse_neighbour(message)) {
        const auto key = std::pair(record->ifindex, record->address);
        if (message->nlmsg_type == RTM_NEWNEIGH) {
          neighbours_[key] = record->neighbour;
        } else {
          neighbours_.erase(key);
        }
        changed.neighbours = true;
      }
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWRULE:
    case RTM_DELRULE:
      changed.routes = true;
      break;
    default:
      break;
  }
}

void KernelNetwork::apply_address(const InterfaceAddress& address, bool added) {
  const auto same = [&](const InterfaceAddress& known) {
    return known.ifindex == address.ifindex && known.address == address.address;
  };
  std::erase_if(addresses_, same);
  if (added) addresses_.push_back(address);
}

KernelNetwork::Changes KernelNetwork::take_changes() {
  Changes changed;
  const bool complete = changes_.drain([&](const nlmsghdr* message) { apply(message, changed); });
  // When even reading anew fails, what is known stays partial until the next change.
  if (!complete && read_all()) changed = {true, true, true, true};
  if (changed.routes) routes_.clear();
  return changed;
}

const Link* KernelNetwork::link(std::uint32_t ifindex) const {
  const auto found = links_.find(ifindex);
  return found == links_.end() ? nullptr : &found->second;
}

Neighbour KernelNetwork::neighbour(std::uint32_t ifindex, const IpAddress& address) const {
  const auto found = neighbours_.find({ifindex, address});
  return found == neighbours_.end() ? Neighbour{} : found->second;
}

std::optional<Route> KernelNetwork::route(const IpAddress& destination, const IpAddress& source) {
  const auto key = std::pair(destination, source);
  if (const auto known = routes_.find(key); known != routes_.end()) return known->second;
  if (routes_.size() >= kMaxRememberedRoutes) routes_.clear();
  return routes_[key] = ask_route(destination, source);
}

std::optional<Route> KernelNetwork::ask_route(const IpAddress& destination, const IpAddress& source) {
  Request request;
  nlmsghdr* message = request.begin(RTM_GETROUTE, NLM_F_ACK);
  auto* body = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  body->rtm_family = family_of(destination);
  body->rtm_dst_len = static_cast<unsigned char>(destination.size() * 8);
  put_address(message, RTA_DST, destination);
  if (source.family == destination.family) {
    body->rtm_src_len = static_cast<unsigned char>(source.size() * 8);
    put_address(message, RTA_SRC, source);
  }
  std::optional<Route> route;
  const int error = requests_.request(message, [&](const nlmsghdr* answer) {
    if (auto parsed = netlink::parse_route(answer)) route = parsed;
  });
  if (error != 0) return std::nullopt;  // unreachable, prohibited, or the source is not ours
  return route;
}

void KernelNetwork::probe(std::uint32_t ifindex, const IpAddress& neighbour) {
  Request request;
  nlmsghdr* message = request.begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK);
  auto* body = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
  body->ndm_family = family_of(neighbour);
  body->ndm_ifindex = static_cast<int>(ifindex);
  body->ndm_state = NUD_NONE;
  body->ndm_flags =
      NTF_USE;  // as if a packet were about to be sent: starts ARP or ND, or confirms a stale entry
  put_address(message, NDA_DST, neighbour);
  if (requests_.request(message, [](const nlmsghdr*) {}) == EPERM) probes_refused_ = true;
}

}  // namespace turnpike::control
