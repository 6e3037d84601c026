// SPDX-License-Identifier: BSD-3-Clause
// One write per line, so that lines of two processes on one terminal stay whole.
#include "dataplane/log.hpp"

#include <unistd.h>

namespace turnpike::dataplane {

void log_line(const std::string& text) {
  const std::string line = "turnpike-dataplane: " + text + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace turnpike::dataplane
