// SPDX-License-Identifier: BSD-3-Clause
// Datagrams that we send ourselves: answers made on the lcore and control's responses, back the way the
// request came.
#include "dataplane/header_template.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::DropReason;

constexpr std::uint16_t kRoomInFront = kMaxLinkHeader + sizeof(wire::Ipv6Header) + sizeof(wire::UdpHeader);

}  // namespace

rte_mbuf* with_payload(Lcore& lcore, Bytes payload, Outgoing& out) noexcept {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(lcore.mbufs);
  if (mbuf == nullptr) {
    lcore.count_drops(DropReason::k_no_mbuf, 1);
    return nullptr;
  }
  if (payload.size() + kRoomInFront > rte_pktmbuf_tailroom(mbuf)) {
    lcore.drop(mbuf, DropReason::k_too_big);
    return nullptr;
  }
  if (!payload.empty()) {
    std::memcpy(rte_pktmbuf_mtod(mbuf, std::uint8_t*) + kRoomInFront, payload.data(), payload.size());
  }
  out.payload = rte_pktmbuf_mtod(mbuf, std::uint8_t*) + kRoomInFront;
  out.size = static_cast<std::uint16_t>(payload.size());
  return mbuf;
}

void send_on_path(Lcore& lcore, const shm::LinkPath& path, const wire::Endpoint& from,
                  const wire::Endpoint& to, Bytes payload) noexcept {
  Flow flow;
  if (path.port >= lcore.ports.size() || !make_header(from, to, flow)) {
    return lcore.count(shm::Counter::k_commands_invalid);
  }
  Outgoing out;
  rte_mbuf* mbuf = with_payload(lcore, payload, out);
  if (mbuf == nullptr) return;
  out.checksum = computed_checksum(flow, out);
  NextHopEntry hop;
  hop.header_size =
      make_link_header(hop.header.data(), path.local_mac, path.remote_mac, path.vlan, path.outer_vlan);
  hop.port = path.port;
  emit_to(lcore, mbuf, flow, out, hop);
}

void send_on_flow(Lcore& lcore, const Flow& flow, Bytes payload) noexcept {
  if (flow.next_hop == kToControl) return give_to_client(lcore, flow.allocation, payload);
  const NextHopEntry* hop = lcore.next_hops.find(flow.next_hop);
  if (hop == nullptr) return lcore.count_drops(DropReason::k_next_hop_unresolved, 1);
  Outgoing out;
  rte_mbuf* mbuf = with_payload(lcore, payload, out);
  if (mbuf == nullptr) return;
  out.checksum = computed_checksum(flow, out);
  emit_to(lcore, mbuf, flow, out, *hop);
}

shm::LinkPath path_of(const Packet& packet) noexcept {
  shm::LinkPath path;
  const std::uint8_t* at = packet.ip - packet.link_size;
  path.port = packet.mbuf->port;
  std::memcpy(path.local_mac.data(), at, 6);
  std::memcpy(path.remote_mac.data(), at + 6, 6);
  const auto id = [&](std::size_t offset) {
    return static_cast<std::uint16_t>(wire::load_be16(at + offset) & 0x0FFF);
  };
  if (packet.link_size == 18) path.vlan = id(14);
  if (packet.link_size == 22) {
    path.outer_vlan = id(14);
    path.vlan = id(18);
  }
  return path;
}

void reply(Lcore& lcore, const Packet& packet, const wire::Endpoint& from, const wire::Endpoint& to,
           Bytes payload) noexcept {
  send_on_path(lcore, path_of(packet), from, to, payload);
  lcore.release(packet.mbuf);
}

void inject(Lcore& lcore, const shm::SendDatagram& request, Bytes payload) noexcept {
  // The response announces facts of this range; if one was refused, control answers with an error instead.
  if (request.first_fact != 0 && lcore.refused_seq >= request.first_fact &&
      lcore.refused_seq <= request.last_fact) {
    return lcore.count(shm::Counter::k_control_withheld);
  }
  const LocalAddresses::Entry* from = lcore.locals.find(request.from.address);
  if (from == nullptr || from->listener_port != request.from.port) {
    return lcore.count(shm::Counter::k_commands_invalid);
  }
  lcore.count(shm::Counter::k_control_datagrams);
  send_on_path(lcore, request.path, request.from, request.to, payload);
}

}  // namespace turnpike::dataplane
