// SPDX-License-Identifier: BSD-3-Clause
// A server with users, a clock that the test turns, and workers that apply every fact at once unless told not
// to.
#pragma once

#include <gtest/gtest.h>

#include "common/turn/server.hpp"
#include "tests/support/turn_client.hpp"

namespace turnpike::turn {

using stun::Attribute;
using stun::MessageClass;
using stun::MessageWriter;
using stun::Method;
using test::add_udp_transport;
using test::address;
using test::Datagram;
using test::endpoint;
using test::five_tuple;
using test::Reply;
using test::TurnClient;

inline RelayEndpoint relay(std::string_view text) { return RelayEndpoint(endpoint(text)); }
inline PeerEndpoint peer(std::string_view text) { return PeerEndpoint(endpoint(text)); }

class TurnTest : public ::testing::Test {
protected:
  static constexpr const char* kServerV4 = "198.51.100.1:3478";
  static constexpr const char* kServerV6 = "[2001:db8:5::1]:3478";

  TurnTest() : users("example.org") {
    config.realm = "example.org";
    config.software = "turnpike";
    config.relay_addresses = {{address("198.51.100.10"), address("198.51.100.10")},
                              {address("2001:db8:5::10"), address("2001:db8:5::10")}};
    config.service_endpoints = {ServerEndpoint(endpoint(kServerV4)), ServerEndpoint(endpoint(kServerV6))};
    users.add(crypto, "alice", "secret");
    users.add(crypto, "bob", "hunter2");
  }

  // The configuration is read when the server is first needed.
  Server& server() {
    if (!server_) server_ = std::make_unique<Server>(config, crypto, users, observer);
    return *server_;
  }

  // Another one in its place; nothing: one as configured, when it is needed.
  void replace_server(std::unique_ptr<Server> other) { server_ = std::move(other); }

  TurnClient client(std::string_view from = "203.0.113.5:5000", std::string_view name = "alice",
                    std::string_view password = "secret", Transport transport = Transport::kUdp) {
    const bool v6 = from.front() == '[';
    return {crypto, five_tuple(from, v6 ? kServerV6 : kServerV4, transport), std::string(name),
            std::string(password)};
  }

  // Hands bytes to the server; its effects are in `effects` until the next call.
  void feed(const FiveTuple& from, Bytes bytes, WorkerIndex worker = 0) {
    effects.clear();
    server().handle_client(from, worker, bytes, now, effects);
    note_facts();
  }
  std::vector<Reply> replies() const {
    std::vector<Reply> list;
    for (const SendReply& reply : all<SendReply>()) {
      list.push_back(test::read_reply(effects.bytes(reply.message)));
      list.back().sent = reply;
    }
    return list;
  }
  // The one reply to these bytes.
  Reply talk(TurnClient& from, const Datagram& bytes, WorkerIndex worker = 0) {
    feed(from.tuple, bytes, worker);
    const auto list = replies();
    EXPECT_EQ(list.size(), 1u);
    if (list.size() != 1) return {};
    EXPECT_EQ(list[0].sent.to, from.tuple);
    return list[0];
  }
  // An authenticated request; the first one of a client fetches realm and nonce.
  Reply ask(TurnClient& from, Method method, const TurnClient::Attributes& attributes = {},
            WorkerIndex worker = 0) {
    if (from.nonce.empty())
      from.learn(talk(from, from.plain(method, MessageClass::kRequest, attributes), worker));
    return talk(from, from.request(method, attributes), worker);
  }
  Reply allocate(TurnClient& from, const TurnClient::Attributes& more = {}, WorkerIndex worker = 0) {
    return ask(
        from, Method::kAllocate,
        [&](MessageWriter& writer) {
          add_udp_transport(writer);
          if (more) more(writer);
        },
        worker);
  }
  Reply refresh(TurnClient& from, std::optional<std::uint32_t> lifetime = {}, int family = 0) {
    return ask(from, Method::kRefresh, [&](MessageWriter& writer) {
      if (lifetime) writer.add_u32(Attribute::kLifetime, *lifetime);
      if (family != 0)
        writer.add_address_family(Attribute::kRequestedAddressFamily, static_cast<Family>(family));
    });
  }
  Reply permit(TurnClient& from, const std::vector<std::string>& peers) {
    return ask(from, Method::kCreatePermission, [&](MessageWriter& writer) {
      for (const auto& each : peers) writer.add_xor_address(Attribute::kXorPeerAddress, endpoint(each));
    });
  }
  Reply bind(TurnClient& from, std::uint16_t number, std::string_view to) {
    return ask(from, Method::kChannelBind, [&](MessageWriter& writer) {
      writer.add_channel_number(number);
      writer.add_xor_address(Attribute::kXorPeerAddress, endpoint(to));
    });
  }

