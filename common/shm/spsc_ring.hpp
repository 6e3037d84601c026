// SPDX-License-Identifier: BSD-3-Clause
// Single-producer single-consumer ring of fixed-size cells in shared memory.
//
// A message is a header and a body and takes as many consecutive cells as it needs; cells wrap, messages
// never leave padding records. Indices count cells since the start and are masked on use. A full ring is told
// to the caller; nothing ever waits here. The other process is not trusted: the consumer checks the
// producer's index and every length, and copies a message out before looking at it, so that it cannot change
// under the reader.
//
// Memory ordering, both sides:
//   T1  Producer::push stores tail with release after writing the cells   -> pairs with T2
//   T2  Consumer::pop loads tail with acquire before reading the cells
//   H1  Consumer::pop stores head with release after copying the cells    -> pairs with H2
//   H2  Producer::push loads head with acquire before overwriting cells
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/base/types.hpp"

namespace turnpike::shm {

inline constexpr std::uint32_t kCellSize = 256;
inline constexpr std::uint32_t kMaxBody = 65536 + 128;  // the largest datagram and its descriptor

struct MessageHeader {
  std::uint16_t kind = 0;
  std::uint16_t reserved = 0;
  std::uint32_t body_size = 0;
  std::uint64_t seq = 0;  // of a fact; 0 for everything else
};
static_assert(sizeof(MessageHeader) == 16);

// The shared part. 128 bytes between the indices: the adjacent-line prefetcher pulls pairs of lines.
struct alignas(kIsolation) RingIndices {
  alignas(kIsolation) std::atomic<std::uint64_t> tail;  // producer: rw, consumer: ro
  alignas(kIsolation) std::atomic<std::uint64_t> head;  // consumer: rw, producer: ro
};
static_assert(sizeof(RingIndices) == 2 * kIsolation);

// Where a ring lives; the cell count is a power of two and comes from a validated region header.
struct RingView {
  RingIndices* indices = nullptr;
  std::uint8_t* cells = nullptr;
  std::uint32_t cell_count = 0;
};

constexpr std::uint32_t cells_needed(std::uint32_t body_size) noexcept {
  return (sizeof(MessageHeader) + body_size + kCellSize - 1) / kCellSize;
}

namespace detail {
// Copies `size` bytes between a linear buffer and the ring's bytes from cell position `at`, wrapping once at
// most.
template <typename Copy>
void for_wrapped(const RingView& ring, std::uint64_t position, std::uint32_t offset, std::uint32_t size,
                 Copy copy) noexcept {
  const std::uint64_t ring_bytes = std::uint64_t{ring.cell_count} * kCellSize;
  const std::uint64_t start = ((position & (ring.cell_count - 1)) * kCellSize + offset) & (ring_bytes - 1);
  const std::uint64_t first = std::min<std::uint64_t>(size, ring_bytes - start);
  copy(ring.cells + start, 0, first);
  copy(ring.cells, first, size - first);
}
}  // namespace detail

class alignas(kIsolation) Producer {
public:
  Producer() = default;
  explicit Producer(RingView ring) noexcept
      : ring_(ring),
        tail_(ring.indices->tail.load(std::memory_order_relaxed)),
        cached_head_(ring.indices->head.load(std::memory_order_acquire)) {}

  // The body is the concatenation of both parts. False: full (or larger than a ring may take); nothing was
  // written.
  bool push(std::uint16_t kind, std::uint64_t seq, Bytes first, Bytes second = {}) noexcept {
    const std::size_t body = first.size() + second.size();
    if (body > kMaxBody) return false;
    const std::uint32_t cells = cells_needed(static_cast<std::uint32_t>(body));
    if (!has_room(cells)) return false;
    const MessageHeader header{kind, 0, static_cast<std::uint32_t>(body), seq};
    write(0, {reinterpret_cast<const std::uint8_t*>(&header), sizeof header});
    write(sizeof header, first);
    write(static_cast<std::uint32_t>(sizeof header + first.size()), second);
    tail_ += cells;
    ring_.indices->tail.store(tail_, std::memory_order_release);  // T1
    return true;
  }

