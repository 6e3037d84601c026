# SPDX-License-Identifier: BSD-3-Clause
"""Measures our AF_XDP ports on one core against coturn, and against dpdk-testpmd's 5tswap on AF_XDP, on the same veth cables."""

import argparse
import contextlib
import pathlib
import statistics
import tempfile
import time

from forwarders import Setting
from programs import priority
from rows import row
from slices import alternate, quartiles
from socket_lab import Lab
from socket_load import Load, Scenario
from socket_servers import XDP_MODE, Server, Unavailable, modes
from surroundings import ROOT, begin, fail, write_report
from swap_server import MODE as TESTPMD
from swap_server import SwapServer
from veth_pairs import veth_pair

GENERATOR_CPU, SERVER_CPU = 0, 1
RIVALS = ("coturn", "testpmd")
BUSY, UNUSED = 0.02, 0.05  # waiting less, and with more of the server's CPU left over, the generator is the limit
POLLING = (XDP_MODE.name, TESTPMD.name)
GOALS = {"turnserver": 3, "turnserver-new": 3, "testpmd": 0.9}


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p3", description=__doc__,
        epilog="With TURNSERVER=PATH a newer turnserver is measured as well. Needs root, two CPUs, and nothing else running. "
               "docs/performance.md says how to read it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="coturn,testpmd (default both)")
    parser.add_argument("--flows", default="1,8,64", help="sessions (default 1,8,64)")
    parser.add_argument("--payloads", default="120,1200", help="bytes (default 120,1200)")
    parser.add_argument("--generator", choices=("xdp", "sockets"), default="xdp", help="what sends: AF_XDP in alternating slices, as many packets as go "
                                                                                       "through; or kernel sockets at searched rates (default xdp)")
    parser.add_argument("--window", type=int, default=128, help="xdp: packets under way per direction (default 128)")
    parser.add_argument("--slices", type=int, default=12, help="xdp: of every server (default 12)")
    parser.add_argument("--slice", type=float, default=0.5, metavar="SECONDS", help="xdp: of a slice (default 0.5)")
    parser.add_argument("--rate", type=int, help="sockets: packets per second offered to all (default: each one's highest rate with loss < 0.1 %%, "
                                                 "searched in each turn)")
    parser.add_argument("--turns", type=int, default=3, help="sockets: of every server, alternating (default 3)")
    parser.add_argument("--seconds", type=int, default=3, help="sockets: of the measurement after each search (default 3)")
    parser.add_argument("--burst", type=int, default=32, help="sockets: packets that leave at once (default 32)")
    parser.add_argument("--train", type=int, default=32, help="sockets: packets of one session in a row (default 32); they cross the cable one by one")
    parser.add_argument("--max-minutes", type=float, default=60, help="begin nothing new after so long (default 60)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p3-COMMIT.json)")
    options = parser.parse_args()
    options.rivals = options.rivals.split(",")
    if unknown := set(options.rivals) - set(RIVALS):
        fail(f"no {', '.join(sorted(unknown))} here; see scripts/bench p3 --help")
    options.flows = [int(flows) for flows in options.flows.split(",")]
    options.payloads = [int(payload) for payload in options.payloads.split(",")]
    if options.rate and options.generator != "sockets":
        fail("--rate is for --generator sockets")
    options.direction, options.indications, options.payload = "to-peer", False, None
    return options


def opponents(rival):
    if rival == "testpmd":
        return [TESTPMD]
    return [mode for mode in modes() if mode.name in ("turnserver", "turnserver-new")]


