// SPDX-License-Identifier: BSD-3-Clause
// What an observer hears of allocations and of failed authentication: each thing once, in its order.
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class Diary : public SessionObserver {
public:
  void on_begin(const SessionRecord& session) override { write("begin", session, ""); }
  void on_end(const SessionRecord& session, EndReason reason) override {
    write("end", session, std::string(name_of(reason)));
  }
  void on_authentication_failure(const FailedClient& client, AuthenticationFailure why) override {
    failures.push_back(wire::to_string(client.five_tuple.client) + " " + std::string(client.realm) + " " +
                       std::string(client.user) + " " + std::string(name_of(why)));
  }

  std::vector<std::string> lines;     // "begin USER", "end USER REASON"
  std::vector<std::string> failures;  // "CLIENT REALM USER WHY"
  SessionRecord last;
  std::string last_realm;
  std::vector<std::string> last_peers;

private:
  void write(const std::string& what, const SessionRecord& session, const std::string& reason) {
    lines.push_back(what + " " + std::string(session.user) + (reason.empty() ? "" : " " + reason));
    last = session;
    last.user = last.realm = {};
    last_realm = session.realm;
    last.peers = {};
    last_peers.clear();
    for (const IpAddress& peer : session.peers) last_peers.push_back(wire::to_string(peer));
  }
};

using Lines = std::vector<std::string>;

class TurnObserver : public TurnTest {
protected:
  TurnObserver() { observer = &diary; }
  Diary diary;
};

TEST_F(TurnObserver, an_allocation_begins_when_the_worker_has_it) {
  apply_at_once = false;
  auto c = client();
  const Reply reply = allocate(c);
  EXPECT_EQ(diary.lines, Lines{});
  apply_all();
  ASSERT_EQ(diary.lines, Lines{"begin alice"});
  EXPECT_EQ(diary.last.five_tuple, c.tuple);
  EXPECT_EQ(diary.last_realm, "example.org");
  EXPECT_EQ(diary.last.relay_v4, RelayEndpoint(reply.relayed.at(0)));
  EXPECT_EQ(diary.last.relay_v6.address.family, Family::kNone);
  EXPECT_EQ(diary.last.created, now);
  EXPECT_EQ(diary.last.peer_count, 0u);
  refresh(c);
  apply_all();
  EXPECT_EQ(diary.lines.size(), 1u) << "a refresh is no beginning";
}

TEST_F(TurnObserver, relays_are_told_as_clients_know_them) {
  config.relay_addresses = {{address("10.0.0.10"), address("198.51.100.10")}};
  auto c = client();
  const Reply reply = allocate(c);
  EXPECT_EQ(diary.last.relay_v4, RelayEndpoint(reply.relayed.at(0)));
  EXPECT_EQ(wire::to_string(diary.last.relay_v4.address), "198.51.100.10");
}

TEST_F(TurnObserver, deleted_by_its_client_with_its_peers) {
  auto c = client();
  allocate(c);
  permit(c, {"8.8.8.8:1", "9.9.9.9:1"});
  bind(c, 0x4000, "8.8.8.8:5");
  advance(seconds(400));                       // the permissions run out
  ASSERT_TRUE(permit(c, {"8.8.8.8:1"}).ok());  // the same peer again
  refresh(c, 0);
  EXPECT_EQ(diary.lines, (Lines{"begin alice", "end alice deleted"}));
  EXPECT_EQ(diary.last.peer_count, 2u);
  EXPECT_EQ(diary.last_peers, (Lines{"8.8.8.8", "9.9.9.9"}));
  EXPECT_EQ(now - diary.last.created, seconds(400));
}

TEST_F(TurnObserver, many_peers_are_counted_but_not_all_named) {
  auto c = client();
  allocate(c);
  for (int i = 1; i <= 20; ++i) permit(c, {"8.8.8." + std::to_string(i) + ":1"});
  refresh(c, 0);
  EXPECT_EQ(diary.last.peer_count, 20u);
  EXPECT_EQ(diary.last_peers.size(), 16u);
}

TEST_F(TurnObserver, one_family_of_two_is_no_end) {
  auto c = client();
  ASSERT_TRUE(allocate(c, [](MessageWriter& writer) {
                writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
              }).ok());
  refresh(c, 0, 1);
  EXPECT_EQ(diary.lines, Lines{"begin alice"});
  refresh(c, 0, 2);
  EXPECT_EQ(diary.lines, (Lines{"begin alice", "end alice deleted"}));
}

