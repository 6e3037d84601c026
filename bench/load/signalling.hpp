// SPDX-License-Identifier: BSD-3-Clause
// The clients' requests (RFC 8656 with long-term credentials), over raw frames.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "bench/load/media.hpp"
#include "bench/load/memif.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/message_writer.hpp"
#include "control/crypto/openssl_crypto.hpp"

namespace turnpike::load {

class Signalling {
public:
  Signalling(MemifPort& port, const Options& options, std::vector<Session>& sessions)
      : port_(port), options_(options), sessions_(sessions), nonces_(sessions.size()) {}

  // Allocate, then a channel or a permission for the session's peer; fills Session::relay.
  Status set_up(const std::atomic<bool>& stop) { return run(Step::kChallenge, stop); }
  // Refresh with LIFETIME 0 for every session that has an allocation.
  Status tear_down(const std::atomic<bool>& stop) { return run(Step::kDelete, stop); }

  std::uint64_t retransmissions() const { return retransmissions_; }
  std::uint64_t untrusted() const { return untrusted_; }  // responses whose integrity was wrong

private:
  enum class Step : std::uint8_t { kChallenge, kAllocate, kReach, kDelete, kDone };

  // One session's transaction.
  struct Talk {
    std::uint32_t session = 0;
    Step step = Step::kDone;
    stun::TransactionId id{};
    std::vector<std::uint8_t> frame;
    std::uint64_t timeout = 0;   // cycles
    std::uint64_t deadline = 0;  // cycles
    unsigned tries = 0;
    unsigned challenges = 0;
  };

  stun::Method method_of(Step step) const;
  Status run(Step first, const std::atomic<bool>& stop);
  void request(Talk& talk);
  void add_attributes(stun::MessageWriter& writer, const Talk& talk) const;
  void transmit(Talk& talk);
  void receive();
  void on_frame(Bytes frame);
  void on_error(Talk& talk, const stun::MessageView& response);
  void on_success(Talk& talk, const stun::MessageView& response);
  void repeat_overdue();
  void fail(const Talk& talk, const std::string& what);

  MemifPort& port_;
  const Options& options_;
  std::vector<Session>& sessions_;
  control::OpensslCrypto crypto_;
  std::vector<std::string> nonces_;  // of the sessions
  std::string realm_;
  Md5Digest key_{};
  std::vector<Talk> talks_;  // under way
  std::string failure_;      // the first one
  std::uint64_t retransmissions_ = 0;
  std::uint64_t untrusted_ = 0;
};

}  // namespace turnpike::load
