// SPDX-License-Identifier: BSD-3-Clause
// What is sent in one direction: a message per session, ready but for sequence, check and time.
#pragma once

#include <cstring>
#include <vector>

#include "bench/load/framing.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/session.hpp"

namespace turnpike::load {

class Messages {
public:
  Messages(const Options& options, const std::vector<Session>& sessions, Direction direction)
      : stamp_at_(direction == kToPeer ? prefix_size(options) : 0) {
    for (std::uint32_t i = 0; i < sessions.size(); ++i) {
      const auto payload = make_payload({i, direction, 0, 0, 0}, options.payload);
      const auto message = direction == kToPeer ? framed(options, sessions[i].peer, payload) : payload;
      size_ = message.size();
      bytes_.insert(bytes_.end(), message.begin(), message.end());
      keys_.push_back(key_of(i, direction));
    }
  }

  std::size_t size() const noexcept { return size_; }
  std::uint32_t key(std::uint32_t session) const noexcept { return keys_[session]; }
  // The payload, its stamp without sequence, check and time.
  const std::uint8_t* payload(std::uint32_t session) const noexcept {
    return bytes_.data() + session * size_ + stamp_at_;
  }
  // Sent now; `out` has room for size().
  void write(std::uint32_t session, std::uint32_t sequence, std::uint64_t now_ns,
             std::uint8_t* out) const noexcept {
    std::memcpy(out, bytes_.data() + session * size_, size_);
    const std::uint32_t check = check_of(keys_[session], sequence, now_ns);
    std::memcpy(out + stamp_at_ + offsetof(Stamp, sequence), &sequence, sizeof sequence);
    std::memcpy(out + stamp_at_ + offsetof(Stamp, check), &check, sizeof check);
    std::memcpy(out + stamp_at_ + offsetof(Stamp, sent_ns), &now_ns, sizeof now_ns);
  }

private:
  std::size_t stamp_at_;
  std::size_t size_ = 0;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint32_t> keys_;
};

}  // namespace turnpike::load
