# SPDX-License-Identifier: BSD-3-Clause
"""Measures two workers against one over memif, both relays alive, in alternating slices of a fraction of a second."""

import argparse
import contextlib
import os
import pathlib
import signal
import statistics
import sys
import tempfile

from forwarders import GENERATOR_CPU, WORKER_CPU, Load, Setting, pair
from programs import hugepages, priority
from rows import row
from slices import add_options, alternate, quartiles
from surroundings import ROOT, build, check_cpus, describe, write_report

HUGEPAGES_WANTED = 1280
GOAL = 1.8
NAMES = ("one-worker", "two-workers")
SHARED = ("two workers and a generator want three CPUs: the second worker shares the generator's, all sleep when idle, and both relays are "
          "offered --rate; the figures say what a hand-over costs, not whether two workers relay twice as much")


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p7", description=__doc__,
        epilog="The generator has CPU 0, the workers CPU 1 and 2; where there is none, the second worker shares CPU 0, and only what a "
               "packet costs is measured. memif has one queue: one worker receives and sends, half of the packets are handed over to the "
               "other one. Needs root and two CPUs. docs/performance.md says how to read the result.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    add_options(parser, 24, 0.25)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=1_000_000, help="packets per second where CPUs are shared (default 1000000)")
    parser.add_argument("--payload", type=int, default=120, help="bytes (default 120)")
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("--indications", action="store_true", help="Send and Data instead of channels")
    parser.add_argument("--no-huge", action="store_true", help="ordinary memory in all programs")
    parser.add_argument("--nice", type=int, default=-15, help="of all programs; others on the machine wait meanwhile (default -15)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p7-COMMIT.json)")
    return parser.parse_args()


def worker_cpus():
    """Of two workers: CPUs of their own where there are enough."""
    own = sorted(os.sched_getaffinity(0) - {GENERATOR_CPU, WORKER_CPU})
    return WORKER_CPU, own[0] if own else GENERATOR_CPU


def counters(one):
    """All workers' counters; the pair runs meanwhile."""
    one.resume()
    found = one.perf()
    one.pause()
    return found


def spent(before, after):
    """What the counters say of all slices: busy time of each packet, and how many were handed over."""
    def rise(name):
        return sum(new[name] - old[name] for old, new in zip(before, after))
    packets = max(rise("rx_packets"), 1)
    return {"busy_ns_per_packet": rise("busy_ns") / packets, "handoff_share": rise("handoff_tx") / packets,
            "packets_per_pass": rise("rx_packets") / max(rise("busy_loops"), 1)}


def measure(options, huge, load, cpus):
    """Slices, generators' reports and counters of both by name; and how many rounds were thrown away."""
    with tempfile.TemporaryDirectory(prefix="turnpike-bench-") as directory, contextlib.ExitStack() as stack:
        pairs = []
        for name, own in zip(NAMES, (cpus[:1], cpus)):
            place = pathlib.Path(directory, name)
            place.mkdir()
            pairs.append(stack.enter_context(pair(name, Setting(options.preset, huge, place, own, load.rests), load)))
        before = {one.name: counters(one) for one in pairs}
        slices, disturbed = alternate(pairs, options.slices, options.seconds, options.undisturbed)
        found = {one.name: spent(before[one.name], counters(one)) for one in pairs}
        return slices, {one.name: one.finish() for one in pairs}, found, disturbed


def compare(load, cpus, measured):
    """The row."""
    slices, reports, found, disturbed = measured
    one, two = (slices[name] for name in NAMES)
    shared = GENERATOR_CPU in cpus
    result = row("p7", "indications" if load.indications else "channels", baseline=NAMES[0], port="memif, one queue",
                 flows=load.sessions, payload=load.payload, family=load.family, worker_cpus=cpus, cpus_shared=shared,
                 goal=None if shared else GOAL, slices=len(two), disturbed=disturbed)
    for key, of in (("clock_", lambda each: each.clock_mpps), ("cpu_", lambda each: each.mpps)):
        ratios = [of(both) / of(single) for both, single in zip(two, one)]
        low, middle, high = quartiles(ratios)
        result |= {f"{key}ratio": middle, f"{key}ratio_quartiles": [low, high], f"{key}mpps": statistics.median(map(of, two)),
                   f"baseline_{key}mpps": statistics.median(map(of, one))}
    for prefix, name in (("", NAMES[1]), ("baseline_", NAMES[0])):
        lost = reports[name]["lost"]
        result |= {f"{prefix}lost": lost, f"{prefix}loss": lost / max(sum(reports[name]["sent"].values()), 1),
                   f"{prefix}generator_idle": reports[name]["generator_idle"],
                   **{f"{prefix}{key}": value for key, value in found[name].items()}}
        # At a rate that both hold only the time differs in which workers had something to do.
        result[f"{prefix}mpps"] = 1e3 / result[f"{prefix}busy_ns_per_packet"] if shared else result[f"{prefix}clock_mpps"]
    result["ratio"] = result["mpps"] / result["baseline_mpps"] if shared else result["clock_ratio"]
    return result


def show(result):
    print(f"{'':14}{'Mpps':>9}{'per CPU-second':>16}{'busy ns each':>14}{'handed over':>13}{'lost':>7}{'generator idle':>16}")
    for name, prefix in ((NAMES[0], "baseline_"), (NAMES[1], "")):
        print(f"{name:14}{result[f'{prefix}clock_mpps']:9.3f}{result[f'{prefix}cpu_mpps']:16.3f}{result[f'{prefix}busy_ns_per_packet']:14.0f}"
              f"{result[f'{prefix}handoff_share']:13.1%}{result[f'{prefix}lost']:7}{result[f'{prefix}generator_idle']:16.0%}")
    low, high = result["clock_ratio_quartiles"]
    print(f"ratios: by the clock {result['clock_ratio']:.2f} ({low:.2f}-{high:.2f}), per CPU-second {result['cpu_ratio']:.2f}, busy time of a packet "
          f"{result['busy_ns_per_packet'] / result['baseline_busy_ns_per_packet']:.2f}; {result['disturbed']} rounds thrown away", flush=True)


def main():
    options = parse()
    # So that everything that runs is continued and ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check_cpus(GENERATOR_CPU, WORKER_CPU)
    if not options.no_build:
        build(options.preset, "turnpike-dataplane", "turnpike-control", "turnpikectl", "turnpike-load")
    cpus = worker_cpus()
    report = {**describe("p7"), "results": []}
    shared = GENERATOR_CPU in cpus
    if shared:
        report["caveat"] = SHARED
        print(f"bench: {len(os.sched_getaffinity(0))} CPUs, {SHARED}", flush=True)
    load = Load(options.sessions, options.payload, options.family, options.indications, options.rate if shared else 0, shared)
    with priority(options.nice), hugepages(0 if options.no_huge else HUGEPAGES_WANTED) as huge:
        report["memory"] = "hugepages" if huge else "ordinary memory"
        measured = measure(options, huge, load, cpus)
    report["results"].append(compare(load, cpus, measured))
    show(report["results"][0])
    write_report(report, options.json or ROOT / f"build/bench/p7-{report['commit']}.json")


if __name__ == "__main__":
    main()
