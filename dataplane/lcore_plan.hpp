// SPDX-License-Identifier: BSD-3-Clause
// Which CPU runs what: the main lcore is 0, workers are the lcores after it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace turnpike::dataplane {

struct LcorePlan {
  std::string eal_lcores;         // for EAL's --lcores
  std::vector<unsigned> workers;  // lcore ids
  std::string note;               // one line for the operator when cores are shared; else empty
};

// `cpus`: those that this process may run on, ascending. `lcores`: the operator's --lcores or empty.
Result<LcorePlan> plan_lcores(std::uint32_t workers, const std::string& lcores,
                              const std::vector<unsigned>& cpus);

// The CPUs of this process's affinity mask.
std::vector<unsigned> affinity_cpus();

}  // namespace turnpike::dataplane