  // What goes out to the peer for a Send indication or ChannelData.
  std::optional<RelayToPeer> send(TurnClient& from, std::string_view to, std::string_view data = "x") {
    feed(from.tuple, from.send_indication(endpoint(to), as_bytes(data)));
    return only<RelayToPeer>();
  }
  std::optional<RelayToPeer> send_channel(TurnClient& from, std::uint16_t number,
                                          std::string_view data = "x") {
    feed(from.tuple, from.channel_data(number, as_bytes(data)));
    return only<RelayToPeer>();
  }
  // What goes out to the client for a peer's datagram.
  std::optional<RelayToClient> receive(const Endpoint& at, std::string_view from,
                                       std::string_view data = "y") {
    effects.clear();
    server().handle_peer(RelayEndpoint(at), peer(from), as_bytes(data), now, effects);
    note_facts();
    return only<RelayToClient>();
  }

  // Turns the clock; timeouts run as the server asks for them.
  void advance(Time by) {
    const Time end = now + by;
    all_effects.clear();
    for (Time next = server().next_timeout(); next <= end; next = server().next_timeout()) {
      now = std::max(now, next);
      run_timeout();
    }
    now = end;
    run_timeout();
  }
  void run_timeout() {
    effects.clear();
    server().on_timeout(now, effects);
    for (const Effect& effect : effects.list()) all_effects.push_back(effect);
    note_facts();
  }

  template <typename T>
  std::vector<T> all() const {
    std::vector<T> list;
    for (const Effect& effect : effects.list()) {
      if (const T* match = std::get_if<T>(&effect)) list.push_back(*match);
    }
    return list;
  }
  template <typename T>
  std::optional<T> only() const {
    const auto list = all<T>();
    EXPECT_LE(list.size(), 1u);
    return list.empty() ? std::nullopt : std::optional<T>(list.front());
  }
  template <typename T>
  std::size_t count_timed_out() const {  // of the last advance()
    std::size_t count = 0;
    for (const Effect& effect : all_effects) count += std::holds_alternative<T>(effect) ? 1 : 0;
    return count;
  }

  void apply_all() {
    for (WorkerIndex worker = 0; worker < config.workers; ++worker) {
      server().on_applied(worker, last_fact[worker], now);
    }
  }

  test::TestCrypto crypto;
  test::TestUsers users;
  Config config;
  SessionObserver* observer = nullptr;
  Effects effects;
  std::vector<Effect> all_effects;
  Time now = seconds(1'000'000);
  bool apply_at_once = true;
  std::map<WorkerIndex, std::uint64_t> last_fact;

  // Facts must be numbered without gaps; then the workers apply them.
  void note_facts() {
    for (const Effect& effect : effects.list()) {
      std::visit(
          [&](const auto& fact) {
            if constexpr (requires { fact.seq; }) {
              WorkerIndex worker = 0;
              if constexpr (requires { fact.allocation; }) {
                worker = fact.allocation.worker;
              } else {
                worker = fact.worker;
              }
              EXPECT_EQ(fact.seq, last_fact[worker] + 1);
              last_fact[worker] = fact.seq;
            }
          },
          effect);
    }
    if (apply_at_once) apply_all();
  }

private:
  std::unique_ptr<Server> server_;
};

}  // namespace turnpike::turn
