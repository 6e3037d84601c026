// SPDX-License-Identifier: BSD-3-Clause
// One allocation and its peer.
#pragma once

#include <vector>

#include "bench/load/options.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::load {

struct Session {
  wire::Endpoint client;
  wire::Endpoint peer;
  wire::Endpoint relay;  // without family: there is no allocation
};

// Every session has its own client and peer endpoint; relay endpoints come from the relay, for swap they are
// invented.
std::vector<Session> make_sessions(const Options& options);
// Which session's client this is; at least options.sessions when it is nobody's.
std::uint32_t session_of_client(const Options& options, const wire::Endpoint& client) noexcept;

}  // namespace turnpike::load
