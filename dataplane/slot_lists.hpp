// SPDX-License-Identifier: BSD-3-Clause
// Intrusive lists over table slots: what belongs to one allocation, and what stands under one key.
#pragma once

#include <cstdint>

namespace turnpike::dataplane {

inline constexpr std::uint32_t kNoSlot = 0xFFFFFFFF;

struct Links {
  std::uint32_t next = kNoSlot;
  std::uint32_t previous = kNoSlot;
};

// `links(slot)` is the Links& of a slot, throughout.

// Puts `slot` in front of the list that starts at `first`.
template <typename LinksOf>
void link(std::uint32_t& first, std::uint32_t slot, LinksOf&& links) noexcept {
  links(slot) = {first, kNoSlot};
  if (first != kNoSlot) links(first).previous = slot;
  first = slot;
}

// Takes `slot` out of its list.
template <typename LinksOf>
void unlink(std::uint32_t& first, std::uint32_t slot, LinksOf&& links) noexcept {
  const Links own = links(slot);
  if (own.previous != kNoSlot) links(own.previous).next = own.next;
  if (own.previous == kNoSlot) first = own.next;
  if (own.next != kNoSlot) links(own.next).previous = own.previous;
  links(slot) = {};
}

// Puts `slot` second: the first one stays, because a key in the hash leads to it.
template <typename LinksOf>
void link_second(std::uint32_t first, std::uint32_t slot, LinksOf&& links) noexcept {
  Links& head = links(first);
  links(slot) = {head.next, first};
  if (head.next != kNoSlot) links(head.next).previous = slot;
  head.next = slot;
}

}  // namespace turnpike::dataplane
