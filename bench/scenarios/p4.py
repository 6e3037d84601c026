# SPDX-License-Identifier: BSD-3-Clause
"""Measures one core of our kernel-socket ports against coturn on the same veth cables, at a controlled offered rate."""

import argparse
import contextlib
import pathlib
import tempfile
import time

import socket_meter
import socket_table
from rows import against
from socket_lab import Lab
from socket_load import Load, Scenario
from socket_servers import Server, Unavailable, modes
from surroundings import ROOT, begin, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
TRAIN = 32


def all_scenarios():
    plain = [Scenario(flows, train) for train in (1, TRAIN) for flows in (1, 8, 64)]
    return plain + [Scenario(8, TRAIN, forced=True)]


def parse():
    names = ", ".join(scenario.name for scenario in all_scenarios())
    parser = argparse.ArgumentParser(
        prog="scripts/bench p4", description=__doc__,
        epilog=f"Scenarios: {names}. Modes: {', '.join(mode.name for mode in modes())}; with TURNSERVER=PATH also a "
               "newer turnserver. Needs root, two CPUs, and nothing else running. docs/performance.md says how to read "
               "it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--load", type=pathlib.Path, help="turnpike-load (default build/PRESET/bin/turnpike-load)")
    parser.add_argument("--modes", help="names with commas (default all but xdp)")
    parser.add_argument("--scenarios", help="names with commas (default all)")
    parser.add_argument("--rate", type=int, help="packets per second offered to all (default: each one's highest rate "
                                                 "with loss < 0.1 %%, searched first)")
    parser.add_argument("--turns", type=int, default=3, help="of every mode, alternating (default 3)")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement, after 1 s of warm-up (default 5)")
    parser.add_argument("--payload", type=int, default=120, help="bytes (default 120)")
    parser.add_argument("--burst", type=int, default=32, help="packets that leave at once (default 32)")
    parser.add_argument("--direction", choices=("to-peer", "to-client", "both"), default="to-peer")
    parser.add_argument("--indications", action="store_true", help="Send and Data instead of channels")
    parser.add_argument("--max-minutes", type=float, default=120, help="begin nothing new after so long (default 120)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p4-COMMIT.json)")
    return parser.parse_args()


def chosen(wanted, known, default):
    """Those of the known ones that were asked for, in the order of the known ones."""
    if wanted is None:
        return default
    names = wanted.split(",")
    if unknown := set(names) - {one.name for one in known}:
        fail(f"no {', '.join(sorted(unknown))} here; see scripts/bench p4 --help")
    return [one for one in known if one.name in names]


class Bench:
    """The turns of all modes in all scenarios."""

    def __init__(self, options, lab, load, directory):
        self.options = options
        self.lab = lab
        self.load = load
        self.directory = directory
        self.how = socket_meter.tracer()
        self.deadline = time.monotonic() + options.max_minutes * 60
        self.unavailable = {}

    def server(self, mode):
        return Server(mode, self.lab, self.directory, self.options.preset)

    def left(self, candidates):
        """The modes that run here, none when the time is over."""
        return [] if time.monotonic() > self.deadline else [mode for mode in candidates
                                                            if mode.name not in self.unavailable]

    def with_server(self, mode, work):
        """What the work with the mode's server gives; nothing, from now on, when it fails."""
        try:
            with Server(mode, self.lab, self.directory, self.options.preset) as server:
                return work(server)
        except Unavailable as why:
            self.unavailable[mode.name] = str(why)
            print(f"bench: {mode.name} is left out: {why}", flush=True)
            return None

    def scenario(self, scenario, candidates):
        """One row per mode, next to the first coturn among them."""
        with self.lab.segmentation(scenario.forced):
            found, turns = {}, {}
            for mode in self.left(candidates):
                if prepared := self.with_server(mode, lambda server: self.prepare(server, scenario)):
                    found[mode.name], turns[mode.name] = prepared, []
            for _ in range(self.options.turns):
                for mode in self.left([mode for mode in candidates if mode.name in found]):
                    rate = found[mode.name]["rate"]
                    if turn := self.with_server(mode, lambda server, rate=rate: self.load.run(
                            server, scenario, rate, self.options.seconds)):
                        turns[mode.name].append(turn)
        rival = next((mode.name for mode in candidates if mode.program and turns.get(mode.name)), None)
        return against([socket_table.row(scenario, name, found[name], results, self.options)
                        for name, results in turns.items() if results], rival)

    def prepare(self, server, scenario):
        """The rate for the mode's turns, and its system calls at that rate."""
        rate, generator = self.options.rate, False
        if rate is None:
            rate, generator = self.load.highest_rate(server, scenario)
        calls = self.load.calls_per_packet(server, scenario, rate, self.how) if self.how else None
        return {"rate": rate, "limited_by_generator": generator, "calls": calls, "calls_by": self.how}


def run(options, report):
    everything = modes()
    candidates = chosen(options.modes, everything, [mode for mode in everything if mode.name != "xdp"])
    scenarios = chosen(options.scenarios, all_scenarios(), all_scenarios())
    program = options.load or ROOT / "build" / options.preset / "bin/turnpike-load"
    if not program.exists():
        fail(f"{program} is not built; leave --no-build away")
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnpike-p4-")))
        lab = stack.enter_context(Lab(SERVER_CPU, GENERATOR_CPU))
        bench = Bench(options, lab, Load(program, lab, options), directory)
        report["unavailable"] = bench.unavailable
        for scenario in scenarios:
            rows = bench.scenario(scenario, candidates)
            report["results"] += rows
            socket_table.show(scenario, rows)


def main():
    options = parse()
    report = begin("p4", options, GENERATOR_CPU, SERVER_CPU)
    try:
        run(options, report)
    finally:
        if report["results"]:
            write_report(report, options.json or ROOT / f"build/bench/p4-{report['commit']}.json")


if __name__ == "__main__":
    main()
