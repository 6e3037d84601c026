// SPDX-License-Identifier: BSD-3-Clause
// What a run over sockets found, for people or as JSON.
#pragma once

#include "bench/load/signalling.hpp"
#include "bench/load/sockets/hold.hpp"
#include "bench/load/sockets/media_run.hpp"

namespace turnpike::load {

void print_media(const Options& options, const Outcome& outcome, const Signalling& signalling,
                 double setup_seconds);
void print_hold(const Options& options, const HoldOutcome& outcome, const Signalling& signalling);

}  // namespace turnpike::load
