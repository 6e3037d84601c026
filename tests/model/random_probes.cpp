// SPDX-License-Identifier: BSD-3-Clause
// Who may send to whom: model, facts and the server's data path must agree.
#include "common/stun/channel_data.hpp"
#include "tests/model/random_talk.hpp"

namespace turnpike::model {

void Talk::probe() {
  for (int i = 0; i < 4; ++i) {
    TurnClient& client = clients_[dice(clients_.size())];
    probe_send(client, random_peer());
    probe_channel(client, static_cast<std::uint16_t>(0x4000 + dice(6)));
    if (emitted_.allocations.empty()) continue;
    auto which = emitted_.allocations.begin();
    std::advance(which, static_cast<std::ptrdiff_t>(dice(emitted_.allocations.size())));
    const RelayEndpoint relay = dice(2) == 0 ? which->second.relay_v4 : which->second.relay_v6;
    if (relay.address.family != Family::kNone) probe_receive(relay, PeerEndpoint(random_peer()));
  }
}

bool Talk::is_ghost_leg(const FiveTuple& client, Family family) const {
  for (const Record& record : model_.records) {
    if (record.client != client) continue;
    const auto leg = record.legs.find(static_cast<int>(family));
    return leg != record.legs.end() && leg->second.deadline <= now_;
  }
  return false;
}

void Talk::probe_send(TurnClient& client, const Endpoint& peer) {
  const bool expected = model_.may_send(client.tuple, peer, now_);
  const bool ghost = is_ghost_leg(client.tuple, peer.address.family);
  const bool by_facts = emitted_.may_send(client.tuple, peer.address, now_) && peer.port != 0 &&
                        is_allowed_peer(peer, model_.limits, true);
  require(ghost || by_facts == expected, "the facts allow another Send than the model");
  const auto out = hand_media<RelayToPeer>(client, client.send_indication(peer, as_bytes("m")));
  require(out.has_value() == expected, "the server allows another Send than the model");
  if (out) require(out->peer == PeerEndpoint(peer), "data for the wrong peer");
}

void Talk::probe_channel(TurnClient& client, std::uint16_t number) {
  const auto expected = model_.channel_target(client.tuple, number, now_);
  const auto by_facts = emitted_.channel_target(client.tuple, number, now_);
  const bool ghost = by_facts && is_ghost_leg(client.tuple, by_facts->address.family);
  require(ghost || by_facts.has_value() == expected.has_value(),
          "the facts know another channel than the model");
  const auto out = hand_media<RelayToPeer>(client, client.channel_data(number, as_bytes("m")));
  require(out.has_value() == expected.has_value(), "the server knows another channel than the model");
  if (out) require(out->peer == PeerEndpoint(*expected), "ChannelData for the wrong peer");
}

void Talk::probe_receive(const RelayEndpoint& relay, const PeerEndpoint& peer) {
  const auto expected = model_.may_receive(relay, peer, now_);
  const auto* owner = emitted_.find_relay(relay);
  const bool ghost = owner != nullptr && is_ghost_leg(owner->five_tuple, relay.address.family);
  const auto by_facts = emitted_.may_receive(relay, peer, now_);
  require(ghost || by_facts == expected, "by the facts " + wire::to_string(peer) + " reaches " +
                                             describe(by_facts) + ", by the model " + describe(expected));
  effects_.clear();
  server_->handle_peer(relay, peer, as_bytes("m"), now_, effects_);
  const Effects copy = effects_;
  const auto out = media<RelayToClient>();
  require(out.has_value() == expected.has_value(), "the server lets other peers in than the model");
  if (!out) return;
  require(out->to == owner->five_tuple, "a peer's data for the wrong client");
  const auto channel = stun::parse_channel_data(copy.bytes(out->message));
  const bool indication = copy.bytes(out->message)[0] < 0x40;
  require(indication == (*expected == 0) && (indication || channel->channel == *expected),
          "the wrong form of data");
}

}  // namespace turnpike::model
