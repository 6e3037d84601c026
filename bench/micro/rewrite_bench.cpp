// SPDX-License-Identifier: BSD-3-Clause
// New headers in front of a payload, checksums included. The rival writes them from endpoints and has DPDK's
// helpers sum up header and payload, as a program without finished headers does.
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <array>
#include <cstring>

#include "bench/micro/relay.hpp"
#include "common/stun/channel_data.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::bench {
namespace {

using dataplane::Flow;
using dataplane::Outgoing;
using dataplane::Packet;

constexpr std::size_t kHeader = stun::kChannelDataHeaderSize;

// A classified burst of ChannelData with the flow of each packet. Writing headers again and again over the
// same place changes no payload, so one burst serves all iterations.
class Classified {
public:
  explicit Classified(const benchmark::State& state) : relay_(Relay::instance()) {
    const Load load{Kind::kChannelToPeer, state.range(0) == 4 ? wire::Family::kIpv4 : wire::Family::kIpv6,
                    static_cast<std::size_t>(state.range(1))};
    dataplane::Lcore& lcore = relay_.lcore();
    std::size_t next = 0;
    relay_.receive(load, relay_.frames(load), next, burst_);
    lcore.batch.clear();
    for (rte_mbuf* frame : burst_) dataplane::classify_link(lcore, lcore.batch, frame, false);
    if (lcore.batch.client_channel.count != kBatch) give_up("rewrite: a frame was not classified");
    for (std::size_t i = 0; i < kBatch; ++i) {
      Packet& packet = *lcore.batch.client_channel.packets[i];
      packet.key.tag = wire::load_be16(packet.payload);
      packets[i] = &packet;
      flows[i] = &lcore.tables->channel_to_peer(lcore.tables->find(packet.key));
      removed[i] = wire::sum(Bytes(packet.payload, kHeader));
    }
  }
  ~Classified() { rte_pktmbuf_free_bulk(burst_.data(), burst_.size()); }
  Classified(const Classified&) = delete;
  Classified& operator=(const Classified&) = delete;

  Outgoing outgoing(std::size_t i) const {
    Outgoing out;
    out.payload = packets[i]->payload + kHeader;
    out.size = static_cast<std::uint16_t>(packets[i]->payload_size - kHeader);
    dataplane::copy_ip_fields(*packets[i], *flows[i], out);
    return out;
  }
  // The frames that went out stay ours.
  void forget_sent() {
    for (std::uint16_t port : {0, 1}) static_cast<SinkPort&>(relay_.port(port)).taken.clear();
  }
  dataplane::Lcore& lcore() { return relay_.lcore(); }
  Relay& relay() { return relay_; }

  std::array<const Packet*, kBatch> packets;
  std::array<const Flow*, kBatch> flows;
  std::array<wire::ChecksumSum, kBatch> removed;

private:
  Relay& relay_;
  Burst burst_;
};

void rewrite(benchmark::State& state) {
  Classified burst(state);
  dataplane::Lcore& lcore = burst.lcore();
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      Outgoing out = burst.outgoing(i);
      out.checksum =
          dataplane::carried_checksum(lcore, *burst.packets[i], *burst.flows[i], out, burst.removed[i], {});
      dataplane::emit(lcore, *burst.packets[i], *burst.flows[i], out);
    }
    dataplane::flush(lcore);
    burst.forget_sent();
  }
  count_items(state, kBatch);
}

// What the rival knows of a flow: endpoints in network byte order.
struct Addresses {
  rte_ether_hdr ethernet{};
  std::array<std::uint8_t, 16> source{};
  std::array<std::uint8_t, 16> destination{};
  rte_be16_t source_port = 0;
  rte_be16_t destination_port = 0;
};

