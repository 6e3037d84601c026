// SPDX-License-Identifier: BSD-3-Clause
// What a run over sockets found, for people or as JSON.
#pragma once

#include "bench/load/ndr.hpp"
#include "bench/load/sockets/alloc.hpp"
#include "bench/load/sockets/churn.hpp"
#include "bench/load/sockets/probe.hpp"
#include "bench/load/sockets/scene.hpp"

namespace turnpike::load {

Bottleneck find_bottleneck(const Options& options, const Outcome& outcome);
NdrTrial trial_of(const Options& options, const Outcome& outcome);

void print_media(Scene& scene, const Outcome& outcome, double setup_seconds);
void print_soak(Scene& scene, const Outcome& outcome, const ChurnCounts& churn);
void print_alloc(const Options& options, const AllocOutcome& outcome, const Signalling& signalling);
// A line on standard error.
void tell_probe_step(const Options& options, const ProbeStep& step);
void print_ndr(const Options& options, const Json& found);
void print_probe(const Options& options, const std::vector<ProbeStep>& steps);

}  // namespace turnpike::load
