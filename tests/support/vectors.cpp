// SPDX-License-Identifier: BSD-3-Clause
// Reading of hex text; the folder comes from the build.
#include "tests/support/vectors.hpp"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace turnpike::test {

namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "test vector: %s\n", what.c_str());
  std::abort();
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  fail(std::string("not a hex digit: ") + c);
}

}  // namespace

std::vector<std::uint8_t> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  int high = -1;
  bool comment = false;
  for (const char c : text) {
    if (c == '#') comment = true;
    if (c == '\n') comment = false;
    if (comment || std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    const int value = digit_value(c);
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high * 16 + value));
      high = -1;
    }
  }
  if (high >= 0) fail("half a byte at the end");
  return bytes;
}

std::vector<std::uint8_t> load_vector(const std::string& name) {
  const std::string path = std::string(TURNPIKE_VECTORS_DIR) + "/" + name + ".hex";
  std::ifstream file(path);
  if (!file) fail(path + " cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  std::vector<std::uint8_t> bytes = from_hex(text.str());
  if (bytes.empty()) fail(path + " is empty");
  return bytes;
}

}  // namespace turnpike::test
