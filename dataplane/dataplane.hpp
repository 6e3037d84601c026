// SPDX-License-Identifier: BSD-3-Clause
// The whole program between its options and its exit code: start in stages, run, take down in reverse.
#pragma once

#include "common/base/result.hpp"
#include "dataplane/ending.hpp"
#include "dataplane/options.hpp"

namespace turnpike::dataplane {

// Returns after SIGTERM or SIGINT, or when another process has to open a port's device; an error when it
// could not start.
Result<Ending> run_dataplane(const StartOptions& options);

}  // namespace turnpike::dataplane
