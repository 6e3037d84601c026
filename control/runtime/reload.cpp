// SPDX-License-Identifier: BSD-3-Clause
// A changed configuration in a running relay: all that can be applied, or nothing.
#include "control/log/log.hpp"
#include "control/runtime/app.hpp"

namespace turnpike::control {
namespace {

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) (text += text.empty() ? "" : ", ") += name;
  return text;
}

}  // namespace

Result<App::Reloaded> App::reload() {
  auto given = given_.reread();
  auto reloaded = given ? apply(std::move(*given)) : Result<Reloaded>(Error{given.error()});
  if (!reloaded) {
    spdlog::error("not reloaded, everything stays as it was: {}", reloaded.error());
  } else if (reloaded->need_restart.empty()) {
    spdlog::info("reloaded");
  } else {
    spdlog::warn("reloaded; these need a restart: {}", joined(reloaded->need_restart));
  }
  return reloaded;
}

Result<App::Reloaded> App::apply(config::Options given) {
  auto options = ControlOptions::read(given, crypto_);
  if (!options) return Error{options.error()};
  if (auto loaded = listeners_->reload(options->listeners); !loaded) return Error{loaded.error()};
  if (auto logging = start_log(options->log); !logging) return Error{logging.error()};
  options_.users = std::move(options->users);
  users_->reload(std::move(options->turn.policy), std::move(options->ephemeral));
  engine_->reload(options->turn.quotas);
  forget_file_secrets(given);
  Reloaded reloaded{given_.changed_for_restart(given)};
  return reloaded;
}

}  // namespace turnpike::control
