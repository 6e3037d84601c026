// SPDX-License-Identifier: BSD-3-Clause
// The option table as data, and names that are checked against it by the compiler.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turnpike::config {

enum class Program : std::uint8_t { kBoth, kDataplane, kControl };

enum class Kind : std::uint8_t { kFlag, kText, kChoice, kInteger, kPowerOfTwo, kSeconds, kList };

struct Option {
  std::string_view name;
  Kind kind;
  Program program;
  std::string_view default_text;
  std::int64_t minimum;
  std::int64_t maximum;
  std::string_view unit;  // or the choices, separated by '|'
  bool reloadable;
  std::string_view help;
};

inline constexpr auto kOptionTable = std::to_array<Option>({
#define OPTION(name, kind, program, default_text, minimum, maximum, unit, reloadable, help) \
  {name, Kind::kind, Program::program, default_text, minimum, maximum, unit, reloadable, help},
#include "common/config/options.def"
#undef OPTION
});
inline constexpr std::size_t kOptionCount = kOptionTable.size();

// Index of the option, or kOptionCount.
constexpr std::size_t find_option(std::string_view name) noexcept {
  std::size_t i = 0;
  while (i < kOptionCount && kOptionTable[i].name != name) ++i;
  return i;
}

constexpr bool is_number(Kind kind) noexcept {
  return kind == Kind::kInteger || kind == Kind::kPowerOfTwo || kind == Kind::kSeconds;
}

// A literal that names an option of the table: a misspelt accessor call does not compile.
struct OptionName {
  std::size_t index;
  consteval OptionName(const char* name) : index(find_option(name)) {  // NOLINT: implicit by design
    if (index == kOptionCount) throw "no such option in options.def";
  }
};

}  // namespace turnpike::config
