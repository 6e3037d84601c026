// SPDX-License-Identifier: BSD-3-Clause
// What is sent in one direction: messages of every size for each session, ready but for sequence, check and
// time.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "bench/load/framing.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/session.hpp"

namespace turnpike::load {

class Messages {
public:
  Messages(const Options& options, const std::vector<Session>& sessions, Direction direction)
      : sizes_(options.sockets.profile.sizes), stamp_at_(direction == kToPeer ? prefix_size(options) : 0) {
    for (std::uint32_t i = 0; i < sessions.size(); ++i) {
      for (const std::uint16_t size : sizes_) {
        const auto payload = make_payload({i, direction, 0, 0, 0}, size);
        const std::uint16_t channel = channel_of(i % options.sockets.peers_per_client);
        const auto message =
            direction == kToPeer ? framed(options, sessions[i].peer, payload, channel) : payload;
        starts_.push_back(bytes_.size());
        largest_ = std::max(largest_, message.size());
        bytes_.insert(bytes_.end(), message.begin(), message.end());
      }
      keys_.push_back(key_of(i, direction));
    }
    starts_.push_back(bytes_.size());
  }

  std::size_t largest() const noexcept { return largest_; }
  bool all_alike() const noexcept { return sizes_.size() == 1; }
  std::uint32_t key(std::uint32_t session) const noexcept { return keys_[session]; }
  // The payload that has this number, its stamp without sequence, check and time.
  Bytes payload(std::uint32_t session, std::uint32_t sequence) const noexcept {
    const std::size_t kind = kind_of(session, sequence);
    return {bytes_.data() + starts_[session * sizes_.size() + kind] + stamp_at_, sizes_[kind]};
  }
  // Sent now; `out` has room for largest(). How much was written.
  std::size_t write(std::uint32_t session, std::uint32_t sequence, std::uint64_t now_ns,
                    std::uint8_t* out) const noexcept {
    const std::size_t at = session * sizes_.size() + kind_of(session, sequence);
    const std::size_t size = starts_[at + 1] - starts_[at];
    std::memcpy(out, bytes_.data() + starts_[at], size);
    const std::uint32_t check = check_of(keys_[session], sequence, now_ns);
    std::memcpy(out + stamp_at_ + offsetof(Stamp, sequence), &sequence, sizeof sequence);
    std::memcpy(out + stamp_at_ + offsetof(Stamp, check), &check, sizeof check);
    std::memcpy(out + stamp_at_ + offsetof(Stamp, sent_ns), &now_ns, sizeof now_ns);
    return size;
  }

private:
  // Sessions begin at different places, or all large packets would leave together.
  std::size_t kind_of(std::uint32_t session, std::uint32_t sequence) const noexcept {
    return (std::size_t{session} + sequence) % sizes_.size();
  }

  std::vector<std::uint16_t> sizes_;
  std::size_t stamp_at_;
  std::size_t largest_ = 0;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::size_t> starts_;  // of the messages, and where the last one ends
  std::vector<std::uint32_t> keys_;
};

}  // namespace turnpike::load