  // Cells in use, for high-water marks.
  std::uint32_t used() const noexcept {
    return static_cast<std::uint32_t>(tail_ - ring_.indices->head.load(std::memory_order_relaxed));
  }

  // Where those who may wait leave the rest to those who may not.
  bool half_full() const noexcept { return used() > ring_.cell_count / 2; }

private:
  bool has_room(std::uint32_t cells) noexcept {
    if (fits(cells)) return true;
    cached_head_ = ring_.indices->head.load(std::memory_order_acquire);  // H2
    return fits(cells);
  }
  // A consumer that claims to be ahead of us, or more than a ring behind, only makes the ring look full: the
  // difference is then larger than the ring, and nothing is added to it that could wrap.
  bool fits(std::uint32_t cells) const noexcept {
    const std::uint64_t used = tail_ - cached_head_;
    return used <= ring_.cell_count && cells <= ring_.cell_count - used;
  }
  void write(std::uint32_t offset, Bytes bytes) noexcept {
    detail::for_wrapped(ring_, tail_, offset, static_cast<std::uint32_t>(bytes.size()),
                        [&](std::uint8_t* cell, std::size_t from, std::size_t size) {
                          if (size != 0) std::memcpy(cell, bytes.data() + from, size);
                        });
  }

  RingView ring_;
  std::uint64_t tail_ = 0;         // private truth; the shared copy is only published, never read back
  std::uint64_t cached_head_ = 0;  // saves reading the consumer's line while there is room
};

// A message copied out of the ring. One per consumer, reused: 64 KiB is no stack object.
struct Message {
  MessageHeader header;
  std::array<std::uint8_t, kMaxBody> storage;

  Bytes body() const noexcept { return Bytes(storage.data(), header.body_size); }
};

enum class PopResult : std::uint8_t {
  kEmpty,
  kMessage,
  kCorrupt,  // an index or length was impossible; everything published so far was skipped
};

class alignas(kIsolation) Consumer {
public:
  Consumer() = default;
  explicit Consumer(RingView ring) noexcept
      : ring_(ring),
        head_(ring.indices->head.load(std::memory_order_relaxed)),
        cached_tail_(ring.indices->head.load(std::memory_order_relaxed)) {}

  PopResult pop(Message& out) noexcept {
    if (head_ == cached_tail_) {
      cached_tail_ = ring_.indices->tail.load(std::memory_order_acquire);  // T2
      if (head_ == cached_tail_) return PopResult::kEmpty;
      if (cached_tail_ - head_ > ring_.cell_count) return skip_all();
    }
    MessageHeader header;
    read(0, {reinterpret_cast<std::uint8_t*>(&header), sizeof header});
    if (header.body_size > kMaxBody) return skip_all();
    const std::uint32_t cells = cells_needed(header.body_size);
    if (cells > cached_tail_ - head_) return skip_all();
    out.header = header;
    read(sizeof header, MutableBytes(out.storage.data(), header.body_size));
    head_ += cells;
    ring_.indices->head.store(head_, std::memory_order_release);  // H1
    return PopResult::kMessage;
  }

  // Cells published and not yet taken, for high-water marks; nonsense when the producer's index is.
  std::uint64_t used() const noexcept { return ring_.indices->tail.load(std::memory_order_relaxed) - head_; }
  bool empty() const noexcept { return ring_.indices->tail.load(std::memory_order_acquire) == head_; }

private:
  PopResult skip_all() noexcept {
    head_ = cached_tail_;
    ring_.indices->head.store(head_, std::memory_order_release);
    return PopResult::kCorrupt;
  }
  void read(std::uint32_t offset, MutableBytes into) noexcept {
    detail::for_wrapped(ring_, head_, offset, static_cast<std::uint32_t>(into.size()),
                        [&](const std::uint8_t* cell, std::size_t from, std::size_t size) {
                          if (size != 0) std::memcpy(into.data() + from, cell, size);
                        });
  }

  RingView ring_;
  std::uint64_t head_ = 0;
  std::uint64_t cached_tail_ = 0;
};

}  // namespace turnpike::shm
