// SPDX-License-Identifier: BSD-3-Clause
// turnpikectl against a running turnpike-control.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/twoproc/control_fixture.hpp"

namespace turnpike::test {
namespace {

using Json = nlohmann::json;

class Ctl : public Control {
protected:
  std::string run(std::vector<std::string> arguments, int expected_code = 0) {
    std::vector<std::string> command{TURNPIKECTL, "--instance", "t", "--runtime-dir",
                                     dataplane.runtime_dir()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process ctl(command);
    EXPECT_EQ(ctl.exit_code(), expected_code) << ctl.errors();
    return expected_code == 0 ? ctl.output() : ctl.errors();
  }
  Json json(const std::string& verb) { return Json::parse(run({"--json", verb})); }
};

TEST_F(Ctl, status_shows_programs_ports_and_workers) {
  auto& counters = dataplane.region().worker(0).counts.counters;
  counters[static_cast<std::size_t>(shm::Counter::k_rx_packets)] = 4711;
  allocate();
  const Json status = json("status");
  EXPECT_EQ(status.at("instance"), "t");
  EXPECT_EQ(status.at("sessions"), 1);
  EXPECT_EQ(status.at("session_capacity"), 64);
  EXPECT_EQ(status.at("dataplane").at("version"), "fake");
  EXPECT_EQ(status.at("listening").at(0), "10.0.1.1:3478");
  EXPECT_EQ(status.at("ports").at(0).at("name"), "memif:/run/test.sock,role=server");
  EXPECT_EQ(status.at("workers").at(0).at("counters").at("rx_packets"), 4711);
  EXPECT_EQ(status.at("workers").at(0).at("applied_seq"), kFirstFact);
  EXPECT_EQ(status.at("workers").at(1).at("worker"), "main");
  EXPECT_EQ(status.at("server").at("allocations_created"), 1);
  EXPECT_EQ(status.at("link").at("requests"), 2);
  const std::string text = run({"status"});
  EXPECT_NE(text.find("10.0.1.1:3478"), std::string::npos) << text;
  EXPECT_NE(text.find("4711"), std::string::npos) << text;
  EXPECT_NE(text.find("allocations_created"), std::string::npos) << text;
}

TEST_F(Ctl, sessions_show_live_traffic) {
  const Reply reply = allocate();
  auto& traffic = dataplane.region().allocation(0, 0);
  traffic.to_peer_packets = 12;
  traffic.to_peer_bytes = 3400;
  traffic.to_client_packets = 5;
  dataplane.region().over_limit(0, 0).to_client_packets = 3;
  const Json sessions = json("sessions");
  ASSERT_EQ(sessions.at("total"), 1);
  const Json& session = sessions.at("sessions").at(0);
  EXPECT_EQ(session.at("user"), "alice");
  EXPECT_EQ(session.at("client"), "192.0.2.50:5000");
  EXPECT_EQ(session.at("relays").at(0), wire::to_string(reply.relayed[0]));
  EXPECT_EQ(session.at("to_peer").at("packets"), 12);
  EXPECT_EQ(session.at("to_peer").at("bytes"), 3400);
  EXPECT_EQ(session.at("to_client").at("packets"), 5);
  EXPECT_EQ(session.at("to_client").at("over_limit"), 3);
  EXPECT_EQ(session.at("to_peer").at("over_limit"), 0);
  EXPECT_EQ(session.at("max_bps"), 0);
  traffic.to_peer_packets = 13;
  EXPECT_EQ(json("sessions").at("sessions").at(0).at("to_peer").at("packets"), 13);
  const std::string text = run({"sessions"});
  EXPECT_NE(text.find("13/3400"), std::string::npos) << text;
  EXPECT_NE(run({"sessions", "--limit", "0"}).find("1 session(s)"), std::string::npos);
}

TEST_F(Ctl, drops_come_by_reason_the_most_frequent_first) {
  auto& drops = dataplane.region().worker(0).counts.drops;
  drops[static_cast<std::size_t>(shm::DropReason::k_channel_unbound)] = 2;
  drops[static_cast<std::size_t>(shm::DropReason::k_tx_full)] = 9;
  const Json answer = json("drops");
  EXPECT_EQ(answer.at("drops").size(), shm::kDropReasons);
  EXPECT_EQ(answer.at("drops").at(0).at("reason"), "tx_full");
  EXPECT_EQ(answer.at("drops").at(0).at("workers").at("0"), 9);
  EXPECT_EQ(answer.at("drops").at(1).at("reason"), "channel_unbound");
  const std::string text = run({"drops"});
  EXPECT_LT(text.find("tx_full"), text.find("channel_unbound"));
  EXPECT_EQ(text.find("no_mbuf"), std::string::npos) << "reasons that never happened are left out";
  EXPECT_NE(run({"drops", "--all"}).find("no_mbuf"), std::string::npos);
}

TEST_F(Ctl, errors_are_clear_and_have_their_codes) {
  EXPECT_NE(run({"restart"}, 2).find("unknown verb restart"), std::string::npos);
  EXPECT_NE(run({}, 2).find("give one verb"), std::string::npos);
  EXPECT_NE(run({"--limit", "x", "sessions"}, 2).find("--limit"), std::string::npos);
  EXPECT_NE(run({"--instance", "nobody", "status"}, 1).find("no turnpike-control at"), std::string::npos);
}

TEST_F(Ctl, the_socket_is_for_its_user_alone) {
  struct stat info {};
  ASSERT_EQ(stat(dataplane.socket_path("control.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Ctl, upgrade_check_judges_a_binary_by_the_running_pair) {
  const std::string fits = run({"upgrade-check", TURNPIKE_CONTROL});
  EXPECT_NE(fits.find("can replace the running turnpike-control"), std::string::npos) << fits;
  EXPECT_TRUE(Json::parse(run({"--json", "upgrade-check", TURNPIKE_CONTROL})).at("in_place"));
  EXPECT_NE(run({"upgrade-check", "/bin/true"}, 2).find("/bin/true"), std::string::npos);
  EXPECT_NE(run({"upgrade-check"}, 2).find("--help"), std::string::npos);
}

}  // namespace
}  // namespace turnpike::test
