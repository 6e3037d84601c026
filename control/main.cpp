// SPDX-License-Identifier: BSD-3-Clause
// turnpike-control: authenticates clients and tells the dataplane what to relay.
#include <signal.h>

#include <cstdio>

#include "common/config/options.hpp"
#include "common/config/secrets.hpp"
#include "common/shm/abi_line.hpp"
#include "control/coturn/import.hpp"
#include "control/crypto/openssl_crypto.hpp"
#include "control/log/log.hpp"
#include "control/options.hpp"
#include "control/runtime/app.hpp"

namespace {

using turnpike::control::App;
using turnpike::control::ControlOptions;
using turnpike::control::OpensslCrypto;

int fail(const std::string& text) {
  std::fprintf(stderr, "turnpike-control: %s\n", text.c_str());
  return 1;
}

int fail_logged(const std::string& text) {
  turnpike::control::log_failure(text);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGINT,
         SIG_DFL);  // a shell that started us in the background has it ignored, even while it is blocked
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);  // until the event loop takes them
  sigset_t orders;
  sigemptyset(&orders);
  sigaddset(&orders, SIGHUP);
  sigaddset(&orders, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &orders, nullptr);  // likewise
  signal(SIGPIPE, SIG_IGN);

  auto options = turnpike::config::Options::parse(argc, argv, turnpike::config::Program::kControl);
  if (!options) return fail(options.error());
  if (options->print_if_asked()) return 0;
  if (options->only_abi()) {
    const turnpike::shm::AbiLine line{"turnpike-control", std::string(turnpike::config::version())};
    std::puts(to_text(line).c_str());
    return 0;
  }
  if (options->action() == turnpike::config::Options::Action::kImportCoturn) {
    const auto imported = turnpike::control::import_coturn(options->import_file(), options->output_file());
    return imported ? 0 : fail(imported.error());
  }
  OpensslCrypto crypto;
  auto settings = ControlOptions::read(*options, crypto);
  if (!settings) return fail(settings.error());
  if (options->only_check()) {
    std::puts("the configuration is valid");
    return 0;
  }
  turnpike::control::forget_file_secrets(*options);
  turnpike::config::hide_secrets(argc, argv);
  if (auto started = turnpike::control::start_log(settings->log); !started) return fail(started.error());

  auto app = App::start(std::move(*settings), std::move(*options), stop);
  if (!app) return fail_logged(app.error());
  if (*app == nullptr) return 0;
  if (auto ended = (*app)->run(); !ended) return fail_logged(ended.error());
  return 0;
}
