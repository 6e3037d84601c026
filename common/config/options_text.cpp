// SPDX-License-Identifier: BSD-3-Clause
// What options look like as text: help, printed configuration, version.
#include <cstdio>

#include "common/config/options.hpp"
#include "common/config/secrets.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kHelpColumn = 34;
constexpr std::size_t kHelpWidth = 100;

std::string spelling(const Option& option) {
  std::string text = "  --" + std::string(option.name);
  if (option.kind == Kind::kFlag) return text + (option.default_text == "true" ? "=false" : "");
  const bool named = !option.unit.empty() && option.unit != "s" && option.unit != "MiB";
  return text + " " + std::string(named ? option.unit : is_number(option.kind) ? "N" : "TEXT");
}

std::string explanation(const Option& option) {
  std::string text(option.help);
  if (is_number(option.kind)) {
    text += " (" + std::string(option.default_text) +
            (option.unit.empty() ? "" : " " + std::string(option.unit)) + "; " +
            std::to_string(option.minimum) + " to " + std::to_string(option.maximum) + ")";
  } else if (option.kind == Kind::kChoice || (option.kind == Kind::kFlag && option.default_text == "true")) {
    text += " (default: " + std::string(option.kind == Kind::kFlag ? "on" : option.default_text) + ")";
  }
  return text;
}

void append_entry(std::string& out, const std::string& left, std::string_view right) {
  std::string line = left;
  if (line.size() + 2 > kHelpColumn) {
    out += line + "\n";
    line.clear();
  }
  line.resize(kHelpColumn, ' ');
  while (line.size() + right.size() > kHelpWidth) {
    const std::size_t cut = right.rfind(' ', kHelpWidth - line.size());
    if (cut == std::string_view::npos) break;
    out += line + std::string(right.substr(0, cut)) + "\n";
    right.remove_prefix(cut + 1);
    line.assign(kHelpColumn, ' ');
  }
  out += line + std::string(right) + "\n";
}

void append_group(std::string& out, const char* title, Program program) {
  out += std::string("\n") + title + "\n";
  for (const Option& option : kOptionTable) {
    if (option.program == program) append_entry(out, spelling(option), explanation(option));
  }
}

}  // namespace

std::string_view version() { return TURNPIKE_VERSION; }

std::string Options::help_text() const {
  std::string out = who_ == Program::kControl ? "turnpike-control" : "turnpike-dataplane";
  out += " [--KEY VALUE | --KEY=VALUE]...\nEvery option may stand in a configuration file as KEY=VALUE.\n";
  const bool control_first = who_ == Program::kControl;
  append_group(out, "Both programs:", Program::kBoth);
  for (const Program program : {control_first ? Program::kControl : Program::kDataplane,
                                control_first ? Program::kDataplane : Program::kControl}) {
    append_group(out, program == Program::kControl ? "turnpike-control:" : "turnpike-dataplane:", program);
  }
  out += "\nActions:\n";
  append_entry(out, "  -h, --help", "this text");
  append_entry(out, "  --version", "the version");
  append_entry(out, "  --abi", "program, version and what the two programs must agree in, on one line");
  append_entry(out, "  --print-config", "all options with their values, passwords masked");
  append_entry(out, "  --check-config", "check the configuration and exit");
  append_entry(
      out, "  --import-coturn FILE",
      "turnpike-control: coturn's turnserver.conf as a turnpike.conf, on standard output; what has no "
      "counterpart becomes a comment that says why");
  append_entry(out, "  --output FILE", "with --import-coturn: into this new file, for its owner alone");
  append_entry(out, "  -c FILE, -v", "short for --config FILE, --verbose");
  return out;
}

std::string Options::config_text() const {
  std::string out;
  for (std::size_t i = 0; i < kOptionCount; ++i) {
    const Option& option = kOptionTable[i];
    if (option.name == "config") continue;
    if (values_[i].empty() || (values_[i].size() == 1 && values_[i].front().empty())) {
      out += "# " + std::string(option.name) + "=\n";
    }
    for (const std::string& value : values_[i]) {
      if (!value.empty()) out += std::string(option.name) + "=" + without_secrets(option.name, value) + "\n";
    }
  }
  return out;
}

bool Options::print_if_asked() const {
  if (action_ == Action::kHelp) {
    std::fputs(help_text().c_str(), stdout);
  } else if (action_ == Action::kVersion) {
    std::printf("%s %s\n", who_ == Program::kControl ? "turnpike-control" : "turnpike-dataplane",
                TURNPIKE_VERSION);
  } else if (action_ == Action::kPrintConfig) {
    std::fputs(config_text().c_str(), stdout);
  } else {
    return false;
  }
  return true;
}

}  // namespace turnpike::config
