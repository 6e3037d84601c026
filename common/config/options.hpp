// SPDX-License-Identifier: BSD-3-Clause
// Options of one run: command line over configuration file over defaults, every value validated.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/option_table.hpp"

namespace turnpike::config {

std::string_view version();

class Options {
public:
  enum class Action : std::uint8_t { kRun, kHelp, kVersion, kPrintConfig, kCheckConfig, kImportCoturn, kAbi };

  // Both programs accept and validate every option, so that one configuration serves both; each uses its
  // part. Of a repeated single value the last one counts; a list on the command line replaces the file's.
  // `who` only chooses what the help text puts first.
  static Result<Options> parse(int argc, const char* const* argv, Program who);

  // A configuration file's text alone; `name` is for errors.
  static Result<Options> parse_text(std::string_view text, const std::string& name);

  // For --help, --version and --print-config: prints to standard output and returns true, the program then
  // exits with 0. --check-config is the program's own business after its further checks.
  bool print_if_asked() const;
  // For --abi, which the program answers by itself.
  bool only_abi() const { return action_ == Action::kAbi; }
  bool only_check() const { return action_ == Action::kCheckConfig; }

  bool flag(OptionName name) const;
  const std::string& text(OptionName name) const;
  std::int64_t number(OptionName name) const;
  const std::vector<std::string>& list(OptionName name) const { return values_[name.index]; }
  bool given(OptionName name) const { return given_[name.index]; }
  // The configuration file once more, under what the command line said and still says.
  Result<Options> reread() const;
  // Names of the options that differ in `other` and count only at the start, for a message.
  std::vector<std::string_view> changed_for_restart(const Options& other) const;
  // Overwrites what the configuration file gave of an option, which reread() brings again.
  void wipe_file_value(OptionName name);
  // Overwrites the values in memory and forgets them: for secrets that have been turned into keys.
  void wipe(OptionName name);
  // Of every option that holds some: for a program that has no use for them.
  void wipe_secrets();

  Action action() const { return action_; }
  const std::string& import_file() const { return import_file_; }  // of --import-coturn
  const std::string& output_file() const { return output_file_; }  // empty: standard output
  std::string help_text() const;
  std::string config_text() const;  // as a configuration file, secrets masked

private:
  friend class OptionsBuilder;

  std::array<std::vector<std::string>, kOptionCount> values_;  // never empty but for lists
  std::array<bool, kOptionCount> given_{};
  std::array<bool, kOptionCount> on_command_line_{};
  Action action_ = Action::kRun;
  std::string import_file_;
  std::string output_file_;
  Program who_ = Program::kBoth;
};

// The value in its normal form, or what is wrong with it; the error begins with `where`.
Result<std::string> normal_value(const Option& option, const std::string& value, const std::string& where);

// One "key=value" or bare "key" line of a file. Pure, for tests too.
struct ConfigLine {
  std::string key;
  std::string value;
  bool has_value = false;
  int line = 0;
};
Result<std::vector<ConfigLine>> parse_config_text(std::string_view text, std::string_view file_name);

}  // namespace turnpike::config
