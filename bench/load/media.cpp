// SPDX-License-Identifier: BSD-3-Clause
// Frames made, and what makes an arrival a good one.
#include "bench/load/media.hpp"

#include "tests/support/packet_builder.hpp"

namespace turnpike::load {
namespace {

std::size_t headers_size(bool v4) noexcept {
  return sizeof(wire::EthernetHeader) + (v4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header)) +
         sizeof(wire::UdpHeader);
}

}  // namespace

Outbox::Outbox(const Options& options, const std::vector<Session>& sessions) {
  for (std::uint32_t i = 0; i < sessions.size(); ++i) {
    const Session& session = sessions[i];
    test::UdpFrame frame;
    frame.source_mac = options.own_mac.bytes;
    frame.destination_mac = options.relay_mac.bytes;

    const Stamp to_peer{i, kToPeer, 0, 0, 0};
    frame.source = session.client;
    frame.destination = options.server;
    frame.payload = framed(options, session.peer, make_payload(to_peer, options.payload));
    lanes_[kToPeer].stamp_at = headers_size(options.client_ip.is_v4()) + prefix_size(options);
    store(lanes_[kToPeer], sessions.size(), to_peer, test::build(frame));

    const Stamp to_client{i, kToClient, 0, 0, 0};
    frame.source = session.peer;
    frame.destination = session.relay;
    frame.payload = make_payload(to_client, options.payload);
    lanes_[kToClient].stamp_at = headers_size(options.peer_ip.is_v4());
    store(lanes_[kToClient], sessions.size(), to_client, test::build(frame));
  }
}

void Outbox::store(Lane& lane, std::size_t sessions, const Stamp& stamp, Bytes frame) {
  const bool v4 = wire::load_be16(frame.data() + 12) == wire::kEtherTypeIpv4;
  if (lane.lines.empty()) {
    lane.frame.assign(frame.begin(), frame.end());
    // From the IPv4 header's checksum, or the IPv6 source address.
    lane.own_at = sizeof(wire::EthernetHeader) +
                  (v4 ? offsetof(wire::Ipv4Header, checksum) : offsetof(wire::Ipv6Header, source));
    lane.own_size = lane.stamp_at + offsetof(Stamp, sequence) - lane.own_at;
    lane.checksum_at = headers_size(v4) - sizeof(wire::UdpHeader) + offsetof(wire::UdpHeader, checksum);
    lane.record_size = sizeof(Flow) + (lane.own_size + kBlock - 1) / kBlock * kBlock;
    lane.lines_each = (lane.record_size + kCacheLine - 1) / kCacheLine;
    lane.lines.resize(sessions * lane.lines_each);
  }
  auto* const record = const_cast<std::uint8_t*>(lane.record(stamp.session));
  std::memcpy(record + sizeof(Flow), frame.data() + lane.own_at, lane.own_size);
  // From the field back to the sum: sequence, check and time were zero when it was computed.
  Flow flow;
  flow.key = key_of(stamp.session, stamp.direction);
  flow.sum.add(wire::Be16(static_cast<std::uint16_t>(~wire::load_be16(frame.data() + lane.checksum_at))));
  std::memcpy(record, &flow, sizeof flow);
}

Inspector::Inspector(const Options& options, const std::vector<Session>& sessions, const Outbox& outbox)
    : options_(options),
      sessions_(sessions),
      outbox_(outbox),
      at_client_(options.swap ? kToPeer : kToClient),
      at_peer_(options.swap ? kToClient : kToPeer),
      client_size_(headers_size(options.client_ip.is_v4()) + framing_size(options) + options.payload),
      peer_size_(headers_size(options.peer_ip.is_v4()) + options.payload),
      track_(options.verify == 1) {
  for (auto& windows : windows_) windows.resize(track_ ? sessions.size() : 0);
}

std::uint64_t* Inspector::judge(Arrival& arrival, Stamp& stamp) noexcept {
  if (!arrival.checksums_right) return &arrivals_.checksum;
  const bool loop = options_.port.null;  // nobody has turned it round
  if (loop) std::swap(arrival.source, arrival.destination);
  const std::uint32_t receiver = session_of_client(options_, arrival.destination);
  const bool at_client = receiver != options_.sessions;
  Bytes payload = arrival.payload;
  if (at_client) {
    const auto inner = unframe(options_, payload, sessions_[receiver].peer);
    if (!inner) return &arrivals_.corrupt;
    payload = *inner;
  }
  if (payload.size() != options_.payload) return &arrivals_.corrupt;
  std::memcpy(&stamp, payload.data(), sizeof stamp);
  const Direction expected = at_client ? at_client_ : at_peer_;
  if (stamp.session >= sessions_.size() || stamp.direction != expected ||
      stamp.check != check_of(key_of(stamp.session, expected), stamp.sequence, stamp.sent_ns) ||
      stamp.sequence >= outbox_.sent(expected, stamp.session) || !filler_right(payload, stamp)) {
    return &arrivals_.corrupt;
  }
  const Session& session = sessions_[stamp.session];
  const auto& [source, destination] =
      at_client ? std::pair(options_.server, session.client) : std::pair(session.relay, session.peer);
  if (arrival.source != source || arrival.destination != destination ||
      arrival.mac != (loop ? options_.relay_mac : options_.own_mac)) {
    return &arrivals_.address;
  }
  return track_ ? judge_order(stamp) : nullptr;
}

std::uint64_t* Inspector::judge_order(const Stamp& stamp) noexcept {
  SequenceWindow& window = windows_[stamp.direction][stamp.session];
  const std::uint32_t next = window.top();
  const Order order = window.take(stamp.sequence);
  if (order == Order::kDuplicate) return &arrivals_.duplicate;
  if (order == Order::kReordered) {
    ++arrivals_.reordered;
  } else {
    arrivals_.skipped += stamp.sequence - next;
  }
  return nullptr;
}

void Inspector::inspect(Bytes frame, std::uint64_t now_ns) noexcept {
  auto arrival = parse_udp(frame);
  if (!arrival) {
    ++arrivals_.foreign;
    return;
  }
  Stamp stamp;
  if (std::uint64_t* error = judge(*arrival, stamp)) {
    ++*error;
    return;
  }
  ++arrivals_.received[stamp.direction];
  ++arrivals_.verified;
  latencies_[stamp.direction].record(now_ns - std::min(now_ns, stamp.sent_ns));
}

}  // namespace turnpike::load
