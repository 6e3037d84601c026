// SPDX-License-Identifier: BSD-3-Clause
// Events are checked, and applied numbers wait for the refusals before them.
#include "control/dataplane_link/event_reader.hpp"

#include "tests/unit/control/fake_network.hpp"
#include "tests/unit/control/region_fixture.hpp"

namespace turnpike::control {
namespace {

using test::ip;

class Recorder final : public EventHandler {
public:
  void on_request(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath& path,
                  Bytes bytes) override {
    log.push_back("request " + std::to_string(worker) + " " + wire::to_string(from.client) + " size " +
                  std::to_string(bytes.size()));
    last_from = from;
    last_path = path;
  }
  void on_dtls(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath&,
               Bytes datagram) override {
    log.push_back("dtls " + std::to_string(worker) + " " + wire::to_string(from.client) + " size " +
                  std::to_string(datagram.size()));
  }
  void on_refused(WorkerIndex worker, std::uint64_t seq, turn::RefusalReason) override {
    log.push_back("refused " + std::to_string(worker) + " " + std::to_string(seq));
  }
  void on_applied(WorkerIndex worker, std::uint64_t seq) override {
    log.push_back("applied " + std::to_string(worker) + " " + std::to_string(seq));
  }
  void on_port_changed() override { log.push_back("port"); }
  void on_to_client(const turn::SlotId& allocation, Bytes message) override {
    log.push_back("client " + std::to_string(allocation.worker) + " " + std::to_string(allocation.index) +
                  " " + std::to_string(allocation.generation) + " " + std::to_string(message.size()));
  }

  std::vector<std::string> log;
  turn::FiveTuple last_from;
  shm::LinkPath last_path;
};

class EventReaderTest : public test::RegionTest {
protected:
  EventReaderTest() {
    request.client = {ip("192.0.2.7"), 0, 4000};
    request.server = {ip("10.0.1.1"), 0, 3478};
    request.path.port = 1;
    request.path.vlan = 5;
  }
  template <typename Body>
  void push(shm::Event kind, const Body& body, std::uint64_t seq = 0, WorkerIndex ring = 0,
            std::size_t size = sizeof(Body)) {
    ASSERT_TRUE(events[ring].push(static_cast<std::uint16_t>(kind), seq,
                                  Bytes(reinterpret_cast<const std::uint8_t*>(&body), size)));
  }
  void expect_invalid(const char* what) {
    const auto before = reader.counters().invalid;
    poll();
    EXPECT_EQ(reader.counters().invalid, before + 1) << what;
    EXPECT_TRUE(recorder.log.empty()) << what;
  }
  void poll(std::size_t budget = 64) {
    for (WorkerIndex ring = 0; ring <= kWorkers; ++ring) reader.poll(ring, budget, recorder);
  }

