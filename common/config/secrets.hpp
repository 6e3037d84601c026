// SPDX-License-Identifier: BSD-3-Clause
// Where option values hold passwords, so that neither a printed configuration nor `ps` shows them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::config {

struct SecretSpan {
  std::size_t offset = 0;
  std::size_t size = 0;
};

// In the order of their offsets; none in an option without secrets.
std::vector<SecretSpan> secrets_in(std::string_view option, std::string_view value);
// With three stars in the place of each.
std::string without_secrets(std::string_view option, std::string_view value);

// Overwrites them in a program's arguments once these have been read: `ps` shows arguments to everybody.
void hide_secrets(int argc, char** argv);

}  // namespace turnpike::config
