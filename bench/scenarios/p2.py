# SPDX-License-Identifier: BSD-3-Clause
"""Measures the latency that one worker adds over memif, against dpdk-testpmd's 5tswap at the same rate, in alternating slices."""

import argparse
import contextlib
import dataclasses
import pathlib
import signal
import statistics
import sys
import tempfile

from forwarders import GENERATOR_CPU, WORKER_CPU, Load, Setting, pair
from programs import hugepages, priority
from rows import row
from slices import add_options, alternate
from surroundings import ROOT, build, check_cpus, describe, write_report

HUGEPAGES_WANTED = 768
NAMES = ("testpmd", "relay")


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p2", description=__doc__,
        epilog="First the capacities of both are measured as in p1; the rates are shares of the lower one. Needs root and two CPUs. "
               "docs/performance.md says how to read the result.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    add_options(parser, 20, 0.5, " and each share")
    parser.add_argument("--shares", default="10,50,90", help="of the lower capacity, in percent (default 10,50,90)")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--payload", type=int, default=120, help="bytes (default 120)")
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("--indications", action="store_true", help="Send and Data instead of channels")
    parser.add_argument("--no-huge", action="store_true", help="ordinary memory in all programs")
    parser.add_argument("--nice", type=int, default=-15, help="of all programs; others on the machine wait meanwhile (default -15)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p2-COMMIT.json)")
    return parser.parse_args()


def run(options, huge, load):
    """Slices and reports of both, by name."""
    with tempfile.TemporaryDirectory(prefix="turnpike-bench-") as directory, contextlib.ExitStack() as stack:
        setting = Setting(options.preset, huge, pathlib.Path(directory))
        pairs = [stack.enter_context(pair(name, setting, load)) for name in NAMES]
        slices, disturbed = alternate(pairs, options.slices, options.seconds, options.undisturbed)
        return slices, {one.name: one.finish() for one in pairs}, disturbed


def latencies(load, share, reports, disturbed):
    """The row of one share."""
    result = row("p2", "indications" if load.indications else "channels", baseline="testpmd-5tswap",
                 flows=load.sessions, payload=load.payload, family=load.family, share_percent=share,
                 mpps=load.rate / 1e6, baseline_mpps=load.rate / 1e6, disturbed=disturbed,
                 loss=reports["relay"]["lost"] / max(sum(reports["relay"]["sent"].values()), 1))
    for name, report in reports.items():
        for quantile in ("p50", "p99", "p99.9"):
            directions = report["latency_us"].values()
            result[f"{'' if name == 'relay' else 'baseline_'}{quantile}_us"] = statistics.mean(one[quantile] for one in directions)
    for quantile in ("p50", "p99"):
        result[f"added_{quantile}_us"] = result[f"{quantile}_us"] - result[f"baseline_{quantile}_us"]
    return result


def show(one):
    print(f"{one['share_percent']:>5} %{one['mpps']:>9.3f}{one['p50_us']:>12.1f}{one['baseline_p50_us']:>9.1f}{one['p99_us']:>11.1f}"
          f"{one['baseline_p99_us']:>9.1f}{one['added_p99_us']:>11.1f}{one['disturbed']:>11}", flush=True)


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check_cpus(GENERATOR_CPU, WORKER_CPU)
    if not options.no_build:
        build(options.preset, "turnpike-dataplane", "turnpike-control", "turnpike-load")
    report = {**describe("p2"), "results": []}
    load = Load(options.sessions, options.payload, options.family, options.indications)
    with priority(options.nice), hugepages(0 if options.no_huge else HUGEPAGES_WANTED) as huge:
        slices, _, _ = run(options, huge, load)
        capacities = {name: statistics.median(one.mpps for one in ones) for name, ones in slices.items()}
        report["capacity_mpps"] = capacities
        print("capacities: " + ", ".join(f"{name} {mpps:.3f} Mpps" for name, mpps in capacities.items()))
        print(f"{'share':>7}{'Mpps':>9}{'p50 relay':>12}{'testpmd':>9}{'p99 relay':>11}{'testpmd':>9}{'added p99':>11}{'disturbed':>11}"
              "   us")
        for share in map(int, options.shares.split(",")):
            paced = dataclasses.replace(load, rate=int(min(capacities.values()) * 1e6 * share / 100))
            _, reports, disturbed = run(options, huge, paced)
            report["results"].append(latencies(paced, share, reports, disturbed))
            show(report["results"][-1])
    write_report(report, options.json or ROOT / f"build/bench/p2-{report['commit']}.json")


if __name__ == "__main__":
    main()
