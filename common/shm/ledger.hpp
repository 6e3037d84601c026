// SPDX-License-Identifier: BSD-3-Clause
// The ledger: control's own record of every allocation, in the region so that it outlives control. The
// dataplane makes room for it and never looks; one control writes it, the next one reads it.
//
// Whenever its writer is killed, every record is the old one or the new one, never a mixture: see
// ledger_journal.hpp. What the dataplane has been told of stands here first, so nothing that it holds is
// unknown to the next control.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "common/shm/commands.hpp"
#include "common/shm/spsc_ring.hpp"

namespace turnpike::shm {

inline constexpr std::uint32_t kLedgerVersion = 2;
inline constexpr std::uint64_t kLedgerMagic = 0x72'65'67'64'65'6c'00'00 + kLedgerVersion;  // "..ledger"

enum class RecordPhase : std::uint32_t {
  kUnused = 0,
  kLive,
  kRemoved,  // the worker was or is being told: until then it may know the slot, and its ports
};

// Larger than the server's notes on most users; longer ones lie in LedgerLongNote.
inline constexpr std::size_t kShortNote = 128;
inline constexpr std::size_t kLongNote = 1344;  // of the longest realm and user name

struct LedgerAllocation {
  RecordPhase phase = RecordPhase::kUnused;
  std::uint8_t transport = 0;  // turn::Transport
  std::uint8_t reserved0 = 0;
  std::uint16_t note_size = 0;  // above kShortNote: in the long note of the same index
  AllocationFact fact;          // as last told
  LinkPath path;                // the way of the client's last request that changed something
  std::uint32_t reserved1 = 0;
  std::array<std::uint64_t, 2> deadlines_ns{};  // of each relayed address
  std::array<std::uint8_t, kShortNote> note{};  // the server's own (common/turn/session_note.hpp)
};
static_assert(sizeof(LedgerAllocation) == 288);

// Written before the record that refers to it, of a slot that is not live.
struct LedgerLongNote {
  std::array<std::uint8_t, kLongNote> bytes{};
};

struct LedgerPermission {
  RecordPhase phase = RecordPhase::kUnused;
  std::uint32_t reserved = 0;
  PermissionFact fact;
};

struct LedgerChannel {
  RecordPhase phase = RecordPhase::kUnused;
  std::uint32_t reserved = 0;
  ChannelFact fact;
};

// The keys of the nonces that clients have.
struct LedgerNonceKeys {
  RecordPhase phase = RecordPhase::kUnused;
  std::uint32_t reserved = 0;
  std::array<std::array<std::uint8_t, 16>, 2> keys{};
  std::uint64_t rotated_at_ns = 0;
};

// By which index the dataplane knows an address of ours.
struct LedgerAddress {
  RecordPhase phase = RecordPhase::kUnused;
  std::uint32_t reserved = 0;
  LocalAddress fact;
};

// That the relay is being drained.
struct LedgerDrain {
  RecordPhase phase = RecordPhase::kUnused;
  std::uint32_t reserved = 0;
  std::uint64_t min_allocations = 0;
  std::uint64_t ends_at_ns = 0;  // CLOCK_MONOTONIC, which all processes share; 0: never
};

enum class LedgerTable : std::uint32_t {
  kAllocations,
  kPermissions,
  kChannels,
  kNonceKeys,
  kAddresses,
  kDrain
};

// A record on its way to its place.
struct alignas(kIsolation) LedgerJournal {
  // 1: what follows is whole, its place may not be. replace() stores it, recover() of the next control loads
  // it.
  std::atomic<std::uint32_t> armed;
  LedgerTable table;
  std::uint32_t index;
  std::uint32_t reserved;
  std::array<std::uint8_t, sizeof(LedgerAllocation)> record;
};

// Of one worker, written by its thread of control alone. `touched`: slots below were used at some time; the
// next control reads the marks, relaxed, after L2.
struct alignas(kIsolation) LedgerWorker {
  LedgerJournal journal;
  std::atomic<std::uint32_t> touched_allocations;
  std::atomic<std::uint32_t> touched_permissions;
  std::atomic<std::uint32_t> touched_channels;
  LedgerNonceKeys nonce_keys;
};

// Written by control's first thread.
struct alignas(kIsolation) LedgerHeader {
  // kLedgerMagic: the ledger tells of all that the dataplane has been told; 0: it is empty or begun anew.
  // L1: control stores it with release once that is so; L2: the next control loads it with acquire before it
  // reads anything else of the ledger.
  std::atomic<std::uint64_t> ready;
  // Counts the controls that have written here. Each numbers its facts from epoch << 40: no number comes
  // twice in the life of a region. Nothing is published by it: one control at a time reads and writes it.
  std::atomic<std::uint32_t> epoch;
  LedgerJournal journal;
  std::array<LedgerAddress, kMaxLocalAddresses> addresses;
  LedgerDrain drain;
};

constexpr std::uint64_t first_fact_of(std::uint32_t epoch) { return std::uint64_t{epoch} << 40; }

// Where one worker's part of it is mapped.
struct LedgerView {
  LedgerWorker* worker = nullptr;
  std::span<LedgerAllocation> allocations;
  std::span<LedgerPermission> permissions;
  std::span<LedgerChannel> channels;
  std::span<LedgerLongNote> long_notes;
};

}  // namespace turnpike::shm
