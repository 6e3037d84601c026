// SPDX-License-Identifier: BSD-3-Clause
// Attribute walks over link, address, neighbour and route messages.
#include "control/netlink/parse.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace turnpike::control::netlink {
namespace {

template <typename Body>
const Body* body_of(const nlmsghdr* message, std::uint16_t type, std::uint16_t other_type) {
  if (message->nlmsg_type != type && message->nlmsg_type != other_type) return nullptr;
  if (mnl_nlmsg_get_payload_len(message) < sizeof(Body)) return nullptr;
  return static_cast<const Body*>(mnl_nlmsg_get_payload(message));
}

// libmnl's own macros need C's conversion from void*.
template <typename Visit>
void walk(const nlattr* attribute, const char* end, Visit visit) {
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    visit(attribute);
    attribute = mnl_attr_next(attribute);
  }
}

template <typename Visit>
void for_each_attribute(const nlmsghdr* message, std::size_t body_size, Visit visit) {
  // Not libmnl's tail, which counts padding behind the message in.
  walk(static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, body_size)),
       reinterpret_cast<const char*>(message) + message->nlmsg_len, visit);
}

template <typename Visit>
void for_each_nested(const nlattr* nest, Visit visit) {
  const auto* payload = static_cast<const char*>(mnl_attr_get_payload(nest));
  walk(reinterpret_cast<const nlattr*>(payload), payload + mnl_attr_get_payload_len(nest), visit);
}

std::optional<std::uint32_t> number(const nlattr* attribute) {
  if (mnl_attr_get_payload_len(attribute) < sizeof(std::uint32_t)) return std::nullopt;
  return mnl_attr_get_u32(attribute);
}

std::optional<IpAddress> address_of(int family, const void* bytes, std::size_t size) {
  const auto* octets = static_cast<const std::uint8_t*>(bytes);
  if (family == AF_INET && size >= 4) return IpAddress::v4_bytes(octets);
  if (family == AF_INET6 && size >= 16) return IpAddress::v6_bytes(octets);
  return std::nullopt;
}

std::optional<IpAddress> address_of(int family, const nlattr* attribute) {
  return address_of(family, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

bool copy_mac(const nlattr* attribute, MacAddress& mac) {
  if (mnl_attr_get_payload_len(attribute) != mac.size()) return false;
  std::memcpy(mac.data(), mnl_attr_get_payload(attribute), mac.size());
  return true;
}

std::string_view text_of(const nlattr* attribute) {
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, strnlen(text, mnl_attr_get_payload_len(attribute))};
}

// IFLA_LINKINFO of a VLAN device.
void parse_vlan(const nlattr* link_info, Link& link) {
  bool is_vlan = false;
  const nlattr* data = nullptr;
  for_each_nested(link_info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND) is_vlan = text_of(attribute) == "vlan";
    if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA) data = attribute;
  });
  if (!is_vlan || data == nullptr) return;
  for_each_nested(data, [&](const nlattr* attribute) {
    if (mnl_attr_get_payload_len(attribute) < sizeof(std::uint16_t)) return;
    const auto type = mnl_attr_get_type(attribute);
    if (type == IFLA_VLAN_ID) link.vlan = mnl_attr_get_u16(attribute);
    if (type == IFLA_VLAN_PROTOCOL) link.service_tag = ntohs(mnl_attr_get_u16(attribute)) == ETH_P_8021AD;
  });
}

NeighbourState state_of(const ndmsg& body, bool has_mac) {
  if ((body.ndm_state & NUD_FAILED) != 0) return NeighbourState::kFailed;
  if (!has_mac) return NeighbourState::kUnknown;
  if ((body.ndm_state & (NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)) != 0) {
    return NeighbourState::kUsable;
  }
  return (body.ndm_state & NUD_STALE) != 0 ? NeighbourState::kStale : NeighbourState::kUnknown;
}

}  // namespace

