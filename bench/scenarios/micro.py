# SPDX-License-Identifier: BSD-3-Clause
"""Measures the parts of the packet path and of the server one by one on one CPU, each against its rivals."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from rows import row
from surroundings import ROOT, build, check_cpus, describe, fail, write_report

OURS = "turnpike"
SKIPPED = "skipped: "
QUICK_FLOWS, QUICK_S = 1024, 0.001
TURN_TIMEOUT_S = 1800


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench micro", description=__doc__,
        epilog="Every turn is a process of its own, and the figures are medians of the turns. Sizes that memory does not "
               "hold are left out and named. docs/performance.md says how to read it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="the only CPU used (default the last)")
    parser.add_argument("--turns", type=int, help="of all benches (default 5)")
    parser.add_argument("--seconds", type=float, help="of each bench in a turn, at least (default 0.1)")
    parser.add_argument("--max-flows", type=int, help="leave look-ups among more flows out (default what memory holds)")
    parser.add_argument("--filter", default=".", metavar="REGEX", help="only benches whose name matches")
    parser.add_argument("--quick", action="store_true", help="one short turn with few flows: whether all runs, no figures")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/micro-COMMIT.json)")
    options = parser.parse_args()
    options.turns = options.turns or (1 if options.quick else 5)
    options.seconds = options.seconds or (QUICK_S if options.quick else 0.1)
    options.max_flows = options.max_flows or (QUICK_FLOWS if options.quick else 0)
    return options


def run_turn(program, options, directory):
    """What Google Benchmark says of each bench."""
    output = pathlib.Path(directory) / "turn.json"
    command = [program, "--cpu", options.cpu, "--max-flows", options.max_flows, f"--benchmark_filter={options.filter}",
               f"--benchmark_min_time={options.seconds}", f"--benchmark_out={output}", "--benchmark_out_format=json"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=TURN_TIMEOUT_S)
    if done.returncode != 0:
        fail(f"turnpike-bench gave {done.returncode}; does --filter name any bench?\n{done.stderr}")
    return json.loads(output.read_text())["benchmarks"]


def parse_name(name):
    """SCENARIO/MODE/PARAMETER:VALUE/… in parts: the scenario with its parameters, and the mode."""
    scenario, mode, *rest = name.split("/")
    parameters = dict(part.split(":") for part in rest if ":" in part)
    return (scenario, *(int(parameters[key]) if key in parameters else None for key in ("flows", "payload", "family"))), mode


def gather(turns):
    """{(scenario, flows, payload, family): {mode: items per second of each turn}}, and what was skipped and why."""
    rates, skipped = {}, {}
    for bench in (bench for turn in turns for bench in turn):
        name = bench["name"]
        if bench.get("error_occurred"):
            if not bench["error_message"].startswith(SKIPPED):
                fail(f"{name}: {bench['error_message']}")
            skipped[name] = bench["error_message"].removeprefix(SKIPPED)
            continue
        scenario, mode = parse_name(name)
        rates.setdefault(scenario, {}).setdefault(mode, []).append(bench["items_per_second"])
    return rates, skipped


def deviation(values):
    """Standard deviation as a share of the mean."""
    return statistics.stdev(values) / statistics.mean(values) if len(values) > 1 else None


def rows(rates):
    """One for each rival of each scenario."""
    result = []
    for (scenario, flows, payload, family), modes in rates.items():
        ours = modes.get(OURS)
        for rival, theirs in modes.items():
            if rival == OURS or ours is None:
                continue
            mpps, baseline = statistics.median(ours) / 1e6, statistics.median(theirs) / 1e6
            # A bench that loses a packet or gets a wrong answer ends with an error instead.
            result.append(row(scenario, OURS, baseline=rival, flows=flows, payload=payload, family=family, mpps=mpps, baseline_mpps=baseline,
                              loss=0, deviation=deviation(ours), baseline_deviation=deviation(theirs), turns=ours, baseline_turns=theirs))
    return result


def show(table, skipped):
    print(f"\n{'scenario':28}{'flows':>9}{'payload':>9}{'family':>8}{'ours ns':>10}{'rival ns':>10}{'ratio':>8}"
          f"{'±':>6}  rival")
    for one in table:
        spread = max(one["deviation"] or 0, one["baseline_deviation"] or 0)
        parameters = [one[key] if one[key] is not None else "" for key in ("flows", "payload", "family")]
        print(f"{one['scenario']:28}{parameters[0]:>9}{parameters[1]:>9}{parameters[2]:>8}{1e3 / one['mpps']:10.1f}"
              f"{1e3 / one['baseline_mpps']:10.1f}{one['ratio']:8.2f}{spread:6.0%}  {one['baseline']}")
    for why in sorted(set(skipped.values())):
        print(f"left out ({why}): {', '.join(name for name, reason in skipped.items() if reason == why)}")


def main():
    options = parse()
    check_cpus(options.cpu, root=False)
    if not options.no_build:
        build(options.preset, "turnpike-bench")
    program = ROOT / "build" / options.preset / "bin/turnpike-bench"
    if not program.exists():
        fail(f"{program} is not built; leave --no-build away")
    report = {**describe("micro"), "cpu": options.cpu}
    turns = []
    with tempfile.TemporaryDirectory(prefix="turnpike-micro-") as directory:
        for turn in range(options.turns):
            print(f"bench: turn {turn + 1} of {options.turns}", flush=True)
            turns.append(run_turn(program, options, directory))
    rates, skipped = gather(turns)
    report |= {"results": rows(rates), "skipped": skipped}
    show(report["results"], skipped)
    write_report(report, options.json or ROOT / f"build/bench/micro-{report['commit']}.json")


if __name__ == "__main__":
    main()