TEST_F(TurnObserver, expired) {
  auto c = client();
  allocate(c);
  advance(seconds(599));
  EXPECT_EQ(diary.lines.size(), 1u);
  advance(seconds(2));
  EXPECT_EQ(diary.lines, (Lines{"begin alice", "end alice expired"}));
}

TEST_F(TurnObserver, refused_by_the_worker_it_never_begins) {
  apply_at_once = false;
  auto c = client();
  const Reply reply = allocate(c);
  effects.clear();
  server().on_refused(0, reply.sent.last_fact, now, effects, RefusalReason::kTableFull);
  apply_all();
  EXPECT_EQ(diary.lines, Lines{"end alice refused"});
  EXPECT_EQ(diary.last.installed_by, kNeverInstalled);
}

TEST_F(TurnObserver, another_port_after_a_refusal_is_one_allocation) {
  apply_at_once = false;
  auto c = client();
  const Reply first = allocate(c);
  effects.clear();
  server().on_refused(0, first.sent.last_fact, now, effects, RefusalReason::kPortTaken);
  const auto list = replies();
  ASSERT_EQ(list.size(), 1u);
  server().on_applied(0, first.sent.last_fact, now);
  EXPECT_EQ(diary.lines, Lines{}) << "the first port's fact is done with, the second one's is not";
  server().on_applied(0, list[0].sent.last_fact, now);
  EXPECT_EQ(diary.lines, Lines{"begin alice"});
  EXPECT_EQ(diary.last.relay_v4, RelayEndpoint(list[0].relayed.at(0)));
  EXPECT_EQ(diary.last.installed_by, list[0].sent.last_fact);
}

TEST_F(TurnObserver, an_end_before_the_beginning_is_confirmed_comes_second) {
  apply_at_once = false;
  auto c = client();
  allocate(c);
  refresh(c, 0);
  EXPECT_EQ(diary.lines, (Lines{"begin alice", "end alice deleted"}));
  apply_all();
  EXPECT_EQ(diary.lines.size(), 2u);
}

TEST_F(TurnObserver, ended_from_outside) {
  auto alice = client();
  auto bob = client("203.0.113.6:5000", "bob", "hunter2");
  allocate(alice);
  const SlotId id = diary.last.allocation;
  allocate(bob);
  server().remove(id, effects, EndReason::kConnectionClosed);
  EXPECT_EQ(diary.lines.back(), "end alice connection_closed");
  EXPECT_EQ(diary.lines, (Lines{"begin alice", "begin bob", "end alice connection_closed"}));
}

TEST_F(TurnObserver, failed_authentication) {
  auto wrong = client("203.0.113.5:5000", "alice", "guess");
  EXPECT_EQ(allocate(wrong).error, 401);
  auto stranger = client("203.0.113.5:5001", "ma\nllory", "x");
  EXPECT_EQ(allocate(stranger).error, 401);
  auto lost = client("203.0.113.5:5002");
  lost.learn(talk(lost, lost.plain(Method::kAllocate, MessageClass::kRequest)));
  lost.realm = "example.com";
  EXPECT_EQ(allocate(lost).error, 401);
  EXPECT_EQ(diary.failures, (Lines{"203.0.113.5:5000 example.org alice wrong_password",
                                   "203.0.113.5:5001 example.org ma\nllory unknown_user",
                                   "203.0.113.5:5002 example.com alice wrong_realm"}));
  EXPECT_EQ(diary.lines, Lines{});
}

TEST_F(TurnObserver, the_first_request_and_an_old_nonce_are_no_failures) {
  auto c = client();
  allocate(c);
  advance(seconds(601));
  auto again = client("203.0.113.9:5000");
  again.learn(talk(again, again.plain(Method::kAllocate, MessageClass::kRequest)));
  advance(seconds(1000));
  EXPECT_EQ(allocate(again).error, 438);
  EXPECT_EQ(diary.failures, Lines{});
}

TEST_F(TurnObserver, a_user_at_anothers_allocation) {
  auto alice = client();
  allocate(alice);
  auto bob = client("203.0.113.5:5000", "bob", "hunter2");
  EXPECT_EQ(refresh(bob).error, 441);
  EXPECT_EQ(diary.failures, Lines{"203.0.113.5:5000 example.org bob others_allocation"});
}

}  // namespace
}  // namespace turnpike::turn
