// SPDX-License-Identifier: BSD-3-Clause
// One plain line for each message: time, level, text.
#include "control/runtime/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>

namespace turnpike::control {

void start_log(bool verbose) {
  auto logger = spdlog::stderr_logger_st("turnpike-control");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l: %v");
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::info);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

}  // namespace turnpike::control
