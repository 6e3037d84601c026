// SPDX-License-Identifier: BSD-3-Clause
// Our own addresses by their bytes: is this packet for us, and on which side? A small open-addressed table,
// because every packet asks (one probe as a rule; a dozen addresses fit L1).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/shm/commands.hpp"
#include "dataplane/flow.hpp"

namespace turnpike::dataplane {

// The bytes of a wire::IpAddress as the packet path compares, hashes and copies them: read from the header in
// one piece, because what is stored in parts and read as a whole waits for the stores.
struct AddressWords {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  static AddressWords v4(const std::uint8_t* four) noexcept {
    std::uint32_t word;
    std::memcpy(&word, four, sizeof word);
    return {word, 0};
  }
  static AddressWords v6(const std::uint8_t* sixteen) noexcept {
    AddressWords words;
    std::memcpy(&words, sixteen, sizeof words);
    return words;
  }
  friend bool operator==(const AddressWords& a, const AddressWords& b) noexcept {
    return ((a.low ^ b.low) | (a.high ^ b.high)) == 0;
  }
};
static_assert(sizeof(AddressWords) == sizeof(wire::IpAddress::bytes));

class LocalAddresses {
public:
  struct Entry {
    wire::IpAddress address;
    std::uint16_t index = kNoLocal;  // kNoLocal: free
    std::uint16_t listener_port = 0;
    std::uint16_t relay_min = 0;
    std::uint16_t relay_max = 0;
    wire::IpAddress advertised;
    bool local_peers = false;
    bool dtls = false;
    std::array<std::uint16_t, 2> services{};

    bool is_relay_port(std::uint16_t port) const noexcept {
      return relay_min != 0 && port >= relay_min && port <= relay_max;
    }
  };

  // Inbox only. False: the fact is invalid (index out of range, address already known under another index).
  bool set(const shm::LocalAddress& fact) noexcept {
    if (fact.index >= shm::kMaxLocalAddresses || fact.relay_min > fact.relay_max) return false;
    facts_[fact.index] = fact;
    return rebuild();
  }
  void clear() noexcept {
    facts_.fill({});
    rebuild();
  }

  // nullptr: not our address.
  const Entry* find(const wire::IpAddress& address) const noexcept {
    AddressWords words;
    std::memcpy(&words, address.bytes.data(), sizeof words);
    return find(words, address.family);
  }
  const Entry* find(const AddressWords& words, wire::Family family) const noexcept {
    for (std::uint32_t at = hash(words);; ++at) {
      const Entry& entry = slots_[at & kMask];
      if (entry.index == kNoLocal) return nullptr;
      AddressWords own;
      std::memcpy(&own, entry.address.bytes.data(), sizeof own);
      if (own == words && entry.address.family == family) return &entry;
    }
  }
  // An address that clients know as one of our relay addresses (external-ip), as we own it; any other as it
  // is.
  const wire::IpAddress& own_form(const wire::IpAddress& address) const noexcept {
    for (std::uint16_t i = 0; i < advertised_count_; ++i) {
      const shm::LocalAddress& fact = facts_[advertised_[i]];
      if (fact.advertised == address) return fact.address;
    }
    return address;
  }
  std::span<const shm::LocalAddress> facts() const noexcept { return facts_; }

  // Kernel sockets: what we send to ourselves comes back by the kernel, and programs of this machine may be
  // peers. Constant after start, clear() included.
  void set_kernel_sockets(bool kernel_sockets) noexcept { kernel_sockets_ = kernel_sockets; }
  // Packets to this address have to be put back into the pipeline.
  bool hairpins(const wire::IpAddress& address) const noexcept {
    return !kernel_sockets_ && find(address) != nullptr;
  }
  // RFC 8656 section 21.4 and our deny list: a service port of ours is never a peer.
  bool is_service(const wire::Endpoint& peer) const noexcept {
    const Entry* own = find(peer.address);
    if (own == nullptr) return false;
    if (own->is_relay_port(peer.port)) return false;
    return !kernel_sockets_ || !own->local_peers || own->listener_port == peer.port ||
           own->services[0] == peer.port || own->services[1] == peer.port;
  }

private:
  static constexpr std::uint32_t kSlots = 1024;  // four times the addresses: probes end soon
  static constexpr std::uint32_t kMask = kSlots - 1;

  static std::uint32_t hash(const AddressWords& words) noexcept {
    return static_cast<std::uint32_t>(((words.low ^ (words.high * 3)) * 0x9e3779b97f4a7c15ULL) >> 54);
  }
  bool rebuild() noexcept {
    bool unique = true;
    advertised_count_ = 0;
    slots_.fill({});
    for (const shm::LocalAddress& fact : facts_) {
      if (fact.address.family == wire::Family::kNone) continue;
      if (find(fact.address) != nullptr) {
        unique = false;
        continue;
      }
      if (fact.advertised.family != wire::Family::kNone && fact.advertised != fact.address) {
        advertised_[advertised_count_++] = fact.index;
      }
      AddressWords words;
      std::memcpy(&words, fact.address.bytes.data(), sizeof words);
      std::uint32_t at = hash(words);
      while (slots_[at & kMask].index != kNoLocal) ++at;
      slots_[at & kMask] = {fact.address,          fact.index,     fact.listener_port,
                            fact.relay_min,        fact.relay_max, fact.advertised,
                            fact.local_peers != 0, fact.dtls != 0, fact.services};
    }
    return unique;
  }

  std::array<shm::LocalAddress, shm::kMaxLocalAddresses> facts_{};
  std::array<Entry, kSlots> slots_{};
  bool kernel_sockets_ = false;
  std::uint16_t advertised_count_ = 0;
  std::array<std::uint16_t, shm::kMaxLocalAddresses> advertised_{};
};

}  // namespace turnpike::dataplane
