// SPDX-License-Identifier: BSD-3-Clause
// The lines about allocations and failures, with the counters of the region.
#include "control/log/session_log.hpp"

#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "control/log/json_formatter.hpp"
#include "tests/unit/control/region_fixture.hpp"

namespace turnpike::control {
namespace {

wire::Endpoint endpoint(const std::string& text) { return wire::parse_endpoint(text).value(); }

class SessionLogTest : public test::RegionTest {
protected:
  SessionLogTest() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(out_);
    sink->set_formatter(std::make_unique<JsonFormatter>("\n"));
    logger_ = std::make_shared<spdlog::logger>(kEventLogger, sink);
    set_event_logger(logger_.get(), true);
    session_.allocation = {1, 3, 9};
    session_.five_tuple = {wire::ClientEndpoint(endpoint("192.0.2.1:5000")),
                           wire::ServerEndpoint(endpoint("198.51.100.1:3478")), turn::Transport::kUdp};
    session_.realm = "example.org";
    session_.user = "alice";
    session_.relay_v4 = wire::RelayEndpoint(endpoint("198.51.100.1:50000"));
    session_.created = now_;
    session_.installed_by = 4;
  }
  ~SessionLogTest() override { set_event_logger(nullptr, false); }

  nlohmann::json taken() {
    const std::string text = std::exchange(out_, std::ostringstream()).str();
    return text.empty() ? nlohmann::json() : nlohmann::json::parse(text);
  }
  void count(std::uint64_t base) {
    shm::AllocationCounters& counters = region->allocation(1, 3);
    counters.to_peer_packets = base;
    counters.to_peer_bytes = base + 1;
    counters.to_client_packets = base + 2;
    counters.to_client_bytes = base + 3;
  }

  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> logger_;
  Time now_ = seconds(5000);
  turn::SessionRecord session_;
  SessionLog log_{*region, 1, [this] { return now_; }};
};

TEST_F(SessionLogTest, begin) {
  log_.on_begin(session_);
  const auto line = taken();
  EXPECT_EQ(line["event"], "allocation_begin");
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["session"], "1-3-9");
  EXPECT_EQ(line["user"], "alice");
  EXPECT_EQ(line["realm"], "example.org");
  EXPECT_EQ(line["client"], "192.0.2.1:5000");
  EXPECT_EQ(line["server"], "198.51.100.1:3478");
  EXPECT_EQ(line["transport"], "udp");
  EXPECT_EQ(line["relay"], nlohmann::json{"198.51.100.1:50000"});
  EXPECT_FALSE(line.contains("reason"));
}

TEST_F(SessionLogTest, end_with_traffic_and_peers) {
  const std::vector<wire::IpAddress> peers{*wire::parse_address("203.0.113.7"),
                                           *wire::parse_address("2001:db8::7")};
  session_.peers = peers;
  session_.peer_count = 2;
  session_.relay_v6 = wire::RelayEndpoint(endpoint("[2001:db8::1]:50002"));
  region->worker(1).applied_seq = 4;
  count(100);
  now_ += milliseconds(61'700);
  log_.on_end(session_, turn::EndReason::kExpired);
  const auto line = taken();
  EXPECT_EQ(line["event"], "allocation_end");
  EXPECT_EQ(line["relay"], (nlohmann::json{"198.51.100.1:50000", "[2001:db8::1]:50002"}));
  EXPECT_EQ(line["peers"], (nlohmann::json{"203.0.113.7", "2001:db8::7"}));
  EXPECT_EQ(line["peer_count"], 2);
  EXPECT_EQ(line["to_peer_packets"], 100);
  EXPECT_EQ(line["to_peer_bytes"], 101);
  EXPECT_EQ(line["to_client_packets"], 102);
  EXPECT_EQ(line["to_client_bytes"], 103);
  EXPECT_EQ(line["duration_s"], 61);
  EXPECT_EQ(line["reason"], "expired");
}

TEST_F(SessionLogTest, counters_of_the_slots_former_allocation_are_not_told) {
  region->worker(1).applied_seq = 3;
  count(100);
  log_.on_end(session_, turn::EndReason::kRefused);
  const auto line = taken();
  EXPECT_EQ(line["to_peer_packets"], 0);
  EXPECT_EQ(line["to_client_bytes"], 0);
  EXPECT_EQ(line["reason"], "refused");
  session_.installed_by = turn::kNeverInstalled;  // a refused fact counts as applied
  region->worker(1).applied_seq = 1000;
  log_.on_end(session_, turn::EndReason::kRefused);
  EXPECT_EQ(taken()["to_peer_packets"], 0);
}

TEST_F(SessionLogTest, failures_are_limited_and_the_rest_is_counted) {
  const auto fail = [&] {
    log_.on_authentication_failure({session_.five_tuple, "else.where", "mallory"},
                                   turn::AuthenticationFailure::kWrongPassword);
  };
  fail();
  const auto line = taken();
  EXPECT_EQ(line["event"], "authentication_failure");
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["client"], "192.0.2.1:5000");
  EXPECT_EQ(line["user"], "mallory");
  EXPECT_EQ(line["realm"], "else.where");
  EXPECT_EQ(line["why"], "wrong_password");
  EXPECT_EQ(line["suppressed"], 0);
  for (int i = 0; i < 4; ++i) fail();
  out_.str("");
  for (int i = 0; i < 10; ++i) fail();
  EXPECT_TRUE(taken().is_null());
  now_ += seconds(1);
  fail();
  EXPECT_EQ(taken()["suppressed"], 10);
}

TEST_F(SessionLogTest, suppressed_failures_are_told_when_nothing_follows) {
  for (int i = 0; i < 25; ++i) {
    log_.on_authentication_failure({session_.five_tuple, "else.where", "m"},
                                   turn::AuthenticationFailure::kUnknownUser);
  }
  out_.str("");
  log_.tick();
  EXPECT_TRUE(taken().is_null()) << "a line may still follow";
  now_ += seconds(11);
  log_.tick();
  const auto line = taken();
  EXPECT_EQ(line["event"], "authentication_failures_suppressed");
  EXPECT_EQ(line["suppressed"], 20);
  now_ += seconds(11);
  log_.tick();
  EXPECT_TRUE(taken().is_null());
}

TEST_F(SessionLogTest, nothing_below_the_level) {
  logger_->set_level(spdlog::level::err);
  log_.on_begin(session_);
  log_.on_end(session_, turn::EndReason::kDeleted);
  log_.on_authentication_failure({session_.five_tuple, "else.where", "m"},
                                 turn::AuthenticationFailure::kUnknownUser);
  EXPECT_TRUE(taken().is_null());
}

}  // namespace
}  // namespace turnpike::control