Addresses addresses_of(const Flow& flow) {
  Addresses found;
  const bool v4 = flow.is_v4();
  found.ethernet.ether_type = rte_cpu_to_be_16(v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
  const std::uint8_t* source = flow.header.data() + (v4 ? 12 : 8);
  const std::size_t size = v4 ? 4 : 16;
  std::memcpy(found.source.data(), source, size);
  std::memcpy(found.destination.data(), source + size, size);
  std::memcpy(&found.source_port, source + 2 * size, 2);
  std::memcpy(&found.destination_port, source + 2 * size + 2, 2);
  return found;
}

rte_udp_hdr* naive_udp(const Addresses& to, const Outgoing& out) {
  auto* udp = reinterpret_cast<rte_udp_hdr*>(out.payload) - 1;
  udp->src_port = to.source_port;
  udp->dst_port = to.destination_port;
  udp->dgram_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof *udp + out.size));
  udp->dgram_cksum = 0;
  return udp;
}

std::uint8_t* naive_v4(const Addresses& to, const Outgoing& out, std::uint16_t identification) {
  rte_udp_hdr* udp = naive_udp(to, out);
  auto* ip = reinterpret_cast<rte_ipv4_hdr*>(udp) - 1;
  *ip = {};
  ip->version_ihl = RTE_IPV4_VHL_DEF;
  ip->type_of_service = out.traffic_class;
  ip->total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof *ip + sizeof *udp + out.size));
  ip->packet_id = rte_cpu_to_be_16(identification);
  ip->time_to_live = out.ttl;
  ip->next_proto_id = IPPROTO_UDP;
  std::memcpy(&ip->src_addr, to.source.data(), 4);
  std::memcpy(&ip->dst_addr, to.destination.data(), 4);
  ip->hdr_checksum = rte_ipv4_cksum(ip);
  udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
  return reinterpret_cast<std::uint8_t*>(ip);
}

std::uint8_t* naive_v6(const Addresses& to, const Outgoing& out) {
  rte_udp_hdr* udp = naive_udp(to, out);
  auto* ip = reinterpret_cast<rte_ipv6_hdr*>(udp) - 1;
  *ip = {};
  ip->vtc_flow = rte_cpu_to_be_32(6U << 28 | std::uint32_t{out.traffic_class} << 20);
  ip->payload_len = udp->dgram_len;
  ip->proto = IPPROTO_UDP;
  ip->hop_limits = out.ttl;
  std::memcpy(ip->src_addr, to.source.data(), 16);
  std::memcpy(ip->dst_addr, to.destination.data(), 16);
  udp->dgram_cksum = rte_ipv6_udptcp_cksum(ip, udp);
  return reinterpret_cast<std::uint8_t*>(ip);
}

void rewrite_from_endpoints(benchmark::State& state) {
  Classified burst(state);
  std::array<Addresses, kBatch> flows;
  for (std::size_t i = 0; i < kBatch; ++i) flows[i] = addresses_of(*burst.flows[i]);
  Burst frames;
  std::uint16_t identification = 0;
  const bool v4 = state.range(0) == 4;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      const Outgoing out = burst.outgoing(i);
      std::uint8_t* frame = v4 ? naive_v4(flows[i], out, identification++) : naive_v6(flows[i], out);
      frame -= sizeof(rte_ether_hdr);
      std::memcpy(frame, &flows[i].ethernet, sizeof(rte_ether_hdr));
      rte_mbuf* mbuf = burst.packets[i]->mbuf;
      mbuf->data_off = static_cast<std::uint16_t>(frame - static_cast<std::uint8_t*>(mbuf->buf_addr));
      mbuf->data_len = static_cast<std::uint16_t>(out.payload + out.size - frame);
      mbuf->pkt_len = mbuf->data_len;
      frames[i] = mbuf;
    }
    burst.relay().port(1).tx(0, frames);
    burst.forget_sent();
  }
  count_items(state, kBatch);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"family", "payload"})->ArgsProduct({{4, 6}, {120, 1200}});
}

BENCHMARK(rewrite)->Name("rewrite/turnpike")->Apply(sizes);
BENCHMARK(rewrite_from_endpoints)->Name("rewrite/from-endpoints")->Apply(sizes);

}  // namespace
}  // namespace turnpike::bench
