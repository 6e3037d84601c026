// SPDX-License-Identifier: BSD-3-Clause
// turnpike-bench: starts DPDK's environment on ordinary memory, without devices, and runs the benches.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <boost/program_options.hpp>
#include <exception>
#include <iostream>

#include "bench/micro/limits.hpp"
#include "bench/micro/measure.hpp"
#include "dataplane/eal.hpp"

namespace {

namespace po = boost::program_options;
using namespace turnpike;

constexpr std::uint64_t kBaseMib = 128;  // packet buffers, rings, reassembly

struct Options {
  std::int64_t max_flows = 0;
  unsigned cpu = 0;
};

po::options_description describe(Options& options) {
  po::options_description all("turnpike-bench");
  // clang-format off
  all.add_options()
    ("max-flows", po::value(&options.max_flows)->default_value(0),
     "skip look-ups among more flows; 0: what half of the available memory holds")
    ("cpu", po::value(&options.cpu)->default_value(0), "the CPU that everything runs on");
  // clang-format on
  return all;
}

void print_help() {
  Options ignored;
  std::cout << describe(ignored) << '\n';
  benchmark::PrintDefaultHelp();
}

dataplane::EalPlan eal_plan(const Options& options) {
  const std::uint64_t tables = static_cast<std::uint64_t>(bench::flow_limit()) * bench::kHeapPerFlow;
  return {{"--no-huge", "-m", std::to_string(kBaseMib + (tables >> 20)), "--no-pci", "--no-shconf",
           "--no-telemetry", "--iova-mode", "va", "--lcores", "0@" + std::to_string(options.cpu),
           "--file-prefix", "turnpike-bench-" + std::to_string(getpid()), "--log-level", "warning"},
          {}};
}

int run(const Options& options) {
  bench::limit_flows(options.max_flows);
  const auto eal = dataplane::Eal::start(eal_plan(options), false);
  if (!eal) bench::give_up(eal.error());
  return benchmark::RunSpecifiedBenchmarks() == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    benchmark::Initialize(&argc, argv, print_help);
    Options options;
    po::variables_map values;
    po::store(po::command_line_parser(argc, argv).options(describe(options)).positional({}).run(), values);
    po::notify(values);
    return run(options);
  } catch (const std::exception& error) {
    bench::give_up(error.what());
  }
}
