// SPDX-License-Identifier: BSD-3-Clause
// Running counts for whoever watches: a file with 64-bit numbers that are always those of now.
#pragma once

#include <cstdint>
#include <string>

#include "bench/load/count.hpp"
#include "common/base/result.hpp"

namespace turnpike::load {

class SharedCounts {
public:
  struct Counts {
    Count sent;
    Count received;
    Count idle_ns;
    Count run_ns;
  };

  SharedCounts() = default;
  ~SharedCounts();
  SharedCounts(const SharedCounts&) = delete;
  SharedCounts& operator=(const SharedCounts&) = delete;

  Status open(const std::string& path);
  // Null when nobody watches.
  Counts* counts() noexcept { return counts_; }

private:
  Counts* counts_ = nullptr;
};

}  // namespace turnpike::load
