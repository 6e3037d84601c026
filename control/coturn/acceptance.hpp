// SPDX-License-Identifier: BSD-3-Clause
// What our own check has against a translated configuration: lines that it refuses become comments.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "common/base/result.hpp"

namespace turnpike::control {

// Judges a whole configuration text. Its errors name lines by number, so the text keeps its lines.
using ConfigCheck = std::function<Status(const std::string& text)>;

// Turns a line at which the check takes offence into a comment with what it says, until it has nothing more
// to say or no line by itself is to blame. Gives how many lines that were. Lines that decide who may
// allocate are never touched, but for databases: without one of the others the relay could be open.
std::size_t comment_refused(std::string& text, const ConfigCheck& check);

}  // namespace turnpike::control
