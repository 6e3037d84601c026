// SPDX-License-Identifier: BSD-3-Clause
// turnpike-dataplane: moves the relay's UDP packets between ports.
#include <sysexits.h>

#include <cstdio>
#include <exception>

#include "common/config/options.hpp"
#include "common/config/secrets.hpp"
#include "common/shm/abi_line.hpp"
#include "dataplane/dataplane.hpp"
#include "dataplane/doctor.hpp"
#include "dataplane/log.hpp"
#include "dataplane/options.hpp"

namespace {

using namespace turnpike;

int run(int argc, char** argv) {
  auto options = config::Options::parse(argc, argv, config::Program::kDataplane);
  if (!options) {
    dataplane::log_line(options.error());
    return 1;
  }
  if (options->print_if_asked()) return 0;
  if (options->only_abi()) {
    std::puts(to_text(shm::AbiLine{"turnpike-dataplane", std::string(config::version())}).c_str());
    return 0;
  }
  if (options->flag("doctor")) return dataplane::run_doctor(*options);
  const auto start = dataplane::start_options(*options);
  if (!start) {
    dataplane::log_line(start.error());
    return 1;
  }
  if (options->only_check()) return 0;
  // Control's, which every option line gives to both.
  config::hide_secrets(argc, argv);
  options->wipe_secrets();
  const auto ended = dataplane::run_dataplane(*start);
  if (!ended) {
    dataplane::log_line(ended.error());
    return 1;
  }
  return *ended == dataplane::Ending::kReopen ? EX_TEMPFAIL : 0;  // for who starts it again
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    dataplane::log_line(error.what());
    return 1;
  }
}
