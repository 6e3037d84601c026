// SPDX-License-Identifier: BSD-3-Clause
// --doctor: what on this machine stands in the way, and the command that mends it.
#pragma once

#include <string>
#include <vector>

#include "common/config/options.hpp"
#include "dataplane/machine.hpp"
#include "dataplane/options.hpp"

namespace turnpike::dataplane {

enum class Verdict : std::uint8_t { kOk, kWarn, kFail };

struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string text;
  std::string remedy;  // a command or an option; empty: none needed
};

// Before anything is started; each looks at one thing. Pure but for the machine's files.
std::vector<Finding> check_memory(const StartOptions& options, const Machine& machine);
std::vector<Finding> check_cpus(const StartOptions& options, const Machine& machine);
std::vector<Finding> check_relay_range(const StartOptions& options, const Machine& machine);
std::vector<Finding> check_ports(const StartOptions& options, const Machine& machine);
std::vector<Finding> check_limits(const StartOptions& options);

std::string to_line(const Finding& finding);

// Prints every finding to standard output; the exit code: 0 when nothing fails.
int run_doctor(const config::Options& options);

}  // namespace turnpike::dataplane
