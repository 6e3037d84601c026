// SPDX-License-Identifier: BSD-3-Clause
// Data of clients whose bytes pass through the server: stream transports, and any client where no packet path
// is in between. Nothing here is ever answered, and nothing here extends a permission, a channel or an
// allocation.
#pragma once

#include "common/turn/service.hpp"

namespace turnpike::turn {

void relay_send_indication(Service& service, const FiveTuple& from, const stun::MessageView& message,
                           Step& step);
void relay_channel_data(Service& service, const FiveTuple& from, Bytes message, Step& step);
void relay_peer_data(Service& service, const RelayEndpoint& relay, const PeerEndpoint& peer, Bytes payload,
                     Step& step);

}  // namespace turnpike::turn
