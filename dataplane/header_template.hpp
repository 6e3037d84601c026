// SPDX-License-Identifier: BSD-3-Clause
// Builds the finished part of an outgoing header from two endpoints of one family.
#pragma once

#include "common/wire/endpoint.hpp"
#include "dataplane/flow.hpp"

namespace turnpike::dataplane {

// Fills header and pseudo_sum of `flow`; the rest is the caller's. False when the families differ.
bool make_header(const wire::Endpoint& from, const wire::Endpoint& to, Flow& flow) noexcept;

}  // namespace turnpike::dataplane
