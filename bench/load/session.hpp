// SPDX-License-Identifier: BSD-3-Clause
// A client, its allocation and one of its peers.
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

// Every session has its own peer endpoint, and every client so many sessions in a row as it has peers; relay
// endpoints come from the relay, for swap they are invented.
std::vector<Session> make_sessions(const Options& options);
// Of the client's generation: later ones have other ports, as far as one address has some.
wire::Endpoint client_endpoint(const Options& options, std::uint32_t client, std::uint32_t generation);
// Which session's client this is; at least options.sessions when it is nobody's.
std::uint32_t session_of_client(const Options& options, const wire::Endpoint& client) noexcept;

// The address so many above, and whether one is among the `count` from the first on.
wire::IpAddress plus(wire::IpAddress address, std::uint32_t offset) noexcept;
bool is_within(const wire::IpAddress& first, std::uint32_t count, const wire::IpAddress& address) noexcept;
// Whether a client or peer lives there, whose first address this is.
bool is_session_address(const Options& options, const wire::IpAddress& first,
                        const wire::IpAddress& address) noexcept;

}  // namespace turnpike::load