std::optional<Link> parse_link(const nlmsghdr* message) {
  const auto* body = body_of<ifinfomsg>(message, RTM_NEWLINK, RTM_DELLINK);
  // Bridges repeat their members' links in a family of their own.
  if (body == nullptr || body->ifi_family != AF_UNSPEC || body->ifi_index <= 0) return std::nullopt;
  Link link;
  link.ifindex = static_cast<std::uint32_t>(body->ifi_index);
  link.up = (body->ifi_flags & IFF_UP) != 0 && (body->ifi_flags & IFF_RUNNING) != 0;
  for_each_attribute(message, sizeof *body, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        link.name = text_of(attribute);
        break;
      case IFLA_ADDRESS:
        copy_mac(attribute, link.mac);
        break;
      case IFLA_MTU:
        link.mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(number(attribute).value_or(0), 65535));
        break;
      case IFLA_LINK:
        link.parent = number(attribute).value_or(0);
        break;
      case IFLA_LINKINFO:
        parse_vlan(attribute, link);
        break;
      default:
        break;
    }
  });
  // veth and tunnels name another device in IFLA_LINK too: only a VLAN device lies on top of it.
  if (link.vlan == 0) link.parent = 0;
  return link;
}

std::optional<InterfaceAddress> parse_address(const nlmsghdr* message) {
  const auto* body = body_of<ifaddrmsg>(message, RTM_NEWADDR, RTM_DELADDR);
  if (body == nullptr) return std::nullopt;
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  for_each_attribute(message, sizeof *body, [&](const nlattr* attribute) {
    // On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL ours.
    if (mnl_attr_get_type(attribute) == IFA_LOCAL) local = address_of(body->ifa_family, attribute);
    if (mnl_attr_get_type(attribute) == IFA_ADDRESS) address = address_of(body->ifa_family, attribute);
  });
  if (!local) local = address;
  if (!local || body->ifa_prefixlen > 8 * local->size()) return std::nullopt;
  return InterfaceAddress{body->ifa_index, *local, body->ifa_prefixlen, body->ifa_scope == RT_SCOPE_LINK};
}

std::optional<NeighbourRecord> parse_neighbour(const nlmsghdr* message) {
  const auto* body = body_of<ndmsg>(message, RTM_NEWNEIGH, RTM_DELNEIGH);
  if (body == nullptr || body->ndm_ifindex <= 0 || (body->ndm_flags & NTF_PROXY) != 0) return std::nullopt;
  NeighbourRecord record;
  record.ifindex = static_cast<std::uint32_t>(body->ndm_ifindex);
  std::optional<IpAddress> address;
  bool has_mac = false;
  for_each_attribute(message, sizeof *body, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NDA_DST) address = address_of(body->ndm_family, attribute);
    if (mnl_attr_get_type(attribute) == NDA_LLADDR) has_mac = copy_mac(attribute, record.neighbour.mac);
  });
  if (!address) return std::nullopt;
  record.address = *address;
  record.neighbour.state = state_of(*body, has_mac);
  return record;
}

std::optional<Route> parse_route(const nlmsghdr* message) {
  const auto* body = body_of<rtmsg>(message, RTM_NEWROUTE, RTM_NEWROUTE);
  if (body == nullptr) return std::nullopt;
  Route route;
  route.local = body->rtm_type == RTN_LOCAL;
  if (!route.local && body->rtm_type != RTN_UNICAST) return std::nullopt;
  for_each_attribute(message, sizeof *body, [&](const nlattr* attribute) {
    const auto type = mnl_attr_get_type(attribute);
    if (type == RTA_OIF) route.ifindex = number(attribute).value_or(0);
    if (type == RTA_GATEWAY) route.gateway = address_of(body->rtm_family, attribute).value_or(IpAddress{});
    if (type == RTA_VIA && mnl_attr_get_payload_len(attribute) > sizeof(rtvia)) {
      const auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attribute));
      const std::size_t size = mnl_attr_get_payload_len(attribute) - sizeof(rtvia);
      route.gateway = address_of(via->rtvia_family, via->rtvia_addr, size).value_or(IpAddress{});
    }
  });
  if (route.ifindex == 0 && !route.local) return std::nullopt;
  return route;
}

}  // namespace turnpike::control::netlink
