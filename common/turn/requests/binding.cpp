// SPDX-License-Identifier: BSD-3-Clause
// Binding (RFC 8489 section 12): stateless, on any 5-tuple.
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

void serve_binding(Service& service, Request& request) {
  Response response(service, request.reply, stun::MessageClass::kSuccess);
  response.writer().add_xor_address(stun::Attribute::kXorMappedAddress, request.from.client);
  response.send(request.step.effects);
}

}  // namespace turnpike::turn
