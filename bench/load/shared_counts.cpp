// SPDX-License-Identifier: BSD-3-Clause
// The mapped file.
#include "bench/load/shared_counts.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace turnpike::load {

Status SharedCounts::open(const std::string& path) {
  const auto failed = [&] {
    return Error{"counts=" + path + ": " + std::strerror(errno) + "; name a file that can be made"};
  };
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return failed();
  void* at = MAP_FAILED;
  if (ftruncate(file, sizeof(Counts)) == 0) {
    at = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  const Status result = at == MAP_FAILED ? Status(failed()) : Status(Unit{});
  close(file);
  if (result) counts_ = new (at) Counts;
  return result;
}

SharedCounts::~SharedCounts() {
  if (counts_ != nullptr) munmap(counts_, sizeof(Counts));
}

}  // namespace turnpike::load
