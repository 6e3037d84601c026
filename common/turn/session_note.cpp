// SPDX-License-Identifier: BSD-3-Clause
// A fixed head and two texts.
#include "common/turn/session_note.hpp"

#include <cstring>

namespace turnpike::turn {

namespace {

struct Head {
  std::int64_t created_ns = 0;
  stun::TransactionId created_by{};
  std::uint16_t failure_code = 0;
  std::uint8_t failed_family = 0;
  std::uint8_t has_reservation = 0;
  stun::ReservationToken reservation{};
  std::uint16_t realm_size = 0;
  std::uint16_t user_size = 0;
  std::uint16_t account_begin = 0;  // within the user
  std::uint16_t account_size = 0;
};
static_assert(sizeof(Head) == 40);

}  // namespace

SessionNote note_of(const Allocation& allocation) {
  SessionNote note;
  note.created = allocation.created;
  note.created_by = allocation.created_by;
  if (allocation.has_reservation) note.reservation = allocation.reservation;
  note.failure = allocation.failure;
  note.realm = allocation.user->realm;
  note.user = allocation.user->name;
  note.account = allocation.user->account;
  return note;
}

void write_note(const SessionNote& note, std::vector<std::uint8_t>& out) {
  Head head;
  head.created_ns = note.created.count();
  head.created_by = note.created_by;
  head.failure_code = static_cast<std::uint16_t>(note.failure.error);
  head.failed_family = static_cast<std::uint8_t>(note.failure.family);
  head.has_reservation = note.reservation ? 1 : 0;
  head.reservation = note.reservation.value_or(stun::ReservationToken{});
  head.realm_size = static_cast<std::uint16_t>(note.realm.size());
  head.user_size = static_cast<std::uint16_t>(note.user.size());
  const std::size_t account = note.user.find(note.account);
  head.account_begin = static_cast<std::uint16_t>(account == std::string_view::npos ? 0 : account);
  head.account_size =
      static_cast<std::uint16_t>(account == std::string_view::npos ? note.user.size() : note.account.size());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&head);
  out.insert(out.end(), bytes, bytes + sizeof head);
  out.insert(out.end(), note.realm.begin(), note.realm.end());
  out.insert(out.end(), note.user.begin(), note.user.end());
}

std::optional<SessionNote> read_note(Bytes bytes) {
  Head head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof head,
                              bytes.size() - sizeof head);
  const bool fits = std::size_t{head.realm_size} + head.user_size <= text.size() &&
                    std::size_t{head.account_begin} + head.account_size <= head.user_size;
  const bool failed = head.failed_family != static_cast<std::uint8_t>(Family::kNone);
  const bool known_family = head.failed_family == static_cast<std::uint8_t>(Family::kIpv4) ||
                            head.failed_family == static_cast<std::uint8_t>(Family::kIpv6);
  const auto code = static_cast<stun::ErrorCode>(head.failure_code);
  const bool known_code =
      code == stun::ErrorCode::kAddressFamilyNotSupported || code == stun::ErrorCode::kInsufficientCapacity;
  const bool known_time = head.created_ns >= 0 && head.created_ns <= kNever.count() / 2;
  if (!fits || !known_time || (failed && !(known_family && known_code))) return std::nullopt;
  SessionNote note;
  note.created = Time{head.created_ns};
  note.created_by = head.created_by;
  if (head.has_reservation != 0) note.reservation = head.reservation;
  if (failed) note.failure = {static_cast<Family>(head.failed_family), code};
  note.realm = text.substr(0, head.realm_size);
  note.user = text.substr(head.realm_size, head.user_size);
  note.account = note.user.substr(head.account_begin, head.account_size);
  return note;
}

}  // namespace turnpike::turn
