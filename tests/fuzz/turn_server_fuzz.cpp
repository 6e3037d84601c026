// SPDX-License-Identifier: BSD-3-Clause
// The whole TURN server: the input is a talk of eight clients, peers, workers and time. Requests get right
// credentials, so that mutations reach what lies behind authentication; raw messages get a right header.
//
// An operation is a byte (kind in the low three bits, client in the next three) and what the kind reads.
#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "common/stun/channel_data.hpp"
#include "common/turn/server.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/model/fact_tables.hpp"
#include "tests/support/turn_client.hpp"

namespace {

using namespace turnpike;
using namespace turnpike::turn;
using model::FactTables;
using stun::Attribute;
using stun::MessageClass;
using stun::MessageWriter;
using stun::Method;
using test::Datagram;
using test::endpoint;
using test::TurnClient;

class Input {
public:
  explicit Input(Bytes bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t word() {
    const std::uint16_t high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  Bytes bytes(std::size_t size) {
    const Bytes part = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(part.size());
    return part;
  }

private:
  Bytes rest_;
};

constexpr Attribute kAttributes[] = {Attribute::kXorPeerAddress,
                                     Attribute::kChannelNumber,
                                     Attribute::kLifetime,
                                     Attribute::kRequestedTransport,
                                     Attribute::kRequestedAddressFamily,
                                     Attribute::kAdditionalAddressFamily,
                                     Attribute::kEvenPort,
                                     Attribute::kReservationToken,
                                     Attribute::kDontFragment,
                                     Attribute::kData,
                                     Attribute::kPasswordAlgorithm,
                                     Attribute::kPasswordAlgorithms,
                                     Attribute::kUserhash,
                                     Attribute::kChangeRequest,
                                     Attribute::kSoftware,
                                     static_cast<Attribute>(0x7001)};
constexpr Method kMethods[] = {Method::kAllocate, Method::kRefresh, Method::kCreatePermission,
                               Method::kChannelBind, Method::kBinding};
constexpr std::uint16_t kMinPort = 50001;
constexpr std::uint16_t kMaxPort = 50016;
constexpr std::uint64_t kMaxBps = 100;
constexpr std::uint64_t kBpsCapacity = 450;

// Six allowed peers, a private one, Teredo, our own listener, and relayed addresses of ours (which may be in
// use).
Endpoint peer_of(std::uint8_t byte) {
  static const char* const kPeers[] = {"8.8.8.1:1000",  "8.8.8.2:1000",   "8.8.8.2:2000",
                                       "8.8.8.3:0",     "[2a00::1]:1000", "[2a00::2]:1000",
                                       "10.0.0.1:1000", "[2001::1]:1000", "198.51.100.1:3478"};
  if (byte >= 128) {
    return {*wire::parse_address("198.51.100.77"), 0, static_cast<std::uint16_t>(kMinPort - 1 + byte % 20)};
  }
  return endpoint(kPeers[byte % std::size(kPeers)]);
}

bool is_own(const Endpoint& peer) { return peer.address == *wire::parse_address("10.0.0.7"); }

class World {
public:
  World() : users_("example.org") {
    users_.add(crypto_, "alice", "secret");
    users_.add(crypto_, "bob", "hunter2");
    Config config;
    config.realm = "example.org";
    config.software = "fuzz";
    config.workers = 2;
    config.relay_addresses = {{*wire::parse_address("10.0.0.7"), *wire::parse_address("198.51.100.77")},
                              {*wire::parse_address("2a00:5::10"), *wire::parse_address("2a00:5::10")}};
    config.min_port = kMinPort;
    config.max_port = kMaxPort;
    config.service_endpoints = {ServerEndpoint(endpoint("198.51.100.1:3478"))};
    config.max_allocations = 3;
    config.max_permissions = 6;
    config.max_channels = 4;
    config.max_permissions_per_allocation = 4;
    config.max_channels_per_allocation = 3;
    config.quotas = {4, 0, kMaxBps, kBpsCapacity};
    config.max_pending_facts = 40;
    server_ = std::make_unique<Server>(config, crypto_, users_);
    for (int i = 0; i < 8; ++i) {
      const std::string from = (i % 4 == 3 ? "[2001:db8:9::1]:500" : "203.0.113.5:500") + std::to_string(i);
      const char* to = i % 4 == 3 ? "[2001:db8:5::1]:3478" : "198.51.100.1:3478";
      clients_.emplace_back(crypto_, test::five_tuple(from, to, static_cast<Transport>(i % 4)),
                            i % 2 == 0 ? "alice" : "bob", i % 2 == 0 ? "secret" : "hunter2");
      clients_.back().use_algorithms = i % 3 == 0;
      clients_.back().fingerprint = i % 5 == 0;
    }
  }

  void step(Input& input) {
    const std::uint8_t operation = input.byte();
    current_ = operation >> 3 & 7;
    switch (operation & 7) {
      case 0:
        return pass_time(input.word());
      case 1:
        return request(input, true);
      case 2:
        return request(input, false);
      case 3:
        return raw(input);
      case 4:
        return peer_data(input);
      case 5:
        return settle(input.byte());
      case 6:
        return refuse(input.byte());
      default:
        return media(input);
    }
  }

private:
  WorkerIndex worker() const { return static_cast<WorkerIndex>(current_ % 2); }

  void pass_time(std::uint16_t amount) {
    now_ += milliseconds(amount) * (amount % 3 == 0 ? 17 : 1);
    effects_.clear();
    server_->on_timeout(now_, effects_);
    check(nullptr);
    FUZZ_CHECK(server_->next_timeout() > now_);
  }

  void hand(Bytes message) {
    effects_.clear();
    server_->handle_client(clients_[current_].tuple, worker(), message, now_, effects_);
    check(&clients_[current_].tuple);
    for (const Effect& effect : effects_.list()) {
      const auto* reply = std::get_if<SendReply>(&effect);
      if (reply == nullptr) continue;
      const auto read = test::read_reply(effects_.bytes(reply->message));
      if (read.error == 401 || read.error == 438) clients_[current_].learn(read);
      if (read.token) token_ = *read.token;
    }
  }

  void request(Input& input, bool signed_request) {
    const Method method = kMethods[input.byte() % std::size(kMethods)];
    std::vector<std::pair<Attribute, Datagram>> attributes;
    const auto id = clients_[current_].transaction();
    for (int count = input.byte() % 8; count > 0; --count) attributes.push_back(read_attribute(input, id));
    const std::uint8_t repeat = input.byte();
    if (repeat == 1 && !last_.empty()) return hand(Datagram(last_));
    TurnClient author = repeat == 2 ? other_user(clients_[current_]) : clients_[current_];
    author.next_transaction = id;
    const auto write = [&](MessageWriter& writer) {
      for (const auto& [attribute, value] : attributes) writer.add(attribute, value);
    };
    last_ =
        signed_request ? author.request(method, write) : author.plain(method, MessageClass::kRequest, write);
    hand(Datagram(last_));
  }
  static TurnClient other_user(TurnClient client) {
    client.password = client.user == "alice" ? "hunter2" : "secret";
    client.user = client.user == "alice" ? "bob" : "alice";
    return client;
  }
  std::pair<Attribute, Datagram> read_attribute(Input& input, const stun::TransactionId& id) {
    const std::uint8_t which = input.byte();
    const Attribute attribute = kAttributes[which % std::size(kAttributes)];
    if (which < 128 && attribute == Attribute::kXorPeerAddress) {
      const Endpoint peer = peer_of(input.byte());
      Datagram value(stun::address_value_size(peer.address.family));
      stun::encode_address(value.data(), stun::xor_endpoint(peer, stun::TransactionIdView(id)));
      return {attribute, value};
    }
    if (which < 128 && attribute == Attribute::kReservationToken)
      return {attribute, {token_.begin(), token_.end()}};
    const Bytes value = input.bytes(input.byte() % 40);
    return {attribute, {value.begin(), value.end()}};
  }

  void raw(Input& input) {
    const std::uint8_t flags = input.byte();
    const Bytes part = input.bytes(input.byte());
    Datagram message(part.begin(), part.end());
    if (flags % 2 == 0 && message.size() >= stun::kHeaderSize) {
      message.resize(message.size() & ~std::size_t{3});
      message[0] &= 0x3F;
      test::fit_length(message);
      wire::store_be32(message.data() + 4, stun::kMagicCookie);
    }
    message.shrink_to_fit();
    hand(message);
  }

  void media(Input& input) {
    const std::uint8_t flags = input.byte();
    const std::uint8_t where = input.byte();
    const Bytes data = input.bytes(input.byte());
    TurnClient& client = clients_[current_];
    hand(flags % 2 == 0 ? client.send_indication(peer_of(where), data)
                        : client.channel_data(static_cast<std::uint16_t>(0x4000 + where % 8), data));
  }

  void peer_data(Input& input) {
    const std::uint8_t which = input.byte();
    const Endpoint peer = peer_of(input.byte());
    const Bytes data = input.bytes(input.byte());
    if (emitted_.allocations.empty()) return;
    auto at = emitted_.allocations.begin();
    std::advance(at, which % emitted_.allocations.size());
    const InstallAllocation owner = at->second;
    const RelayEndpoint relay = which >= 128 ? owner.relay_v6 : owner.relay_v4;
    effects_.clear();
    server_->handle_peer(relay, PeerEndpoint(peer), data, now_, effects_);
    for (const Effect& effect : effects_.list()) {
      const auto* out = std::get_if<RelayToClient>(&effect);
      if (out != nullptr) FUZZ_CHECK(out->to == owner.five_tuple && out->allocation == owner.allocation);
    }
    check(nullptr);
  }

  void settle(std::uint8_t amount) {
    for (WorkerIndex each = 0; each < 2; ++each) {
      const std::uint64_t behind = emitted_seq_[each] - applied_seq_[each];
      applied_seq_[each] += amount >= 200 ? behind : std::min<std::uint64_t>(behind, amount % 8);
      server_->on_applied(each, applied_seq_[each], now_);
    }
  }

  // Refusals, and what an operator does.
  void refuse(std::uint8_t amount) {
    const WorkerIndex each = worker();
    effects_.clear();
    if (amount >= 240) {
      server_->set_draining(amount >= 250);
      if (!emitted_.allocations.empty()) {
        server_->remove(emitted_.allocations.begin()->second.allocation, effects_);
      }
      return check(nullptr);
    }
    server_->on_refused(each, applied_seq_[each] + amount % 16, now_, effects_);
    check(nullptr);
  }

  // What must hold after every call.
  void check(const FiveTuple* asked) {
    int replies = 0;
    for (const Effect& effect : effects_.list()) {
      std::visit([&](const auto& each) { check_one(each); }, effect);
      const bool accepted = emitted_.apply(effect);
      FUZZ_CHECK(accepted);  // the server states nothing about an allocation that it has removed
      if (const auto* reply = std::get_if<SendReply>(&effect)) {
        ++replies;
        FUZZ_CHECK(asked == nullptr || reply->to == *asked);
      }
    }
    FUZZ_CHECK(replies <= 1);
    FUZZ_CHECK(server_->allocation_count() == emitted_.allocations.size());
    std::size_t sessions = 0;
    std::size_t peers = 0;
    std::uint64_t handed_out = 0;
    server_->for_each_session([&](const SessionView& view) {
      ++sessions;
      peers += view.peers.size();
      handed_out += view.max_bps;
      FUZZ_CHECK(!is_own(view.relay_v4));
    });
    FUZZ_CHECK(sessions == emitted_.allocations.size());
    FUZZ_CHECK(handed_out == server_->bandwidth_use().handed_out && handed_out <= kBpsCapacity);
    FUZZ_CHECK(peers == emitted_.permissions.size() + emitted_.channels.size());
    std::map<model::Slot, int> permissions;
    for (const auto& [at, fact] : emitted_.permissions) {
      FUZZ_CHECK(++permissions[model::slot(fact.allocation)] <= 4 && at.second < 6);
    }
    for (const auto& [at, fact] : emitted_.channels) FUZZ_CHECK(at.second < 4);
    for (const auto& [at, fact] : emitted_.allocations) FUZZ_CHECK(at.second < 3);
  }
  template <typename Fact>
  void check_sequence(const Fact& fact) {
    FUZZ_CHECK(fact.seq == ++emitted_seq_[fact.allocation.worker]);
  }
  void check_one(const InstallAllocation& fact) {
    check_sequence(fact);
    FUZZ_CHECK(fact.max_bps > 0 && fact.max_bps <= kMaxBps);
    for (const auto* relay : {&fact.relay_v4, &fact.relay_v6}) {
      if (relay->address.family == Family::kNone) continue;
      const auto* owner = emitted_.find_relay(*relay);
      FUZZ_CHECK(owner == nullptr || owner->allocation == fact.allocation);
      FUZZ_CHECK(relay->port >= kMinPort && relay->port <= kMaxPort);
    }
  }
  void check_one(const InstallPermission& fact) {
    check_sequence(fact);
    FUZZ_CHECK(is_own({fact.peer, 0, 0}) || policy_.permits(fact.peer));
    FUZZ_CHECK(fact.relay.address.family == fact.peer.family);
  }
  void check_one(const InstallChannel& fact) {
    check_sequence(fact);
    check_peer(fact.peer);
    FUZZ_CHECK(fact.number >= 0x4000 && fact.number <= 0x4FFF);
    for (const auto& [at, other] : emitted_.channels) {
      if (other.allocation != fact.allocation || other.channel == fact.channel) continue;
      FUZZ_CHECK(other.number != fact.number && other.peer != fact.peer);
    }
  }
  void check_one(const RemoveAllocation& fact) { check_sequence(fact); }
  void check_one(const RemovePermission& fact) { check_sequence(fact); }
  void check_one(const RemoveChannel& fact) { check_sequence(fact); }
  void check_one(const Mark& fact) { FUZZ_CHECK(fact.seq == ++emitted_seq_[fact.worker]); }
  void check_one(const SendReply& reply) {
    const Bytes bytes = effects_.bytes(reply.message);
    FUZZ_CHECK(bytes.size() <= (reply.to.client.address.is_v6() ? 1232u : 548u));
    const auto read = test::read_reply(bytes);
    FUZZ_CHECK(read.has(Attribute::kNonce) == (read.error == 401 || read.error == 438));
    FUZZ_CHECK((reply.first_fact == 0) == (reply.last_fact == 0) && reply.first_fact <= reply.last_fact);
    FUZZ_CHECK(reply.first_fact == 0 || (read.ok() && reply.last_fact == emitted_seq_[reply.worker]));
  }
  void check_one(const RelayToPeer& out) {
    const auto* owner = emitted_.find_relay(out.relay);
    FUZZ_CHECK(owner != nullptr && owner->allocation == out.allocation);
    FUZZ_CHECK(owner->five_tuple == clients_[current_].tuple);
    check_peer(out.peer);
  }
  void check_one(const RelayToClient& out) {
    const Bytes bytes = effects_.bytes(out.message);
    if (bytes[0] >= 0x40) {
      FUZZ_CHECK(stun::parse_channel_data(bytes));
      return;
    }
    const auto view = stun::MessageView::parse(bytes);
    FUZZ_CHECK(view && view->has(Attribute::kData));
    const auto peer =
        stun::decode_xor_address(*view->find(Attribute::kXorPeerAddress), view->transaction_id());
    FUZZ_CHECK(peer && !is_own(*peer));  // clients see the advertised form
  }
  void check_peer(const Endpoint& peer) {
    FUZZ_CHECK(peer.port != 0);
    if (is_own(peer)) {
      FUZZ_CHECK(peer.port >= kMinPort && peer.port <= kMaxPort);
    } else {
      FUZZ_CHECK(policy_.permits(peer.address));
    }
  }

  test::TestCrypto crypto_;
  test::TestUsers users_;
  AddressPolicy policy_;
  std::unique_ptr<Server> server_;
  std::vector<TurnClient> clients_;
  std::size_t current_ = 0;
  Datagram last_;
  stun::ReservationToken token_{};
  Time now_ = seconds(1000);
  Effects effects_;
  FactTables emitted_;
  std::map<WorkerIndex, std::uint64_t> emitted_seq_;
  std::map<WorkerIndex, std::uint64_t> applied_seq_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  Input input(Bytes(data, std::min<std::size_t>(size, 4096)));
  while (!input.empty()) world.step(input);
  return 0;
}
