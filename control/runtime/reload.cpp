// SPDX-License-Identifier: BSD-3-Clause
// A changed configuration in a running relay: all that can be applied, by every shard, or nothing.
#include <latch>

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
  std::vector<Listeners::Certificates> certificates;
  for (const auto& shard : shards_) {
    auto loaded = shard->ask([&] { return shard->listeners().load(options->listeners); });
    if (!loaded) return Error{loaded.error()};
    certificates.push_back(std::move(*loaded));
  }
  const auto common = [&]() -> Status {
    if (auto logging = start_log(options->log); !logging) return logging;
    options_.drain = options->drain;
    options_.users = std::move(options->users);  // which every shard's directory looks at
    return Unit{};
  };
  const auto changed = change_all(common, [&](Shard& shard) {
    if (auto used = shard.listeners().use(certificates[shard.share().part]); !used)
      spdlog::error("{}", used.error());
    shard.users().reload(options->turn.policy, options->ephemeral);
    shard.engine().reload(options->turn.quotas);
    shard.engine().set_alternate_servers(options->turn.alternate_servers);
  });
  if (!changed) return Error{changed.error()};
  forget_file_secrets(given);
  Reloaded reloaded{given_.changed_for_restart(given)};
  return reloaded;
}

Status App::change_all(const std::function<Status()>& common, const std::function<void(Shard&)>& each) {
  // Owned by all of them: the last one to leave a latch may be another than who waited for it.
  struct Halt {
    explicit Halt(std::ptrdiff_t others) : arrived(others), done(others) {}
    std::latch arrived;
    std::latch over{1};
    std::latch done;
    bool changed = false;
  };
  const auto others = static_cast<std::ptrdiff_t>(shards_.size()) - 1;
  const auto halt = std::make_shared<Halt>(others);
  for (std::size_t i = 1; i < shards_.size(); ++i) {
    shards_[i]->post([halt, shard = shards_[i].get(), &each] {
      halt->arrived.count_down();
      halt->over.wait();
      if (halt->changed) each(*shard);
      halt->done.count_down();
    });
  }
  halt->arrived.wait();
  const Status status = common();
  halt->changed = static_cast<bool>(status);
  halt->over.count_down();
  if (status) each(first());
  halt->done.wait();
  return status;
}

}  // namespace turnpike::control
