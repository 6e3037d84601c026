// SPDX-License-Identifier: BSD-3-Clause
// The clients' requests (RFC 8656 with long-term credentials), over whatever path.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/load/refresh_schedule.hpp"
#include "bench/load/request_path.hpp"
#include "bench/load/session.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/message_writer.hpp"
#include "control/crypto/openssl_crypto.hpp"

namespace turnpike::load {

class Signalling {
public:
  struct Manner {
    std::size_t at_once = 64;    // transactions: a lost one costs little, the server is kept busy
    bool go_on = false;          // count a refusal and go on, instead of ending the run with it
    bool allocate_only = false;  // neither channel nor permission
  };

  Signalling(RequestPath& path, const Options& options, std::vector<Session>& sessions, const Manner& manner);

  // Allocate, then a channel or a permission for each of the client's peers; fills Session::relay.
  Status set_up(const std::atomic<bool>& stop) { return run(Step::kChallenge, stop); }
  // Refresh with LIFETIME 0 for every client that has an allocation.
  Status tear_down(const std::atomic<bool>& stop) { return run(Step::kDelete, stop); }

  // While media flows, or nothing does: refreshes what is due, repeats what has no answer. Often called.
  void keep_alive();
  // What arrived for a client that may be a response.
  void deliver(std::uint32_t client, Bytes message) { on_message(client, message); }
  // One client's beginning and end, without waiting: keep_alive() goes on with it.
  void set_up_one(std::uint32_t client) { start(client, Step::kChallenge); }
  void tear_down_one(std::uint32_t client) { start(client, Step::kDelete); }
  bool waiting() const { return !talks_.empty(); }
  bool busy(std::uint32_t client) const { return talks_.count(client) != 0; }
  bool idle() const { return talks_.empty(); }  // nobody is busy
  // Whether it has an allocation and all that belongs to it.
  bool ready(std::uint32_t client) const { return ready_[client]; }

  std::uint64_t refreshes() const { return refreshes_; }  // of allocations, with what belongs to them
  // Those that failed, by error code; 0 is no answer.
  const std::map<int, std::uint64_t>& refresh_failures() const { return refresh_failures_; }

  std::uint64_t retransmissions() const { return retransmissions_; }
  std::uint64_t untrusted() const { return untrusted_; }  // responses whose integrity was wrong
  // Of runs that go on: clients that failed, by error code; 0 is no answer.
  const std::map<int, std::uint64_t>& refusals() const { return refusals_; }

private:
  using Clock = std::chrono::steady_clock;
  enum class Step : std::uint8_t { kChallenge, kAllocate, kRefresh, kReach, kDelete, kDone };

  // One client's transaction.
  struct Talk {
    std::uint32_t client = 0;
    std::uint32_t peer = 0;  // of the client's, whom kReach is about
    Step step = Step::kDone;
    bool renewal = false;  // of what there is already
    stun::TransactionId id{};
    std::vector<std::uint8_t> message;
    Clock::duration timeout{};
    Clock::time_point deadline;
    unsigned tries = 0;
    unsigned challenges = 0;
  };

  stun::Method method_of(Step step) const;
  Status run(Step first, const std::atomic<bool>& stop);
  void start(std::uint32_t client, Step first);
  void request(Talk& talk);
  void add_attributes(stun::MessageWriter& writer, const Talk& talk) const;
  void transmit(Talk& talk);
  void on_message(std::uint32_t client, Bytes message);
  void on_error(Talk& talk, const stun::MessageView& response);
  void on_success(Talk& talk, const stun::MessageView& response);
  void on_allocated(Talk& talk, const stun::MessageView& response);
  void on_deleted(Talk& talk);
  void follow_lifetime(const stun::MessageView& response);
  void reach(Talk& talk, std::uint32_t peer);
  bool permitted_before(const Talk& talk) const;
  void request_next(Talk& talk, Step step);
  void complete(Talk& talk);
  void repeat_overdue();
  void finish(Talk& talk);
  void sweep();
  void fail(Talk& talk, int code, const std::string& what);

  RequestPath& path_;
  const Options& options_;
  std::vector<Session>& sessions_;
  const Manner manner_;
  control::OpensslCrypto crypto_;
  std::uint32_t peers_each_;
  RefreshSchedule schedule_;
  std::vector<std::string> nonces_;  // of the clients, as all that follows
  std::vector<bool> ready_;
  std::string realm_;
  Md5Digest key_{};
  std::unordered_map<std::uint32_t, Talk> talks_;  // under way, by client
  std::vector<std::uint32_t> done_;                // talks that are over
  Clock::time_point next_look_;                    // for overdue ones
  std::string failure_;                            // the first one
  std::map<int, std::uint64_t> refusals_;
  stun::TransactionId id_{};  // of transaction 0
  std::uint64_t transactions_ = 0;
  std::map<int, std::uint64_t> refresh_failures_;
  std::uint64_t refreshes_ = 0;
  std::uint64_t retransmissions_ = 0;
  std::uint64_t untrusted_ = 0;
};

}  // namespace turnpike::load