  EventReader reader{*region, {wire::ServerEndpoint({ip("10.0.1.1"), 0, 3478})}, 2};
  Recorder recorder;
  shm::StunRequest request;
};

TEST_F(EventReaderTest, request_in_canonical_form) {
  request.client.address.bytes[15] = 0xEE;  // behind an IPv4 address
  request.client.reserved = 3;
  push(shm::Event::kStunRequest, request, 0, 1);
  poll();
  EXPECT_EQ(recorder.log, std::vector<std::string>{"request 1 192.0.2.7:4000 size 0"});
  EXPECT_EQ(recorder.last_from.client, wire::ClientEndpoint({ip("192.0.2.7"), 0, 4000}));
  EXPECT_EQ(recorder.last_path.vlan, 5);
}

TEST_F(EventReaderTest, dtls_datagrams_are_no_requests) {
  push(shm::Event::kDtls, request, 0, 1);
  poll();
  EXPECT_EQ(recorder.log, std::vector<std::string>{"dtls 1 192.0.2.7:4000 size 0"});
  EXPECT_EQ(reader.counters().requests, 0u);
}

TEST_F(EventReaderTest, messages_for_clients_of_control) {
  struct {
    shm::ToClient head{{15, 7}};
    std::uint8_t message[4] = {};
  } body;
  push(shm::Event::kToClient, body, 0, 1);
  poll();
  EXPECT_EQ(recorder.log, std::vector<std::string>{"client 1 15 7 4"});
  recorder.log.clear();
  push(shm::Event::kToClient, body.head);
  expect_invalid("no message");
  push(shm::Event::kToClient, body, 0, kWorkers);
  expect_invalid("from the main lcore");
  body.head.allocation.index = region->capacity().allocations;
  push(shm::Event::kToClient, body);
  expect_invalid("slot outside the table");
  body.head.allocation = {1, 0};
  push(shm::Event::kToClient, body);
  expect_invalid("generation zero");
}

TEST_F(EventReaderTest, impossible_requests_are_counted_and_skipped) {
  const auto with = [&](auto change) {
    shm::StunRequest changed = request;
    change(changed);
    push(shm::Event::kStunRequest, changed);
  };
  with([](auto& r) { r.client.port = 0; });
  expect_invalid("port 0");
  with([](auto& r) { r.client.address.family = static_cast<wire::Family>(3); });
  expect_invalid("family 3");
  with([](auto& r) { r.client.address = ip("2001:db8::1"); });
  expect_invalid("two families");
  with([](auto& r) { r.server.port = 3479; });
  expect_invalid("not a listener");
  with([](auto& r) { r.server.address = ip("10.0.1.2"); });
  expect_invalid("not our address");
  with([](auto& r) { r.path.port = 2; });
  expect_invalid("no such port");
  with([](auto& r) { r.path.vlan = 4096; });
  expect_invalid("no such VLAN");
  push(shm::Event::kStunRequest, request, 0, 0, sizeof request - 1);
  expect_invalid("cut");
  push(shm::Event::kStunRequest, request, 0, kWorkers);
  expect_invalid("from the main lcore");
  push(static_cast<shm::Event>(99), request);
  expect_invalid("unknown kind");
}

TEST_F(EventReaderTest, refusals_and_port_changes) {
  push(shm::Event::kFactRefused, shm::FactRefused{}, 9, 1);
  events[kWorkers].push(static_cast<std::uint16_t>(shm::Event::kPortChanged), 0, {});
  poll();
  EXPECT_EQ(recorder.log, (std::vector<std::string>{"refused 1 9", "port"}));
  recorder.log.clear();
  push(shm::Event::kFactRefused, shm::FactRefused{}, 0);
  expect_invalid("a refusal of no fact");
  push(shm::Event::kPortChanged, shm::FactRefused{}, 0);
  expect_invalid("a worker changes no port");
}

TEST_F(EventReaderTest, applied_number_comes_after_the_refusals_before_it) {
  for (std::uint64_t seq = 1; seq <= 5; ++seq) push(shm::Event::kFactRefused, shm::FactRefused{}, seq);
  region->worker(0).applied_seq = 5;
  poll(2);
  EXPECT_EQ(recorder.log, (std::vector<std::string>{"refused 0 1", "refused 0 2"}));
  poll(2);
  poll(2);
  EXPECT_EQ(recorder.log.back(), "applied 0 5");
  EXPECT_EQ(recorder.log.size(), 6u);
  poll();
  EXPECT_EQ(recorder.log.size(), 6u) << "told once";
}

TEST_F(EventReaderTest, applied_number_is_not_held_back_for_ever_by_a_busy_ring) {
  region->worker(0).applied_seq = 1;
  bool told = false;
  for (int i = 0; i < 5000 && !told; ++i) {
    push(shm::Event::kFactRefused, shm::FactRefused{}, 7);
    push(shm::Event::kFactRefused, shm::FactRefused{}, 7);
    reader.poll(0, 1, recorder);
    told = recorder.log.back() == "applied 0 1";
    if (events[0].used() > 1000) break;
  }
  for (int i = 0; i < 3000 && !told; ++i) {
    push(shm::Event::kFactRefused, shm::FactRefused{}, 7);
    reader.poll(0, 1, recorder);
    told = recorder.log.back() == "applied 0 1";
  }
  EXPECT_TRUE(told);
  EXPECT_TRUE(reader.pending(0)) << "the ring was never empty";
}

TEST_F(EventReaderTest, corrupt_ring_is_emptied_and_goes_on) {
  region->event_ring(0).indices->tail = 5000;
  poll();
  EXPECT_EQ(reader.counters().corrupt, 1u);
  EXPECT_FALSE(reader.pending(0));
}

}  // namespace
}  // namespace turnpike::control
