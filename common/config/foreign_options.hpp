// SPDX-License-Identifier: BSD-3-Clause
// coturn's options that Turnpike does not have, with what to do instead.
#pragma once

#include <array>
#include <string_view>

namespace turnpike::config {

struct ForeignOption {
  std::string_view name;
  std::string_view instead;
};

inline constexpr auto kForeignOptions = std::to_array<ForeignOption>({
#define FOREIGN_OPTION(name, instead) {name, instead},
#include "common/config/foreign_options.def"
#undef FOREIGN_OPTION
});

constexpr const ForeignOption* find_foreign_option(std::string_view name) noexcept {
  for (const ForeignOption& option : kForeignOptions) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

}  // namespace turnpike::config