class Bench:
    def __init__(self, options, lab, directory):
        self.options = options
        self.lab = lab
        self.directory = directory
        self.load = Load(ROOT / "build" / options.preset / "bin/turnpike-load", lab, options)
        self.deadline = time.monotonic() + options.max_minutes * 60
        self.unavailable = {}

    def server(self, mode):
        if mode.swaps:
            return SwapServer(mode, self.lab, self.directory)
        return Server(mode, self.lab, self.directory, self.options.preset)

    def turn(self, mode, scenario):
        """The highest rate that goes through a server just started, and what a longer run at it delivers."""
        try:
            with self.server(mode) as server:
                rate, generator = (self.options.rate, False) if self.options.rate else self.load.highest_rate(server, scenario)
                return {"limited_by_generator": generator, **self.load.run(server, scenario, rate, self.options.seconds)}
        except Unavailable as why:
            self.unavailable[mode.name] = str(why)
            print(f"bench: {mode.name} is left out: {why}", flush=True)
            return None

    def scenario(self, rival, flows, payload):
        """Rows of one pair or more, in alternating turns."""
        self.options.payload = payload
        scenario = Scenario(flows, self.options.train, forced=True)
        turns = {mode.name: [] for mode in (XDP_MODE, *opponents(rival))}
        with self.lab.segmentation(True), self.lab.whole_checksums(rival == "testpmd"):
            for _ in range(self.options.turns):
                for mode in (XDP_MODE, *opponents(rival)):
                    if mode.name not in self.unavailable and time.monotonic() < self.deadline:
                        if turn := self.turn(mode, scenario):
                            turns[mode.name].append(turn)
        ours = turns.pop(XDP_MODE.name)
        return [self.row(rival, flows, payload, ours, name, theirs) for name, theirs in turns.items() if ours and theirs]

    def row(self, rival, flows, payload, ours, name, theirs):
        def middle(turns, key):
            return statistics.median(turn[key] for turn in turns)
        mpps, baseline = middle(ours, "delivered_pps") / 1e6, middle(theirs, "delivered_pps") / 1e6
        limited = {who: any(turn["limited_by_generator"] for turn in turns) for who, turns in (("xdp", ours), (name, theirs))}
        return row(f"{rival}-{payload}-{flows}", XDP_MODE.name, flows=flows, payload=payload, family=4,
                   train=self.options.train, mpps=mpps, baseline=name, baseline_mpps=baseline,
                   goal=GOALS[name], loss=middle(ours, "loss"), baseline_loss=middle(theirs, "loss"),
                   limited_by_generator=limited, turns={"xdp": ours, name: theirs})


