// SPDX-License-Identifier: BSD-3-Clause
// Templates, stamps, and what makes an arrival a good one.
#include "bench/load/media.hpp"

#include <algorithm>

#include "common/stun/channel_data.hpp"
#include "common/stun/data_indication.hpp"
#include "common/stun/message_writer.hpp"
#include "tests/support/packet_builder.hpp"

namespace turnpike::load {
namespace {

constexpr std::uint32_t kPortsPerAddress = 50'000;
constexpr std::uint16_t kFirstPort = 10'000;
constexpr std::uint16_t kFirstRelayPort = 49'152;  // of swap's invented ones
constexpr std::uint32_t kRelayPorts = 16'384;

wire::IpAddress plus(wire::IpAddress address, std::uint32_t offset) noexcept {
  std::uint8_t* low = address.bytes.data() + address.size() - 4;
  wire::store_be32(low, wire::load_be32(low) + offset);
  return address;
}

wire::Endpoint endpoint_of(const wire::IpAddress& first, std::uint32_t session) noexcept {
  return {plus(first, session / kPortsPerAddress), 0,
          static_cast<std::uint16_t>(kFirstPort + session % kPortsPerAddress)};
}

std::uint32_t key_of(std::uint32_t session, std::uint32_t direction) noexcept {
  return static_cast<std::uint32_t>(wire::mix(std::uint64_t{session} << 1 | direction) >> 32);
}

// Eight bytes of what follows the stamp.
std::uint64_t filler(std::uint32_t session, std::uint32_t direction, std::size_t offset) noexcept {
  return wire::mix((std::uint64_t{session} << 1 | direction) << 16 | offset);
}

std::vector<std::uint8_t> make_payload(const Stamp& stamp, std::size_t size) {
  std::vector<std::uint8_t> payload(size);
  std::memcpy(payload.data(), &stamp, sizeof stamp);
  for (std::size_t at = sizeof stamp; at < size; at += 8) {
    const std::uint64_t word = filler(stamp.session, stamp.direction, at);
    std::memcpy(payload.data() + at, &word, std::min<std::size_t>(8, size - at));
  }
  return payload;
}

bool filler_right(Bytes payload, const Stamp& stamp) noexcept {
  for (std::size_t at = sizeof stamp; at < payload.size(); at += 8) {
    const std::uint64_t word = filler(stamp.session, stamp.direction, at);
    if (std::memcmp(payload.data() + at, &word, std::min<std::size_t>(8, payload.size() - at)) != 0) {
      return false;
    }
  }
  return true;
}

// What a client sends its payload in.
std::vector<std::uint8_t> framed(const Options& options, const wire::Endpoint& peer, Bytes payload) {
  std::vector<std::uint8_t> buffer(payload.size() + 128);
  Bytes message;
  if (options.indications) {
    const stun::TransactionId id{'l', 'o', 'a', 'd'};
    stun::MessageWriter writer(buffer);
    writer.begin(stun::Method::kSend, stun::MessageClass::kIndication, stun::TransactionIdView(id));
    writer.add_xor_address(stun::Attribute::kXorPeerAddress, peer);
    writer.add(stun::Attribute::kData, payload);
    message = writer.finish();
  } else {
    message = stun::write_channel_data(buffer, kChannel, payload, stun::ChannelPadding::kNone);
  }
  return {message.begin(), message.end()};
}

// On the client's side, what is before the payload, and behind it too.
std::size_t prefix_size(const Options& options) noexcept {
  return options.indications ? stun::data_indication_prefix_size(options.peer_ip.family)
                             : stun::kChannelDataHeaderSize;
}
std::size_t framing_size(const Options& options) noexcept {
  return prefix_size(options) + (options.indications ? stun::data_indication_padding(options.payload) : 0);
}

std::size_t headers_size(bool v4) noexcept {
  return sizeof(wire::EthernetHeader) + (v4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header)) +
         sizeof(wire::UdpHeader);
}

// The payload of what arrived at a client; nothing when it is not framed as it has to be. Swapped frames come
// back in the framing in which they left.
std::optional<Bytes> unframe(const Options& options, Bytes message, const wire::Endpoint& peer) noexcept {
  if (!options.indications) {
    const auto data = stun::parse_channel_data(message);
    if (!data || data->channel != kChannel) return std::nullopt;
    return data->data;
  }
  const auto view = stun::MessageView::parse(message);
  const auto method = options.swap ? stun::Method::kSend : stun::Method::kData;
  if (!view || view->type() != stun::encode_type(method, stun::MessageClass::kIndication))
    return std::nullopt;
  const auto from = view->find(stun::Attribute::kXorPeerAddress);
  wire::Endpoint source;
  if (!from || !stun::read_xor_address(*from, view->transaction_id(), source) || source != peer) {
    return std::nullopt;
  }
  return view->find(stun::Attribute::kData);
}

}  // namespace

std::vector<Session> make_sessions(const Options& options) {
  std::vector<Session> sessions(options.sessions);
  for (std::uint32_t i = 0; i < options.sessions; ++i) {
    sessions[i].client = endpoint_of(options.client_ip, i);
    sessions[i].peer = endpoint_of(options.peer_ip, i);
    if (!options.swap) continue;
    sessions[i].relay = {plus(options.peer_ip, 0x10000 + i / kRelayPorts), 0,
                         static_cast<std::uint16_t>(kFirstRelayPort + i % kRelayPorts)};
  }
  return sessions;
}

