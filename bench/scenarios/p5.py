# SPDX-License-Identifier: BSD-3-Clause
"""Measures how fast allocations are made and what one costs, against coturn on the same veth cables; or how they end (--expiry)."""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import re
import statistics
import subprocess
import tempfile

import expiry
from rows import against, row
from socket_lab import CLIENT, LISTEN, PEER, Lab
from socket_servers import Server, Unavailable, modes
from surroundings import ROOT, begin, build, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
OURS = "xdp"
MODES = (OURS, "turnserver", "turnserver-new")
HOLD_S = 1


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p5", description=__doc__,
        epilog=f"Modes: {', '.join(mode.name for mode in modes())}; with TURNSERVER=PATH also a newer turnserver. Needs root, two "
               "CPUs, and nothing else running. docs/performance.md says how to read it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--modes", default=",".join(MODES), help=f"names with commas (default {','.join(MODES)}, as far as they are here)")
    parser.add_argument("--allocations", type=int, default=15_000, help="(default 15000: a relay address has 16384 ports)")
    parser.add_argument("--allocate-only", action="store_true", help="neither channel nor permission")
    parser.add_argument("--at-once", type=int, default=64, help="requests under way (default 64)")
    parser.add_argument("--turns", type=int, default=3, help="of every mode, alternating (default 3)")
    parser.add_argument("--expiry", type=int, metavar="N", help="instead: let N allocations of our relay on memif end at once, and look at its passes")
    parser.add_argument("--parts", default=",".join(expiry.PARTS), help=f"of --expiry: {', '.join(expiry.PARTS)} (default all; lifetime takes 11 minutes)")
    parser.add_argument("--calls", type=int, default=50, help="that go on beside --expiry (default 50)")
    parser.add_argument("--call-rate", type=int, default=50_000, help="packets per second of these calls together (default 50000)")
    parser.add_argument("--watch", type=float, default=10, help="seconds of the part nothing (default 10)")
    parser.add_argument("--no-huge", action="store_true", help="--expiry: ordinary memory")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p5-COMMIT.json)")
    options = parser.parse_args()
    if unknown := set(options.parts.split(",")) - set(expiry.PARTS):
        fail(f"no {', '.join(sorted(unknown))} here; see scripts/bench p5 --help")
    return options


def resident_kib(pids):
    """By the name of the program."""
    found = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            name = re.search(r"^Name:\t(.*)$", status, re.MULTILINE).group(1)
            if memory := re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE):
                found[name] = found.get(name, 0) + int(memory.group(1))
    return found


class Bench:
    def __init__(self, options, lab, directory):
        self.options = options
        self.lab = lab
        self.directory = directory

    def command(self, server):
        options = self.options
        pids = [word for pid in server.pids for word in ("--server-pid", pid)]
        return ["timeout", "-k", "5", 300, ROOT / "build" / options.preset / "bin/turnpike-load", "--sockets", "--json", "--mode", "alloc",
                "--cpu", self.lab.generator_cpu, "--client-netns", f"{self.lab.prefix}-client", "--server", f"{LISTEN}:3478",
                "--client-ip", CLIENT, "--peer-ip", PEER, "--user", "alice", "--password", "secret", "--at-once", options.at_once,
                "--sessions", options.allocations, "--open-sockets", 2000, "--seconds", HOLD_S, "--leave", *pids,
                *(["--allocate-only"] if options.allocate_only else [])]

    def turn(self, mode):
        if not mode.program:  # all clients have one address, which gets so many answers a second and no more
            mode = dataclasses.replace(mode, flags=(*mode.flags, "--unauthorized-ratelimit-rps", 0))
        with Server(mode, self.lab, self.directory, self.options.preset) as server:
            before = resident_kib(server.pids)
            with subprocess.Popen([*map(str, self.command(server))], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as process:
                said = ""
                for line in process.stderr:
                    said += line
                    if line.startswith("holding"):
                        break
                after = resident_kib(server.pids)
                output, more = process.communicate(timeout=60)
            if process.returncode != 0 or not output:
                raise Unavailable(f"turnpike-load gave {process.returncode}: {said}{more}")
            result = json.loads(output)
            grown = {name: (after[name] - before.get(name, 0)) / max(result["allocated"], 1) for name in after}
            return {**result, "kib_by_program": {name: kib for name, kib in grown.items() if kib > 0.01}}

    def run(self):
        """Rows, in the order asked for, next to the first coturn among them."""
        wanted = self.options.modes.split(",")
        candidates = [mode for mode in modes() if mode.name in wanted]
        candidates.sort(key=lambda mode: wanted.index(mode.name))
        turns = {mode.name: [] for mode in candidates}
        for _ in range(self.options.turns):
            for mode in candidates:
                turns[mode.name].append(self.turn(mode))
        rival = next((mode.name for mode in candidates if mode.program), None)
        return against([self.row(name, found) for name, found in turns.items()], rival)

    def row(self, name, found):
        def middle(results, of):
            return statistics.median(of(result) for result in results)
        rate, kib = middle(found, lambda turn: turn["setup_per_second"]), middle(found, lambda turn: turn["server_memory_kib"]["per_allocation"])
        held = min(turn["allocated"] for turn in found)
        return row(f"p5-{self.options.allocations}", name, flows=self.options.allocations, payload=0, family=4, mpps=rate / 1e6,
                   loss=1 - held / self.options.allocations, allocated=held, setups_per_second=rate, kib_per_allocation=kib,
                   kib_by_program=found[-1]["kib_by_program"], failures=found[-1]["failures"], turns=found)


def show(rows):
    print(f"{'mode':18}{'held':>8}{'set-ups/s':>11}{'ratio':>9}{'KiB each':>10}  by program", flush=True)
    for one in rows:
        programs = ", ".join(f"{name} {kib:.2f}" for name, kib in one["kib_by_program"].items())
        ratio = "-" if one["ratio"] is None else f"{one['ratio']:.2f}"
        print(f"{one['mode']:18}{one['allocated']:8}{one['setups_per_second']:11.0f}{ratio:>9}{one['kib_per_allocation']:10.2f}"
              f"  {programs}{'  failures ' + str(one['failures']) if one['failures'] else ''}", flush=True)


def main():
    options = parse()
    report = begin("p5", options, GENERATOR_CPU, SERVER_CPU)
    if options.expiry:
        if not options.no_build:
            build(options.preset, "turnpike-loops", "turnpikectl")
        report["results"] = expiry.run(options)
        write_report(report, options.json or ROOT / f"build/bench/p5-expiry-{report['commit']}.json")
        return
    try:
        with tempfile.TemporaryDirectory(prefix="turnpike-p5-") as directory, Lab(SERVER_CPU, GENERATOR_CPU) as lab:
            report["results"] = Bench(options, lab, pathlib.Path(directory)).run()
    except Unavailable as why:
        fail(str(why))
    show(report["results"])
    write_report(report, options.json or ROOT / f"build/bench/p5-{report['commit']}.json")


if __name__ == "__main__":
    main()
