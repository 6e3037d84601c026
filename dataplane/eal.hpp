// SPDX-License-Identifier: BSD-3-Clause
// Starting DPDK's environment layer from our options.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "dataplane/machine.hpp"
#include "dataplane/options.hpp"

namespace turnpike::dataplane {

struct EalPlan {
  std::vector<std::string> arguments;  // without the program's name
  std::string note;                    // one line for the operator; empty: nothing to say
};

// Which arguments EAL gets here. Decides between hugepages and ordinary memory; pure but for the machine's
// files.
Result<EalPlan> plan_eal(const StartOptions& options, const Machine& machine);

// EAL runs as long as this lives.
class Eal {
public:
  static Result<std::unique_ptr<Eal>> start(const EalPlan& plan, bool verbose);
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  // What DPDK last complained about, for an error of ours; empty when it did not. Asking forgets it.
  static std::string last_complaint();
  // From here on DPDK's lines are shown as they come. Before, they are kept for last_complaint().
  static void show_log();

private:
  Eal() = default;
};

}  // namespace turnpike::dataplane
