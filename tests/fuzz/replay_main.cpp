// SPDX-License-Identifier: BSD-3-Clause
// Stands in for libFuzzer's main: runs a target over files, whole directories, and the beginnings of each
// file.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/fuzz.hpp"

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestPrefix = 256;  // more would make the time quadratic for large inputs

// Heap memory of the exact size, so that ASan sees an over-read of one byte.
void run(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> exact(data, data + size);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

bool replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "%s cannot be read\n", path.c_str());
    return false;
  }
  const std::vector<char> text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
  run(data, text.size());
  for (std::size_t size = 0; size < std::min(text.size(), kLongestPrefix); ++size) run(data, size);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(argv[i])) files.push_back(entry.path());
  }
  if (files.empty()) {
    std::fputs("usage: fuzz_NAME FILE|DIRECTORY...  (nothing to replay)\n", stderr);
    return 1;
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    if (!replay(path)) return 1;
  }
  std::printf("replayed %zu inputs\n", files.size());
  return 0;
}
