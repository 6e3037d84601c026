// SPDX-License-Identifier: BSD-3-Clause
// The XDP program of an xdp port: relay traffic goes to the workers, everything else to the kernel untouched.
//
// Taken: UDP to a listening port or to a relay range on one of our addresses, and ICMP errors about packets
// that were sent from a relay range. Left to the kernel: fragments, IPv6 with extension headers, DTLS to a
// listening port (first byte 20..63, RFC 7983), whatever is cut short, and all the rest.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/port/split_map.h"

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __type(key, __u32);
  __type(value, __u32);
  __uint(max_entries, TURNPIKE_MAX_QUEUES);
} xsks_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, struct turnpike_local_key);
  __type(value, struct turnpike_local_ports);
  __uint(max_entries, TURNPIKE_MAX_LOCAL);
} turnpike_local SEC(".maps");

// libxdp, which opens the AF_XDP sockets, recognises a program that is attached already by this version and
// by the function's name, and puts its sockets into that program's xsks_map. There is no count of sockets for
// it to keep: the program is ours to detach.
__uint(xsk_prog_version, 1) SEC("xdp_metadata");

struct vlan_tag {
  __be16 tci;
  __be16 protocol;
};

struct icmp_error {
  __u8 type;
  __u8 code;
  __be16 checksum;
  __be32 unused;
};

enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };
enum { IPV4_DF_AND_RESERVED = 0xC000 };
enum { ICMPV4_UNREACHABLE = 3, ICMPV4_TIME_EXCEEDED = 11 };
enum { ICMPV6_UNREACHABLE = 1, ICMPV6_TIME_EXCEEDED = 3 };

#define FITS(pointer, end) ((void*)((pointer) + 1) <= (end))

static __always_inline struct turnpike_local_ports* ports_of_v4(__be32 address) {
  struct turnpike_local_key key = {};

  __builtin_memcpy(key.address, &address, sizeof(address));
  key.family = FAMILY_IPV4;
  return bpf_map_lookup_elem(&turnpike_local, &key);
}

static __always_inline struct turnpike_local_ports* ports_of_v6(const struct in6_addr* address) {
  struct turnpike_local_key key;

  __builtin_memcpy(key.address, address, sizeof(key.address));
  key.family = FAMILY_IPV6;
  return bpf_map_lookup_elem(&turnpike_local, &key);
}

static __always_inline int is_relay_port(const struct turnpike_local_ports* ports, __u16 port) {
  return ports->relay_min != 0 && port >= ports->relay_min && port <= ports->relay_max;
}

static __always_inline int is_udp_for_us(const struct turnpike_local_ports* ports, const struct udphdr* udp,
                                         void* end) {
  const __u8* payload = (const __u8*)(udp + 1);
  __u16 port;

  if (!FITS(udp, end)) return 0;
  port = bpf_ntohs(udp->dest);
  if (is_relay_port(ports, port)) return 1;
  if (ports->listener == 0 || port != ports->listener) return 0;
  return !FITS(payload, end) || *payload < 20 || *payload > 63;
}

// `ip` quotes a packet of ours: was it UDP from one of our relay ports?
static __always_inline int quotes_relay_v4(const struct iphdr* ip, void* end) {
  const struct turnpike_local_ports* ports;
  const struct udphdr* udp;

  if (!FITS(ip, end) || ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_UDP) return 0;
  if (ip->frag_off & bpf_htons(0x1FFF))  // not the first fragment: no ports in it
    return 0;
  udp = (const void*)ip + ip->ihl * 4;
  if (!FITS(udp, end)) return 0;
  ports = ports_of_v4(ip->saddr);
  return ports && is_relay_port(ports, bpf_ntohs(udp->source));
}

static __always_inline int quotes_relay_v6(const struct ipv6hdr* ip, void* end) {
  const struct udphdr* udp = (const void*)(ip + 1);
  const struct turnpike_local_ports* ports;

  if (!FITS(ip, end) || ip->version != 6 || ip->nexthdr != IPPROTO_UDP || !FITS(udp, end)) return 0;
  ports = ports_of_v6(&ip->saddr);
  return ports && is_relay_port(ports, bpf_ntohs(udp->source));
}

static __always_inline int is_ours_v4(const struct iphdr* ip, void* end) {
  const struct turnpike_local_ports* ports;
  const struct icmp_error* icmp;
  const void* transport;

  if (!FITS(ip, end) || ip->version != 4 || ip->ihl < 5) return 0;
  if (ip->frag_off & bpf_htons((__u16)~IPV4_DF_AND_RESERVED)) return 0;
  transport = (const void*)ip + ip->ihl * 4;
  if (ip->protocol == IPPROTO_UDP) {
    ports = ports_of_v4(ip->daddr);
    return ports && is_udp_for_us(ports, transport, end);
  }
  if (ip->protocol != IPPROTO_ICMP) return 0;
  icmp = transport;
  if (!FITS(icmp, end) || (icmp->type != ICMPV4_UNREACHABLE && icmp->type != ICMPV4_TIME_EXCEEDED)) return 0;
  return quotes_relay_v4((const void*)(icmp + 1), end);
}

static __always_inline int is_ours_v6(const struct ipv6hdr* ip, void* end) {
  const struct turnpike_local_ports* ports;
  const struct icmp_error* icmp;

  if (!FITS(ip, end) || ip->version != 6) return 0;
  if (ip->nexthdr == IPPROTO_UDP) {
    ports = ports_of_v6(&ip->daddr);
    return ports && is_udp_for_us(ports, (const void*)(ip + 1), end);
  }
  if (ip->nexthdr != IPPROTO_ICMPV6) return 0;
  icmp = (const void*)(ip + 1);
  if (!FITS(icmp, end) || icmp->type < ICMPV6_UNREACHABLE || icmp->type > ICMPV6_TIME_EXCEEDED) return 0;
  return quotes_relay_v6((const void*)(icmp + 1), end);
}

SEC("xdp")
int xsk_def_prog(struct xdp_md* context) {
  void* end = (void*)(long)context->data_end;
  const struct ethhdr* ethernet = (const void*)(long)context->data;
  const void* network = ethernet + 1;
  __be16 protocol;
  int ours = 0;

  if (!FITS(ethernet, end)) return XDP_PASS;
  protocol = ethernet->h_proto;
#pragma unroll
  for (int tags = 0; tags < 2; ++tags) {
    const struct vlan_tag* tag = network;

    if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD)) break;
    if (!FITS(tag, end)) return XDP_PASS;
    protocol = tag->protocol;
    network = tag + 1;
  }

  if (protocol == bpf_htons(ETH_P_IP))
    ours = is_ours_v4(network, end);
  else if (protocol == bpf_htons(ETH_P_IPV6))
    ours = is_ours_v6(network, end);
  if (!ours) return XDP_PASS;
  // A queue that no worker reads has no socket in the map: the kernel gets the packet.
  return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

char license_text[] SEC("license") = "Dual BSD/GPL";
