# SPDX-License-Identifier: BSD-3-Clause
"""Measures one worker over memif against dpdk-testpmd's 5tswap, both alive, in alternating slices of a fraction of a second."""

import argparse
import contextlib
import pathlib
import signal
import sys
import tempfile

from forwarders import GENERATOR_CPU, WORKER_CPU, Load, Setting, pair
from programs import hugepages, priority
from rows import row
from slices import add_options, alternate, compare
from surroundings import ROOT, build, check_cpus, describe, fail, write_report

HUGEPAGES_WANTED, HUGEPAGES_PER_MILLION = 768, 1024
HEAD = f"{'framing':>12}{'bytes':>7}{'family':>8}{'sessions':>10}{'relay':>9}{'testpmd':>9}{'ratio':>8}{'quartiles':>14}{'disturbed':>11}{'lost':>6}"


def numbers(text):
    return [int(part) for part in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p1", description=__doc__,
        epilog="The worker (testpmd's forwarding core) has CPU 1, everything else CPU 0. Needs root and two CPUs. "
               "docs/performance.md says how to read the result.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    add_options(parser, 40, 0.25)
    parser.add_argument("--sessions", type=numbers, default=[1000], help="one or more numbers, as 1000,100000,1000000 (default 1000)")
    parser.add_argument("--payload", type=numbers, default=[120], help="bytes, one or more, as 64,120,512,1200 (default 120)")
    parser.add_argument("--family", type=numbers, default=[4], help="4, 6 or 4,6 (default 4)")
    parser.add_argument("--indications", action="store_true", help="Send and Data instead of channels")
    parser.add_argument("--both-framings", action="store_true", help="channels, then indications")
    parser.add_argument("--no-huge", action="store_true", help="ordinary memory in all programs")
    parser.add_argument("--nice", type=int, default=-15, help="of all programs; others on the machine wait meanwhile (default -15)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p1-COMMIT.json)")
    options = parser.parse_args()
    if set(options.family) - {4, 6}:
        fail(f"--family is 4, 6 or 4,6, not {options.family}")
    return options


def loads(options):
    framings = [False, True] if options.both_framings else [options.indications]
    return [Load(sessions, payload, family, framing) for framing in framings for family in options.family
            for payload in options.payload for sessions in options.sessions]


def measure(options, huge, load):
    """The row of one load."""
    with tempfile.TemporaryDirectory(prefix="turnpike-bench-") as directory, contextlib.ExitStack() as stack:
        setting = Setting(options.preset, huge, pathlib.Path(directory))
        # The one that is not measured stands still, also while the other one's sessions are set up.
        pairs = [stack.enter_context(pair(name, setting, load)) for name in ("testpmd", "relay")]
        slices, disturbed = alternate(pairs, options.slices, options.seconds, options.undisturbed)
        reports = {one.name: one.finish() for one in pairs}
    ours = reports["relay"]
    sent = sum(ours["sent"].values())
    return row("p1", "indications" if load.indications else "channels", baseline="testpmd-5tswap",
               flows=load.sessions, payload=load.payload, family=load.family,
               **compare(slices["relay"], slices["testpmd"]), loss=ours["lost"] / max(sent, 1), lost=ours["lost"],
               baseline_lost=reports["testpmd"]["lost"], slices=len(slices["relay"]), disturbed=disturbed,
               generator_idle=ours["generator_idle"], baseline_generator_idle=reports["testpmd"]["generator_idle"],
               set_ups_per_second=ours["set_ups_per_second"])


def show(one):
    low, high = one["ratio_quartiles"]
    print(f"{one['mode']:>12}{one['payload']:>7}{one['family']:>8}{one['flows']:>10}{one['mpps']:>9.3f}{one['baseline_mpps']:>9.3f}"
          f"{one['ratio']:>8.3f}{f'{low:.3f}-{high:.3f}':>14}{one['disturbed']:>11}{one['lost']:>6}   generator idle "
          f"{one['generator_idle']:.0%} / {one['baseline_generator_idle']:.0%}", flush=True)


def main():
    options = parse()
    # So that everything that runs is continued and ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check_cpus(GENERATOR_CPU, WORKER_CPU)
    if not options.no_build:
        build(options.preset, "turnpike-dataplane", "turnpike-control", "turnpike-load")
    report = {**describe("p1"), "results": []}
    wanted = 0 if options.no_huge else HUGEPAGES_WANTED + HUGEPAGES_PER_MILLION * max(options.sessions) // 1_000_000
    print(HEAD + "   (Mpps per CPU-second of the worker)")
    with priority(options.nice), hugepages(wanted) as huge:
        report["memory"] = "hugepages" if huge else "ordinary memory"
        try:
            for load in loads(options):
                report["results"].append(measure(options, huge, load))
                show(report["results"][-1])
        finally:
            if report["results"]:
                write_report(report, options.json or ROOT / f"build/bench/p1-{report['commit']}.json")


if __name__ == "__main__":
    main()
