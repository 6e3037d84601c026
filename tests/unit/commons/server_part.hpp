// SPDX-License-Identifier: BSD-3-Clause
// One of several servers of a relay with all that is its own, and workers that apply every fact at once.
#pragma once

#include <gtest/gtest.h>

#include "common/turn/commons.hpp"
#include "common/turn/server.hpp"
#include "tests/support/turn_client.hpp"

namespace turnpike::turn {

using stun::Attribute;
using stun::MessageWriter;
using stun::Method;
using test::Reply;
using test::TurnClient;

// Two workers, a part of the servers for each.
inline Config relay_config() {
  Config config;
  config.realm = "example.org";
  config.workers = 2;
  config.share.parts = 2;
  config.relay_addresses = {{test::address("198.51.100.10"), test::address("198.51.100.10")}};
  return config;
}

class ServerPart {
public:
  ServerPart(Config config, WorkerIndex part, Commons& commons)
      : worker_(part),
        users_("example.org"),
        server_(with_share(std::move(config), part), crypto_, users_, nullptr, &commons) {
    for (const char* name : {"alice", "bob"}) users_.add(crypto_, name, "secret");
  }

  TurnClient client(std::uint16_t port, const std::string& name = "alice") {
    return {crypto_, test::five_tuple("203.0.113.5:" + std::to_string(port), "198.51.100.1:3478"), name,
            "secret"};
  }
  Reply allocate(TurnClient& from, const TurnClient::Attributes& more = {}) {
    return ask(from, Method::kAllocate, [&](MessageWriter& writer) {
      test::add_udp_transport(writer);
      if (more) more(writer);
    });
  }
  Reply refresh(TurnClient& from, std::uint32_t lifetime) {
    return ask(from, Method::kRefresh,
               [&](MessageWriter& writer) { writer.add_u32(Attribute::kLifetime, lifetime); });
  }

  Server& server() { return server_; }
  Time now = seconds(1'000'000);

private:
  static Config with_share(Config config, WorkerIndex part) {
    config.share.part = part;
    return config;
  }
  Reply ask(TurnClient& from, Method method, const TurnClient::Attributes& attributes) {
    if (from.nonce.empty()) {
      from.learn(talk(from, from.plain(method, stun::MessageClass::kRequest, attributes)));
    }
    return talk(from, from.request(method, attributes));
  }
  Reply talk(TurnClient& from, const test::Datagram& bytes) {
    effects_.clear();
    server_.handle_client(from.tuple, worker_, bytes, now, effects_);
    Reply reply;
    for (const Effect& effect : effects_.list()) {
      std::visit(
          [&](const auto& one) {
            if constexpr (requires { one.seq; }) last_fact_ = one.seq;
          },
          effect);
      if (const auto* sent = std::get_if<SendReply>(&effect))
        reply = test::read_reply(effects_.bytes(sent->message));
    }
    server_.on_applied(worker_, last_fact_, now);
    return reply;
  }

  WorkerIndex worker_;
  test::TestCrypto crypto_;
  test::TestUsers users_;
  Server server_;
  Effects effects_;
  std::uint64_t last_fact_ = 0;
};

inline void add_pair(MessageWriter& writer) { writer.add_even_port(true); }
inline TurnClient::Attributes with_token(const stun::ReservationToken& token) {
  return [token](MessageWriter& writer) { writer.add(Attribute::kReservationToken, token); };
}

}  // namespace turnpike::turn