class SlicedBench:
    """All servers alive at once, each on a cable of its own with a generator of its own, in alternating slices."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.unavailable = {}
        self.receiving, self.unused = {}, {}
        self.deadline = time.monotonic() + options.max_minutes * 60

    def server(self, mode, lab, directory):
        return SwapServer(mode, lab, directory) if mode.swaps else Server(mode, lab, directory, self.options.preset)

    def begin(self, stack, number, mode, flows, payload):
        """The pair of one server, standing still."""
        directory = self.directory / f"{mode.name}-{flows}-{payload}"
        directory.mkdir()
        lab = stack.enter_context(Lab(SERVER_CPU, GENERATOR_CPU, f"n{number}"))
        server = stack.enter_context(self.server(mode, lab, directory))
        return stack.enter_context(veth_pair(Setting(self.options.preset, False, directory, sleeps=True), lab, server, flows, payload,
                                             self.options.window))

    def measure(self, flows, payload):
        """A row for each rival."""
        if time.monotonic() > self.deadline:
            return []
        with contextlib.ExitStack() as stack:
            pairs = []
            for number, mode in enumerate([XDP_MODE, *(mode for rival in self.options.rivals for mode in opponents(rival))]):
                try:
                    pairs.append(self.begin(stack, number, mode, flows, payload))
                except Unavailable as why:
                    self.unavailable[mode.name] = str(why)
                    print(f"bench: {mode.name} is left out: {why}", flush=True)
            before = {one.name: one.receiving_s() for one in pairs}
            slices, _ = alternate(pairs, self.options.slices, self.options.slice, undisturbed=0)
            after = {one.name: one.receiving_s() for one in pairs}
            reports = {one.name: one.finish() for one in pairs}
        self.unused = {one.name: one.unused_s / sum(each.seconds for each in slices[one.name]) for one in pairs}
        self.receiving = {name: {role: (end - before[name][role]) / sum(one.seconds for one in slices[name]) for role, end in ends.items()}
                          for name, ends in after.items()}
        ours = slices.pop(XDP_MODE.name)
        return [self.row(flows, payload, ours, name, theirs, reports) for name, theirs in slices.items()]

    def row(self, flows, payload, ours, name, theirs, reports):
        low, middle, high = quartiles([mine.clock_mpps / other.clock_mpps for mine, other in zip(ours, theirs)])
        losses = {who: reports[who]["lost"] / max(sum(reports[who]["sent"].values()), 1) for who in (XDP_MODE.name, name)}
        idle = {who: reports[who]["generator_idle"] for who in losses}
        return row(f"{name}-{payload}-{flows}", XDP_MODE.name, flows=flows, payload=payload, family=4, window=self.options.window,
                   mpps=statistics.median(one.clock_mpps for one in ours), baseline=name,
                   baseline_mpps=statistics.median(one.clock_mpps for one in theirs), ratio=middle, ratio_quartiles=[low, high],
                   goal=GOALS[name], loss=losses[XDP_MODE.name], baseline_loss=losses[name], generator_idle=idle,
                   cpu_share={who: statistics.median(one.worker_s / one.seconds for one in these)
                              for who, these in ((XDP_MODE.name, ours), (name, theirs))},
                   receiving_share={who: self.receiving[who] for who in losses},
                   server_cpu_unused={who: self.unused[who] for who in losses},
                   # What its kernel thread took it did not wait. Of a server that polls nobody sees whether it had something to do.
                   limited_by_generator={who: share - self.receiving[who].get("client", 0) < BUSY and (who in POLLING or self.unused[who] > UNUSED)
                                         for who, share in idle.items()},
                   slices=len(ours))


def show(one):
    who = [name for name, limited in one["limited_by_generator"].items() if limited]
    note = f"  the generator was the limit of {' and '.join(who)}" if who else ""
    print(f"{one['scenario']:18}{one['mpps']:9.3f}  {one['baseline']:16}{one['baseline_mpps']:8.3f}{one['ratio']:8.2f}{one['goal']:7}"
          f"{one['loss']:9.3%}{one['baseline_loss']:9.3%}{note}", flush=True)


HEAD = f"{'scenario':18}{'Mpps':>9}  {'rival':16}{'Mpps':>8}{'ratio':>8}{'goal':>7}{'loss':>9}{'its loss':>9}"


def run_slices(options, report):
    with tempfile.TemporaryDirectory(prefix="turnpike-p3-") as directory, priority(-15):
        bench = SlicedBench(options, pathlib.Path(directory))
        report["unavailable"] = bench.unavailable
        print(HEAD, flush=True)
        for payload in options.payloads:
            for flows in options.flows:
                rows = bench.measure(flows, payload)
                report["results"] += rows
                for one in rows:
                    show(one)


def run(options, report):
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnpike-p3-")))
        bench = Bench(options, stack.enter_context(Lab(SERVER_CPU, GENERATOR_CPU)), directory)
        report["unavailable"] = bench.unavailable
        print(HEAD, flush=True)
        for rival in options.rivals:
            for payload in options.payloads:
                for flows in options.flows:
                    rows = bench.scenario(rival, flows, payload)
                    report["results"] += rows
                    for one in rows:
                        show(one)


def main():
    options = parse()
    report = begin("p3", options, GENERATOR_CPU, SERVER_CPU)
    try:
        (run_slices if options.generator == "xdp" else run)(options, report)
    finally:
        if report["results"]:
            write_report(report, options.json or ROOT / f"build/bench/p3-{report['commit']}.json")


if __name__ == "__main__":
    main()