std::uint32_t session_of_client(const Options& options, const wire::Endpoint& client) noexcept {
  const std::size_t low = client.address.size() - 4;
  const std::uint32_t offset = wire::load_be32(client.address.bytes.data() + low) -
                               wire::load_be32(options.client_ip.bytes.data() + low);
  const std::uint32_t session =
      offset * kPortsPerAddress + static_cast<std::uint16_t>(client.port - kFirstPort);
  const bool ours = offset < options.sessions && session < options.sessions;
  return ours && endpoint_of(options.client_ip, session) == client ? session : options.sessions;
}

Outbox::Outbox(const Options& options, const std::vector<Session>& sessions) {
  for (std::uint32_t i = 0; i < sessions.size(); ++i) {
    const Session& session = sessions[i];
    test::UdpFrame frame;
    frame.source_mac = options.own_mac.bytes;
    frame.destination_mac = options.relay_mac.bytes;

    const Stamp to_peer{i, kToPeer, 0, 0};
    frame.source = session.client;
    frame.destination = options.server;
    frame.payload = framed(options, session.peer, make_payload(to_peer, options.payload));
    lanes_[kToPeer].stamp_at = headers_size(options.client_ip.is_v4()) + prefix_size(options);
    store(lanes_[kToPeer], sessions.size(), to_peer, test::build(frame));

    const Stamp to_client{i, kToClient, 0, 0};
    frame.source = session.peer;
    frame.destination = session.relay;
    frame.payload = make_payload(to_client, options.payload);
    lanes_[kToClient].stamp_at = headers_size(options.peer_ip.is_v4());
    store(lanes_[kToClient], sessions.size(), to_client, test::build(frame));
  }
}

void Outbox::store(Lane& lane, std::size_t sessions, const Stamp& stamp, Bytes frame) {
  if (lane.lines.empty()) {
    lane.size = frame.size();
    lane.lines_each = (sizeof(Flow) + frame.size() + kCacheLine - 1) / kCacheLine;
    lane.lines.resize(sessions * lane.lines_each);
  }
  auto* at = const_cast<std::uint8_t*>(slot(lane, stamp.session));
  const bool v4 = wire::load_be16(frame.data() + 12) == wire::kEtherTypeIpv4;
  lane.checksum_at = headers_size(v4) - sizeof(wire::UdpHeader) + offsetof(wire::UdpHeader, checksum);
  std::memcpy(at + sizeof(Flow), frame.data(), frame.size());
  // From the field back to the sum: sequence and check were zero when it was computed.
  Flow flow;
  flow.key = key_of(stamp.session, stamp.direction);
  flow.sum.add(wire::Be16(static_cast<std::uint16_t>(~wire::load_be16(frame.data() + lane.checksum_at))));
  std::memcpy(at, &flow, sizeof flow);
}

Inspector::Inspector(const Options& options, const std::vector<Session>& sessions, const Outbox& outbox)
    : options_(options),
      sessions_(sessions),
      outbox_(outbox),
      at_client_(options.swap ? kToPeer : kToClient),
      at_peer_(options.swap ? kToClient : kToPeer),
      track_(options.verify == 1) {
  for (auto* look : {&client_, &peer_}) {
    const bool v4 = (look == &client_ ? options.client_ip : options.peer_ip).is_v4();
    look->size = headers_size(v4) + options.payload;
    look->type = wire::Be16(v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6).raw();
    look->port_at = headers_size(v4) - sizeof(wire::UdpHeader);
    look->port = wire::Be16(options.server.port).raw();
  }
  client_.size += framing_size(options);
  for (auto& windows : windows_) windows.resize(track_ ? sessions.size() : 0);
}

bool Inspector::Window::take(std::uint32_t sequence) noexcept {
  if (sequence >= top) {
    const std::uint32_t shift = sequence - top + 1;
    seen = (shift < 64 ? seen << shift : 0) | 1;
    top = sequence + 1;
    return true;
  }
  const std::uint32_t age = top - 1 - sequence;
  if (age >= 64 || (seen >> age & 1) != 0) return false;
  seen |= std::uint64_t{1} << age;
  return true;
}

std::uint64_t* Inspector::judge(const Arrival& arrival, Stamp& stamp) noexcept {
  if (!arrival.checksums_right) return &arrivals_.checksum;
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
      stamp.check != check_of(key_of(stamp.session, expected), stamp.sequence) ||
      stamp.sequence >= outbox_.sent(expected, stamp.session) || !filler_right(payload, stamp)) {
    return &arrivals_.corrupt;
  }
  const Session& session = sessions_[stamp.session];
  const auto& [source, destination] =
      at_client ? std::pair(options_.server, session.client) : std::pair(session.relay, session.peer);
  if (arrival.source != source || arrival.destination != destination || arrival.mac != options_.own_mac) {
    return &arrivals_.address;
  }
  if (track_ && !windows_[expected][stamp.session].take(stamp.sequence)) return &arrivals_.duplicate;
  return nullptr;
}

void Inspector::inspect(Bytes frame) noexcept {
  const auto arrival = parse_udp(frame);
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
}

}  // namespace turnpike::load
