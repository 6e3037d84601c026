// SPDX-License-Identifier: BSD-3-Clause
// NAME:PASSWORD, whole secrets, and passwords inside connection texts.
#include "common/config/secrets.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace turnpike::config {
namespace {

constexpr std::array<std::string_view, 5> kPasswordWords = {"password", "passwd", "pwd", "secret",
                                                            "sslpassword"};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Of "word=value word='quoted value'": where the value of the word at `at` ends.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at < text.size() && text[at] == '\'') {
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != '\'') end += text[end] == '\\' ? 2 : 1;
    return std::min(end + 1, text.size());
  }
  while (at < text.size() && !is_blank(text[at]) && text[at] != '&') at += text[at] == '\\' ? 2 : 1;
  return std::min(at, text.size());
}

// scheme://USER:PASSWORD@HOST
void add_uri_password(std::string_view text, std::vector<SecretSpan>& spans) {
  const std::size_t mark = text.find("://");
  if (mark == text.npos) return;
  const std::string_view authority = text.substr(mark + 3, text.find('/', mark + 3) - (mark + 3));
  const std::size_t at = authority.rfind('@');
  const std::size_t colon = authority.find(':');
  if (at == authority.npos || colon == authority.npos || colon > at) return;
  spans.push_back({mark + 3 + colon + 1, at - colon - 1});
}

std::vector<SecretSpan> connection_secrets(std::string_view text) {
  std::vector<SecretSpan> spans;
  add_uri_password(text, spans);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool begins = at == 0 || is_blank(text[at - 1]) || text[at - 1] == '?' || text[at - 1] == '&';
    if (!begins) continue;
    for (const std::string_view word : kPasswordWords) {
      if (text.substr(at, word.size()) != word) continue;
      std::size_t value = at + word.size();
      while (value < text.size() && is_blank(text[value])) ++value;
      if (value >= text.size() || text[value] != '=') continue;
      ++value;
      while (value < text.size() && is_blank(text[value])) ++value;
      const std::size_t end = end_of_value(text, value);
      spans.push_back({value, end - value});
      at = end;
      break;
    }
  }
  return spans;
}

}  // namespace

std::vector<SecretSpan> secrets_in(std::string_view option, std::string_view value) {
  if (option == "user") {
    const std::size_t colon = value.find(':');
    if (colon == value.npos) return {};
    return {{colon + 1, value.size() - colon - 1}};
  }
  if (option == "static-auth-secret" || option == "pkey-pwd") return {{0, value.size()}};
  if (option == "psql-userdb" || option == "redis-userdb") return connection_secrets(value);
  return {};
}

std::string without_secrets(std::string_view option, std::string_view value) {
  std::string text(value);
  const auto spans = secrets_in(option, value);
  for (auto span = spans.rbegin(); span != spans.rend(); ++span)
    text.replace(span->offset, span->size, "***");
  return text;
}

void hide_secrets(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--")) continue;
    const std::size_t equals = argument.find('=');
    const std::string_view option = argument.substr(2, equals == argument.npos ? equals : equals - 2);
    char* value = equals != argument.npos ? argv[i] + equals + 1 : i + 1 < argc ? argv[i + 1] : nullptr;
    if (value == nullptr) continue;
    for (const SecretSpan& span : secrets_in(option, value)) std::memset(value + span.offset, '*', span.size);
  }
}

}  // namespace turnpike::config
