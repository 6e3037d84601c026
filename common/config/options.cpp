// SPDX-License-Identifier: BSD-3-Clause
// Command line by Boost.Program_options, configuration file in coturn's style, validation against the table.
#include "common/config/options.hpp"

#include <bit>
#include <boost/program_options.hpp>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "common/config/foreign_options.hpp"

namespace turnpike::config {
namespace {

namespace po = boost::program_options;

Error unknown_option(std::string_view name, const std::string& where) {
  if (const ForeignOption* foreign = find_foreign_option(name)) {
    return Error{where + std::string(name) +
                 ": an option of coturn that Turnpike does not have: " + std::string(foreign->instead)};
  }
  return Error{where + std::string(name) + ": unknown option; see --help"};
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return false;
}

}  // namespace

Result<std::string> normal_value(const Option& option, const std::string& value, const std::string& where) {
  // Not made before it is needed: the value may be a secret.
  const auto wrong = [&](const std::string& why) {
    return Error{where + std::string(option.name) + "=" + value + ": " + why};
  };
  switch (option.kind) {
    case Kind::kFlag: {
      const auto flag = parse_flag(value);
      if (!flag) return wrong("not a switch; use true or false");
      return std::string(*flag ? "true" : "false");
    }
    case Kind::kChoice:
      if (!is_choice(option.unit, value)) return wrong("use one of " + std::string(option.unit));
      return value;
    case Kind::kInteger:
    case Kind::kPowerOfTwo:
    case Kind::kSeconds: {
      const auto number = parse_number(value);
      const std::string range = std::to_string(option.minimum) + " to " + std::to_string(option.maximum);
      if (!number) return wrong("not a whole number; use " + range);
      if (*number < option.minimum || *number > option.maximum) return wrong("out of range; use " + range);
      if (option.kind == Kind::kPowerOfTwo && !std::has_single_bit(static_cast<std::uint64_t>(*number))) {
        return wrong("not a power of two; use one from " + range);
      }
      return std::to_string(*number);
    }
    case Kind::kText:
    case Kind::kList:
      break;
  }
  if (value.empty()) return wrong("empty; give a value or leave the option out");
  return value;
}

namespace {

po::options_description describe() {
  po::options_description description;
  auto add = description.add_options();
  for (const Option& option : kOptionTable) {
    std::string name(option.name);
    if (name == "config") name += ",c";
    if (name == "verbose") name += ",v";
    auto* value = po::value<std::vector<std::string>>();
    if (option.kind == Kind::kFlag) value->implicit_value({"true"}, "true");
    add(name.c_str(), value);
  }
  add("help,h", "");
  add("version", "");
  add("abi", "");
  add("print-config", "");
  add("check-config", "");
  add("import-coturn", po::value<std::string>());
  add("output", po::value<std::string>());
  return description;
}

std::optional<Options::Action> action_of(const std::string& name) {
  if (name == "help") return Options::Action::kHelp;
  if (name == "abi") return Options::Action::kAbi;
  if (name == "version") return Options::Action::kVersion;
  if (name == "print-config") return Options::Action::kPrintConfig;
  if (name == "check-config") return Options::Action::kCheckConfig;
  if (name == "import-coturn") return Options::Action::kImportCoturn;
  return std::nullopt;
}

Result<std::vector<po::option>> parse_command_line(int argc, const char* const* argv) {
  namespace style = po::command_line_style;
  try {
    const auto description = describe();
    return po::command_line_parser(argc, argv)
        .options(description)
        .style(style::unix_style & ~style::allow_guessing)
        .allow_unregistered()
        .run()
        .options;
  } catch (const po::error& error) {
    return Error{std::string(error.what()) + "; see --help"};
  }
}

// There may have been a password in it.
void wipe_text(std::string& text) { explicit_bzero(text.data(), text.size()); }

// Into memory that is known, so that it can be wiped: a stream would keep copies.
Result<std::string> read_file(const std::string& path) {
  const Error failed{"config=" + path + ": cannot be read; check path and permissions"};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return failed;
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  std::string text;
  for (std::size_t used = 0;;) {
    std::string larger(std::max<std::size_t>(2 * used, 65536), '\0');
    text.copy(larger.data(), used);
    wipe_text(text);
    text = std::move(larger);
    used += std::fread(text.data() + used, 1, text.size() - used, file.get());
    if (std::ferror(file.get()) != 0) return failed;
    if (used == text.size()) continue;
    text.resize(used);
    return text;
  }
}

}  // namespace

Result<std::vector<ConfigLine>> parse_config_text(std::string_view text, std::string_view file_name) {
  std::vector<ConfigLine> lines;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    const std::string_view key = trim(line.substr(0, equals));
    if (key.empty() || key.find_first_of(" \t") != std::string_view::npos) {
      return Error{std::string(file_name) + ":" + std::to_string(number) + ": not a KEY=VALUE line"};
    }
    ConfigLine parsed{std::string(key), "", equals != std::string_view::npos, number};
    if (parsed.has_value) parsed.value = trim(line.substr(equals + 1));
    lines.push_back(std::move(parsed));
  }
  return lines;
}

// Takes values in the order of their rank: defaults, file, command line.
class OptionsBuilder {
public:
  explicit OptionsBuilder(Program who) {
    options_.who_ = who;
    for (std::size_t i = 0; i < kOptionCount; ++i) {
      if (kOptionTable[i].kind != Kind::kList)
        options_.values_[i] = {std::string(kOptionTable[i].default_text)};
    }
  }

  Status take_file(const std::string& path) {
    auto text = read_file(path);
    if (!text) return Error{text.error()};
    Status taken = take_text(*text, path);
    wipe_text(*text);
    return taken;
  }

