// SPDX-License-Identifier: BSD-3-Clause
// turnpike-control --import-coturn: from file to file.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace turnpike::control {

// Writes to standard output when `output` is empty, else a new file with mode 0600: passwords stand in it.
// Says on standard error what became of the settings, and whether the result can be used as it is.
Status import_coturn(const std::string& input, const std::string& output);

}  // namespace turnpike::control
