// SPDX-License-Identifier: BSD-3-Clause
// Two servers on two threads at once: nothing is lost, nothing is handed out twice.
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/unit/commons/server_part.hpp"

namespace turnpike::turn {
namespace {

constexpr std::uint32_t kUserQuota = 3;
constexpr int kRounds = 400;

// A token that one thread leaves for the other.
class Exchange {
public:
  void put(const stun::ReservationToken& token) {
    const std::lock_guard lock(mutex_);
    token_ = token;
  }
  std::optional<stun::ReservationToken> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(token_, std::nullopt);
  }

private:
  std::mutex mutex_;
  std::optional<stun::ReservationToken> token_;
};

class CommonsThreads : public ::testing::Test {
protected:
  CommonsThreads() {
    config.quotas.user = kUserQuota;
    config.quotas.max_bps = 1000;
    config.quotas.bps_capacity = 2500;
  }

  // Allocates by turns with EVEN-PORT, a token of the other's or nothing special, two at a time.
  void run(WorkerIndex number) {
    ServerPart part(config, number, commons);
    for (int round = 0; round < kRounds; ++round) {
      std::vector<TurnClient> held;
      for (std::uint16_t i = 0; i < 2; ++i) {
        TurnClient client = part.client(static_cast<std::uint16_t>(2 * round + i + 1));
        const auto token = exchange[1 - number].take();
        const Reply reply = part.allocate(client, token    ? with_token(*token)
                                                  : i == 0 ? add_pair
                                                           : TurnClient::Attributes{});
        if (!reply.ok()) {
          ASSERT_TRUE(reply.error == 486 || (token && reply.error == 508)) << reply.error;
          continue;
        }
        if (reply.token) exchange[number].put(*reply.token);
        most = std::max(most.load(), ++holders);
        held.push_back(std::move(client));
      }
      for (TurnClient& client : held) {
        --holders;
        ASSERT_TRUE(part.refresh(client, 0).ok());
      }
      part.now += seconds(1);
    }
  }

  Config config = relay_config();
  Commons commons{config, 7};
  Exchange exchange[2];
  std::atomic<std::uint32_t> holders{0};
  std::atomic<std::uint32_t> most{0};
};

TEST_F(CommonsThreads, quotas_and_bandwidth_hold_at_every_moment) {
  std::thread other([this] { run(1); });
  run(0);
  other.join();
  EXPECT_LE(most, kUserQuota);
  EXPECT_GE(most, 2u);
  EXPECT_EQ(commons.bandwidth_handed_out(), 0u);
  UserTable::User* users[kUserQuota];
  for (UserTable::User*& user : users) {
    user = commons.join({"example.org", "alice", "alice"}, kUserQuota, 0);
    EXPECT_NE(user, nullptr) << "somebody's allocation is still counted";
  }
  EXPECT_EQ(commons.join({"example.org", "alice", "alice"}, kUserQuota, 0), nullptr);
}

}  // namespace
}  // namespace turnpike::turn