  Status take_text(std::string_view text, const std::string& path) {
    auto lines = parse_config_text(text, path);
    if (!lines) return Error{lines.error()};
    Status taken = take_lines(*lines, path);
    for (ConfigLine& line : *lines) wipe_text(line.value);
    return taken;
  }

  Status take_lines(const std::vector<ConfigLine>& lines, const std::string& path) {
    static const std::string kOn = "true";
    begin_source();
    for (const ConfigLine& line : lines) {
      const std::string where = path + ":" + std::to_string(line.line) + ": ";
      const std::size_t index = find_option(line.key);
      if (index == kOptionCount) return unknown_option(line.key, where);
      if (line.key == "config") return Error{where + "config: a configuration file cannot name another"};
      if (!line.has_value && kOptionTable[index].kind != Kind::kFlag) {
        return Error{where + line.key + ": needs a value; write " + line.key + "=VALUE"};
      }
      if (auto taken = take(index, line.has_value ? line.value : kOn, where); !taken) return taken;
    }
    return Unit{};
  }

  Status take_command_line(const std::vector<po::option>& given) {
    begin_source();
    for (const po::option& option : given) {
      if (option.position_key >= 0) {
        return Error{option.original_tokens.front() +
                     ": unexpected argument; options are --KEY VALUE, see --help"};
      }
      if (option.unregistered) {
        const std::string_view token = option.original_tokens.front();
        const std::size_t dashes = std::min(token.find_first_not_of('-'), token.size());
        const std::string_view name = token.substr(dashes, token.find('=') - dashes);
        return unknown_option(name, std::string(token.substr(0, dashes)));
      }
      if (const auto action = action_of(option.string_key)) {
        options_.action_ = *action;
        if (*action == Options::Action::kImportCoturn) options_.import_file_ = option.value.front();
        continue;
      }
      if (option.string_key == "output") {
        options_.output_file_ = option.value.front();
        continue;
      }
      // A flag without a value has none here: the implicit value is only known to Boost's own store.
      const std::string value = option.value.empty() ? "true" : option.value.front();
      if (auto taken = take(find_option(option.string_key), value, "--"); !taken) return taken;
    }
    options_.on_command_line_ = touched_;
    return Unit{};
  }

  // What the command line said of options that were parsed before.
  void take_command_line(const Options& before) {
    for (std::size_t i = 0; i < kOptionCount; ++i) {
      if (!before.on_command_line_[i]) continue;
      options_.values_[i] = before.values_[i];
      options_.given_[i] = options_.on_command_line_[i] = true;
    }
  }

  Result<Options> finish() {
    const bool imports = options_.action_ == Options::Action::kImportCoturn;
    if (imports && options_.who_ != Program::kControl) {
      return Error{"--import-coturn: only turnpike-control does this"};
    }
    if (!options_.output_file_.empty() && !imports) {
      return Error{"--output=" + options_.output_file_ + ": only --import-coturn FILE writes a file"};
    }
    return std::move(options_);
  }

private:
  void begin_source() { touched_.fill(false); }

  Status take(std::size_t index, const std::string& value, const std::string& where) {
    auto normal = normal_value(kOptionTable[index], value, where);
    if (!normal) return Error{normal.error()};
    auto& values = options_.values_[index];
    if (!touched_[index] || kOptionTable[index].kind != Kind::kList) values.clear();
    values.push_back(std::move(*normal));
    touched_[index] = true;
    options_.given_[index] = true;
    return Unit{};
  }

  Options options_;
  std::array<bool, kOptionCount> touched_{};  // by the source being taken
};

Result<Options> Options::parse(int argc, const char* const* argv, Program who) {
  const auto given = parse_command_line(argc, argv);
  if (!given) return Error{given.error()};
  OptionsBuilder builder(who);
  for (const po::option& option : *given) {
    if (option.string_key != "config" || option.value.empty()) continue;
    if (auto taken = builder.take_file(option.value.front()); !taken) return Error{taken.error()};
  }
  if (auto taken = builder.take_command_line(*given); !taken) return Error{taken.error()};
  return builder.finish();
}

Result<Options> Options::parse_text(std::string_view text, const std::string& name) {
  OptionsBuilder builder(Program::kControl);
  if (auto taken = builder.take_text(text, name); !taken) return Error{taken.error()};
  return builder.finish();
}

Result<Options> Options::reread() const {
  OptionsBuilder builder(who_);
  if (const std::string& file = text("config"); !file.empty()) {
    if (auto taken = builder.take_file(file); !taken) return Error{taken.error()};
  }
  builder.take_command_line(*this);
  return builder.finish();
}

std::vector<std::string_view> Options::changed_for_restart(const Options& other) const {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kOptionCount; ++i) {
    if (!kOptionTable[i].reloadable && values_[i] != other.values_[i]) names.push_back(kOptionTable[i].name);
  }
  return names;
}

void Options::wipe_file_value(OptionName name) {
  if (!on_command_line_[name.index]) wipe(name);
}

void Options::wipe(OptionName name) {
  for (std::string& value : values_[name.index]) wipe_text(value);
  values_[name.index].assign(kOptionTable[name.index].kind == Kind::kList ? 0 : 1, std::string());
}

void Options::wipe_secrets() {
  for (const OptionName name : {OptionName("user"), OptionName("static-auth-secret"), OptionName("pkey-pwd"),
                                OptionName("psql-userdb"), OptionName("redis-userdb")}) {
    wipe(name);
  }
}

bool Options::flag(OptionName name) const { return values_[name.index].back() == "true"; }
const std::string& Options::text(OptionName name) const { return values_[name.index].back(); }
std::int64_t Options::number(OptionName name) const {
  return parse_number(values_[name.index].back()).value_or(0);  // was validated on the way in
}

}  // namespace turnpike::config
