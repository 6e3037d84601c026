// SPDX-License-Identifier: BSD-3-Clause
// Log lines on standard error; standard output is for the ready line alone.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace turnpike::control {

void start_log(bool verbose);

// Text of another process without control characters: it cannot forge log lines or colour terminals.
std::string printable(std::string text);

}  // namespace turnpike::control
