// SPDX-License-Identifier: BSD-3-Clause
// The stages of the packet path, one file each, in the order in which a packet meets them. Every stage is
// noexcept, allocates nothing, calls no kernel function, takes no lock and logs nothing. A stage takes over
// the packets of its group: each is sent, handed on, or dropped with a reason.
#pragma once

#include "common/stun/message_view.hpp"
#include "dataplane/batch.hpp"
#include "dataplane/lcore.hpp"

namespace turnpike::dataplane {

struct Outgoing;

// ---- in: frames become packets of a batch
// -------------------------------------------------------------------------- A frame with its link-layer
// header, received on port `mbuf->port`.
void classify_burst(Lcore& lcore, Batch& batch, std::span<rte_mbuf* const> frames, bool fragmented) noexcept;
void classify_link(Lcore& lcore, Batch& batch, rte_mbuf* mbuf, bool fragmented) noexcept;
// An IP packet from one of our own relayed addresses.
void classify_hairpin(Lcore& lcore, Batch& batch, rte_mbuf* mbuf) noexcept;

// ---- relay
// ---------------------------------------------------------------------------------------------------------
void client_channel(Lcore& lcore, Batch& batch) noexcept;  // ChannelData, client to peer
void client_stun(Lcore& lcore, Batch& batch) noexcept;     // STUN from clients: sorts into the four below
void client_send(Lcore& lcore, Group& sends) noexcept;     // Send indications, client to peer
void binding(Lcore& lcore, Packet& packet, const stun::MessageView& request) noexcept;  // answered here
// Whether the client is one of denied-client-ip; then its packet has been dropped. Nobody with an allocation
// is.
bool drop_denied(Lcore& lcore, const Packet& packet) noexcept;
// Whether a request of a client that has proved nothing is served at all: its port, its source's rate, all
// sources' rate.
bool admit_unproved(Lcore& lcore, const Packet& packet) noexcept;
// A request that control would answer with 401 or 438, answered here. False: it is control's.
bool challenge(Lcore& lcore, Packet& packet, const stun::MessageView& request) noexcept;
void punt(Lcore& lcore, const Packet& packet, shm::Event kind) noexcept;  // requests, to control
void peer_data(Lcore& lcore, Batch& batch) noexcept;   // peer to client: ChannelData or Data indication
void icmp_error(Lcore& lcore, Batch& batch) noexcept;  // ICMP errors about relayed packets, to the client

// The drop reason of a message that is none.
shm::DropReason reason_of(stun::ParseError error) noexcept;

// ---- out
// -----------------------------------------------------------------------------------------------------------
// Back into the pipeline: the destination is one of our own addresses. The mbuf's data starts with the IP
// header.
void hairpin(Lcore& lcore, rte_mbuf* mbuf) noexcept;
// An IP packet larger than `mtu`, in fragments; the mbuf's data starts with the IP header.
void send_fragments(Lcore& lcore, rte_mbuf* mbuf, const NextHopEntry& hop, std::uint16_t mtu) noexcept;
// Tells the sender of `packet` by ICMP that `mtu` is the most that the way out takes. Rate-limited. Leaves
// the packet.
void report_too_big(Lcore& lcore, const Packet& packet, std::uint16_t mtu, bool out_v4) noexcept;
// To the kernel side of the port that the frame came from, or dropped with `reason` where there is none.
void to_host(Lcore& lcore, rte_mbuf* mbuf, shm::DropReason reason) noexcept;
// To the worker that owns the flow; and what other workers handed to us.
void hand_over(Lcore& lcore, const Packet& packet, WorkerIndex owner) noexcept;
WorkerIndex owner_of_client(const Packet& packet, WorkerIndex workers) noexcept;
std::uint32_t take_over(Lcore& lcore) noexcept;
// A datagram that control built: a response to a client.
void inject(Lcore& lcore, const shm::SendDatagram& request, Bytes payload) noexcept;

// A fresh buffer with `payload` in it, far enough from the front for any headers; nullptr (counted) when
// memory is exhausted or the payload does not fit one buffer. Sets `out` to it.
rte_mbuf* with_payload(Lcore& lcore, Bytes payload, Outgoing& out) noexcept;

// Clients that control serves: their media to a peer, and a finished message for one of them.
void send_to_peer(Lcore& lcore, const shm::SendToPeer& request, Bytes payload) noexcept;
void give_to_client(Lcore& lcore, std::uint32_t allocation, Bytes message) noexcept;

// A datagram of our own to the client of an allocation; on the way that a request came; an answer to
// `packet`, which it takes.
void send_on_flow(Lcore& lcore, const Flow& flow, Bytes payload) noexcept;
void send_on_path(Lcore& lcore, const shm::LinkPath& path, const wire::Endpoint& from,
                  const wire::Endpoint& to, Bytes payload) noexcept;
void reply(Lcore& lcore, const Packet& packet, const wire::Endpoint& from, const wire::Endpoint& to,
           Bytes payload) noexcept;
// The way that `packet` came.
shm::LinkPath path_of(const Packet& packet) noexcept;
// Frames from the kernel side of a port to the wire; how many.
std::uint32_t from_host(Lcore& lcore, const Port& port) noexcept;
// Once per pass, when something was queued for a process that sleeps.
void wake_control(Lcore& lcore) noexcept;
void wake_main(Lcore& lcore) noexcept;

// Runs all relay stages over a classified batch; what it sends to ourselves waits for relay_hairpins().
void relay(Lcore& lcore, Batch& batch) noexcept;
void relay_hairpins(Lcore& lcore, Batch& batch) noexcept;

}  // namespace turnpike::dataplane
