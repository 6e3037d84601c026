// SPDX-License-Identifier: BSD-3-Clause
// What only the server itself knows of an allocation, as bytes: whoever relays keeps them, and a later server
// that takes the allocation over reads them. They come back out of shared memory: nothing is believed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/turn/allocation.hpp"

namespace turnpike::turn {

struct SessionNote {
  Time created{};
  stun::TransactionId created_by{};
  std::optional<stun::ReservationToken> reservation;
  AddressFailure failure;
  std::string_view realm;
  std::string_view user;
  std::string_view account;  // a part of `user`: an ephemeral name without its time
};

SessionNote note_of(const Allocation& allocation);
// Appends; host byte order, as shared memory is.
void write_note(const SessionNote& note, std::vector<std::uint8_t>& out);
// The texts lie in `bytes`. Nothing when the bytes are no note.
std::optional<SessionNote> read_note(Bytes bytes);

}  // namespace turnpike::turn
