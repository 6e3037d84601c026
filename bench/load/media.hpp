// SPDX-License-Identifier: BSD-3-Clause
// The media of all sessions: frames made beforehand and stamped as they leave, arrivals judged by their
// stamps.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "bench/load/frame.hpp"
#include "bench/load/framing.hpp"
#include "bench/load/latency.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/session.hpp"
#include "common/wire/checksum.hpp"

namespace turnpike::load {

// The frames of both directions. All of one direction are alike but for a few bytes: buffers that hold the
// direction's frame already, from a template or from another session, only have these written.
class Outbox {
public:
  Outbox(const Options& options, const std::vector<Session>& sessions);

  // What a buffer of the direction holds before its first write().
  Bytes frame(Direction direction) const noexcept { return lanes_[direction].frame; }
  const void* address(Direction direction, std::uint32_t session) const noexcept {
    return lanes_[direction].record(session);
  }
  // What is read of address().
  std::size_t record_size(Direction direction) const noexcept { return lanes_[direction].record_size; }
  // The session's next frame, sent now, into a buffer of this direction.
  void write(Direction direction, std::uint32_t session, std::uint64_t now_ns, std::uint8_t* frame) noexcept {
    const Lane& lane = lanes_[direction];
    auto* const record = const_cast<std::uint8_t*>(lane.record(session));
    auto& flow = *reinterpret_cast<Flow*>(record);
    const std::uint32_t sequence = flow.next_sequence++;
    const std::uint32_t check = check_of(flow.key, sequence, now_ns);
    std::uint8_t* const own = frame + lane.own_at;
    std::uint8_t* const stamp =
        frame + lane.stamp_at;  // found before bytes are written that might be anything's
    std::uint8_t* const checksum_field = frame + lane.checksum_at;
    // In blocks that compile to register moves; what is too much lies in the stamp.
    for (std::size_t block = 0; block < lane.own_size; block += kBlock) {
      std::memcpy(own + block, record + sizeof(Flow) + block, kBlock);
    }
    std::memcpy(stamp + offsetof(Stamp, sequence), &sequence, sizeof sequence);
    std::memcpy(stamp + offsetof(Stamp, check), &check, sizeof check);
    std::memcpy(stamp + offsetof(Stamp, sent_ns), &now_ns, sizeof now_ns);
    const auto time = std::bit_cast<std::array<wire::Be32, 2>>(now_ns);
    const wire::Be16 checksum = wire::ChecksumSum(flow.sum)
                                    .add(std::bit_cast<wire::Be32>(sequence))  // as they lie in memory
                                    .add(std::bit_cast<wire::Be32>(check))
                                    .add(time[0])
                                    .add(time[1])
                                    .udp_checksum();
    std::memcpy(checksum_field, &checksum, sizeof checksum);
  }
  std::uint32_t sent(Direction direction, std::uint32_t session) const noexcept {
    return reinterpret_cast<const Flow*>(address(direction, session))->next_sequence;
  }

private:
  static constexpr std::size_t kBlock = 16;
  // Before the session's own bytes in its record.
  struct Flow {
    wire::ChecksumSum sum;  // of pseudo header, UDP header and payload without sequence, check and time
    std::uint32_t next_sequence = 0;
    std::uint32_t key = 0;
  };
  static_assert(sizeof(Flow) == 16);
  struct alignas(kCacheLine) Line {
    std::array<std::uint8_t, kCacheLine> bytes;
  };
  struct Lane {
    const std::uint8_t* record(std::uint32_t session) const noexcept {
      return lines[session * lines_each].bytes.data();
    }

    std::vector<Line> lines;  // the sessions' records
    std::size_t lines_each = 0;
    std::size_t record_size = 0;
    std::vector<std::uint8_t> frame;
    std::size_t own_at = 0;    // the first byte in which sessions differ, from the frame's first one
    std::size_t own_size = 0;  // up to where they are alike again, but for the rest of the stamp
    std::size_t stamp_at = 0;
    std::size_t checksum_at = 0;
  };

  void store(Lane& lane, std::size_t sessions, const Stamp& stamp, Bytes frame);

  std::array<Lane, kDirections> lanes_;
};

// What has arrived.
struct Arrivals {
  std::array<std::uint64_t, kDirections> received{};  // good ones
  std::uint64_t verified = 0;                         // of the good ones, looked at whole
  std::uint64_t skipped = 0;    // numbers passed over by a newer one; what is reordered comes yet
  std::uint64_t reordered = 0;  // of the good ones, behind a newer one of their flow
  std::uint64_t duplicate = 0;  // seen before, or too far behind the newest of their flow to tell
  std::uint64_t corrupt = 0;    // payload or framing is not what was sent
  std::uint64_t checksum = 0;   // IPv4 or UDP checksum wrong or missing
  std::uint64_t address = 0;    // wrong sender or receiver, MAC included
  std::uint64_t foreign = 0;    // not media at all

  std::uint64_t bad() const noexcept { return duplicate + damaged(); }
  std::uint64_t damaged() const noexcept { return corrupt + checksum + address; }
  // As far as newer arrivals tell.
  std::uint64_t missing() const noexcept { return skipped - std::min(skipped, reordered + damaged()); }
};

class Inspector {
public:
  Inspector(const Options& options, const std::vector<Session>& sessions, const Outbox& outbox);

  // Everything about one frame, which arrived now.
  void inspect(Bytes frame, std::uint64_t now_ns) noexcept;
  // Only its direction, told by its size; kDirections: it is foreign.
  Direction glance(std::size_t size) const noexcept {
    if (size == client_size_) return at_client_;
    return size == peer_size_ ? at_peer_ : kDirections;
  }
  // As many were glanced at.
  void count(const std::array<std::uint64_t, kDirections + 1>& glances) noexcept {
    arrivals_.received[kToPeer] += glances[kToPeer];
    arrivals_.received[kToClient] += glances[kToClient];
    arrivals_.foreign += glances[kDirections];
  }
  const Arrivals& arrivals() const noexcept { return arrivals_; }
  // Of the frames that were inspected and good.
  const LatencyHistograms& latencies() const noexcept { return latencies_; }

private:
  // Which error counter takes the frame; null when it is good.
  std::uint64_t* judge(Arrival& arrival, Stamp& stamp) noexcept;
  std::uint64_t* judge_order(const Stamp& stamp) noexcept;

  const Options& options_;
  const std::vector<Session>& sessions_;
  const Outbox& outbox_;
  Direction at_client_;  // what arrives at clients
  Direction at_peer_;
  std::size_t client_size_;  // of frames that arrive at clients
  std::size_t peer_size_;
  bool track_;  // every frame is inspected, so that sequences are whole
  std::array<std::vector<SequenceWindow>, kDirections> windows_;
  Arrivals arrivals_;
  LatencyHistograms latencies_;
};

}  // namespace turnpike::load
