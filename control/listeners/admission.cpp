// SPDX-License-Identifier: BSD-3-Clause
// Counting by source, under one lock: no call takes longer than a look-up.
#include "control/listeners/admission.hpp"

#include <array>
#include <bit>

namespace turnpike::control {
namespace {

using Verdict = Admission::Verdict;
using Lock = std::lock_guard<std::mutex>;

constexpr std::size_t kSets = 1U << 12;  // 16384 sources in 256 KiB

std::uint64_t random_seed(Crypto& crypto) {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  crypto.random(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

// Whoever has an IPv6 address has the /64 around it.
wire::IpAddress source_of(wire::IpAddress address) {
  if (address.is_v6()) std::fill(address.bytes.begin() + 8, address.bytes.end(), std::uint8_t{0});
  return address;
}

std::uint64_t nanoseconds_of(Time now) { return static_cast<std::uint64_t>(now.count()); }

}  // namespace

Admission::Admission(const AdmissionLimits& limits, Crypto& crypto)
    : limits_(limits),
      begun_(limits.begun, random_seed(crypto),
             std::vector<wire::SourceBuckets::Set>(Limiter::sets(limits.begun, kSets))),
      greetings_(limits.greetings, random_seed(crypto),
                 std::vector<wire::SourceBuckets::Set>(Limiter::sets(limits.greetings, kSets))) {}

Verdict Admission::Present::add(const wire::IpAddress& address, const AdmissionLimits& limits) {
  if (total_ >= limits.connections) return Verdict::kTotalReached;
  std::uint32_t& from_source = by_source_[source_of(address)];
  // Whoever is refused is there already: no entry is left at 0.
  if (limits.connections_per_ip != 0 && from_source >= limits.connections_per_ip)
    return Verdict::kSourceReached;
  ++total_;
  ++from_source;
  return Verdict::kAdmitted;
}

void Admission::Present::remove(const wire::IpAddress& address) {
  --total_;
  if (const auto found = by_source_.find(source_of(address)); --found->second == 0) by_source_.erase(found);
}

Verdict Admission::begin(const wire::IpAddress& source, Time now) {
  switch (begun_.admit(wire::source_key(source), nanoseconds_of(now))) {
    case Limiter::Verdict::kPass:
      return Verdict::kAdmitted;
    case Limiter::Verdict::kSourceOver:
      return Verdict::kSourceOverRate;
    case Limiter::Verdict::kAllOver:
      break;
  }
  return Verdict::kTotalOverRate;
}

Verdict Admission::add_stream(const wire::IpAddress& source, bool is_proxy, Time now) {
  if (!is_proxy && limits_.denied.denies(source)) return Verdict::kDenied;
  const Lock lock(mutex_);
  if (!is_proxy) {
    if (const Verdict verdict = begin(source, now); verdict != Verdict::kAdmitted) return verdict;
  }
  return streams_.add(source, limits_);
}

Verdict Admission::admit_proxied(const wire::IpAddress& client, Time now) {
  if (limits_.denied.denies(client)) return Verdict::kDenied;
  const Lock lock(mutex_);
  return begin(client, now);
}

void Admission::remove_stream(const wire::IpAddress& source) {
  const Lock lock(mutex_);
  streams_.remove(source);
}

Verdict Admission::admit_greeting(const wire::IpAddress& source, Time now) {
  if (limits_.denied.denies(source)) return Verdict::kDenied;
  const Lock lock(mutex_);
  const bool passes =
      greetings_.admit(wire::source_key(source), nanoseconds_of(now)) == Limiter::Verdict::kPass;
  return passes ? Verdict::kAdmitted : Verdict::kGreetingOverRate;
}

Verdict Admission::add_session(const wire::IpAddress& source, Time now) {
  const Lock lock(mutex_);
  if (const Verdict verdict = begin(source, now); verdict != Verdict::kAdmitted) return verdict;
  return sessions_.add(source, limits_);
}

void Admission::remove_session(const wire::IpAddress& source) {
  const Lock lock(mutex_);
  sessions_.remove(source);
}

bool is_admitted(Verdict verdict, ClientCounters& counters) {
  switch (verdict) {
    case Verdict::kAdmitted:
      return true;
    case Verdict::kDenied:
      ++counters.refused_denied;
      return false;
    case Verdict::kTotalReached:
      ++counters.refused_total;
      return false;
    case Verdict::kSourceReached:
      ++counters.refused_source;
      return false;
    case Verdict::kSourceOverRate:
      ++counters.refused_source_rate;
      return false;
    case Verdict::kTotalOverRate:
      ++counters.refused_total_rate;
      return false;
    case Verdict::kGreetingOverRate:
      ++counters.greetings_over_rate;
      return false;
  }
  return false;
}

}  // namespace turnpike::control
