// SPDX-License-Identifier: BSD-3-Clause
// Who may become a client of control's own sockets, over all its threads: whom denied-client-ip names, how
// many there may be at once, and how many may begin in a second.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "common/base/crypto.hpp"
#include "common/base/time.hpp"
#include "common/wire/address_filter.hpp"
#include "common/wire/source_limiter.hpp"
#include "control/listeners/client_counters.hpp"

namespace turnpike::control {

// A source is an IPv4 address or an IPv6 /64.
struct AdmissionLimits {
  std::uint32_t connections = 0;         // TCP connections, and as many DTLS sessions, in total
  std::uint32_t connections_per_ip = 0;  // of one source; 0: as many as in total
  wire::SourceRates begun;               // TCP connections and DTLS handshakes
  wire::SourceRates greetings;           // DTLS ClientHellos, which prove nothing yet
  wire::AddressFilter denied;
};

class Admission {
public:
  enum class Verdict : std::uint8_t {
    kAdmitted,
    kDenied,
    kTotalReached,
    kSourceReached,
    kSourceOverRate,
    kTotalOverRate,
    kGreetingOverRate,
  };

  Admission(const AdmissionLimits& limits, Crypto& crypto);

  // A connection from `source`; who is admitted counts until remove_stream(). A proxy is one source for all
  // its clients: only their number is bounded before admit_proxied() knows who it is.
  Verdict add_stream(const wire::IpAddress& source, bool is_proxy, Time now);
  Verdict admit_proxied(const wire::IpAddress& client, Time now);
  void remove_stream(const wire::IpAddress& source);

  // The beginning of a DTLS handshake, from an address that may be another's.
  Verdict admit_greeting(const wire::IpAddress& source, Time now);
  // Its address is proved.
  Verdict add_session(const wire::IpAddress& source, Time now);
  void remove_session(const wire::IpAddress& source);

private:
  using Limiter = wire::SourceLimiter<std::vector<wire::SourceBuckets::Set>>;

  // Those that are there.
  class Present {
  public:
    Verdict add(const wire::IpAddress& source, const AdmissionLimits& limits);
    void remove(const wire::IpAddress& source);

  private:
    std::uint32_t total_ = 0;
    std::unordered_map<wire::IpAddress, std::uint32_t> by_source_;
  };

  Verdict begin(const wire::IpAddress& source, Time now);

  const AdmissionLimits limits_;
  std::mutex mutex_;  // of what follows
  Present streams_;
  Present sessions_;
  Limiter begun_;
  Limiter greetings_;
};

// True for kAdmitted; everything else is counted.
bool is_admitted(Admission::Verdict verdict, ClientCounters& counters);

}  // namespace turnpike::control
