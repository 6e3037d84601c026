// SPDX-License-Identifier: BSD-3-Clause
// The clients' requests (RFC 8656 with long-term credentials), over whatever path.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

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

  Signalling(RequestPath& path, const Options& options, std::vector<Session>& sessions, const Manner& manner)
      : path_(path), options_(options), sessions_(sessions), manner_(manner), nonces_(sessions.size()) {}

  // Allocate, then a channel or a permission for the session's peer; fills Session::relay.
  Status set_up(const std::atomic<bool>& stop) { return run(Step::kChallenge, stop); }
  // Refresh with LIFETIME 0 for every session that has an allocation.
  Status tear_down(const std::atomic<bool>& stop) { return run(Step::kDelete, stop); }

  std::uint64_t retransmissions() const { return retransmissions_; }
  std::uint64_t untrusted() const { return untrusted_; }  // responses whose integrity was wrong
  // Of runs that go on: sessions that failed, by error code; 0 is no answer.
  const std::map<int, std::uint64_t>& refusals() const { return refusals_; }

private:
  using Clock = std::chrono::steady_clock;
  enum class Step : std::uint8_t { kChallenge, kAllocate, kReach, kDelete, kDone };

  // One session's transaction.
  struct Talk {
    std::uint32_t session = 0;
    Step step = Step::kDone;
    stun::TransactionId id{};
    std::vector<std::uint8_t> message;
    Clock::duration timeout{};
    Clock::time_point deadline;
    unsigned tries = 0;
    unsigned challenges = 0;
  };

  stun::Method method_of(Step step) const;
  Status run(Step first, const std::atomic<bool>& stop);
  void start(std::uint32_t session, Step first);
  void request(Talk& talk);
  void add_attributes(stun::MessageWriter& writer, const Talk& talk) const;
  void transmit(Talk& talk);
  void on_message(std::uint32_t session, Bytes message);
  void on_error(Talk& talk, const stun::MessageView& response);
  void on_success(Talk& talk, const stun::MessageView& response);
  void on_allocated(Talk& talk, const stun::MessageView& response);
  void repeat_overdue();
  void finish(Talk& talk);
  void sweep();
  void fail(Talk& talk, int code, const std::string& what);

  RequestPath& path_;
  const Options& options_;
  std::vector<Session>& sessions_;
  const Manner manner_;
  control::OpensslCrypto crypto_;
  std::vector<std::string> nonces_;  // of the sessions
  std::string realm_;
  Md5Digest key_{};
  std::unordered_map<std::uint32_t, Talk> talks_;  // under way, by session
  std::vector<std::uint32_t> done_;                // talks that are over
  Clock::time_point next_look_;                    // for overdue ones
  std::string failure_;                            // the first one
  std::map<int, std::uint64_t> refusals_;
  stun::TransactionId id_{};  // of transaction 0
  std::uint64_t transactions_ = 0;
  std::uint64_t retransmissions_ = 0;
  std::uint64_t untrusted_ = 0;
};

}  // namespace turnpike::load
