// SPDX-License-Identifier: BSD-3-Clause
// The header that a load balancer puts in front of a connection: who the client really is (PROXY protocol,
// versions 1 and 2).
#pragma once

#include <optional>

#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::control {

enum class ProxyStatus : std::uint8_t { kNeedMore, kDone, kInvalid };

struct ProxyHeader {
  ProxyStatus status = ProxyStatus::kNeedMore;
  std::size_t size = 0;  // bytes of the header, with kDone
  // Nothing: the balancer speaks for itself (a health check), the connection's own endpoints count.
  std::optional<wire::Endpoint> source;
  std::optional<wire::Endpoint> destination;
};

// The longest header that is waited for; longer ones are invalid.
inline constexpr std::size_t kMaxProxyHeader = 536;

// Reads the header at the start of `bytes`. Never more than kMaxProxyHeader bytes are needed to decide.
ProxyHeader parse_proxy_header(Bytes bytes);

}  // namespace turnpike::control
