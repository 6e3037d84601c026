# SPDX-License-Identifier: BSD-3-Clause
"""Measures what floods of unauthenticated requests and garbage do to calls that are established."""

import argparse
import contextlib
import json
import pathlib
import subprocess
import tempfile

import socket_meter
from rows import row
from socket_lab import CLIENT, LISTEN, PEER, Lab
from socket_load import Load, Scenario
from socket_servers import Server, Unavailable, modes
from surroundings import ROOT, begin, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
MODES = ("xdp", "gso", "turnserver")
FLOODS = ("none", "binding", "allocate", "wrong-password", "garbage", "damaged")
GOAL = 0.001
FLOOD_PORT, FLOOD_SOCKETS = 15_500, 8
CONTROL = "turnpike-contro"  # as the kernel cuts it


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p6", description=__doc__,
        epilog=f"Modes: {', '.join(mode.name for mode in modes())}. Needs root, two CPUs, and nothing else running. "
               "docs/performance.md says how to read it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--modes", default=",".join(MODES), help=f"names with commas (default {','.join(MODES)})")
    parser.add_argument("--floods", default=",".join(FLOODS), help=f"names with commas (default {','.join(FLOODS)})")
    parser.add_argument("--calls", type=int, default=8, help="established sessions (default 8)")
    parser.add_argument("--rate", type=int, default=10_000, help="media packets per second, both directions together (default 10000)")
    parser.add_argument("--flood-rate", type=int, default=0, help="messages per second (default 0: as many as the generator can)")
    parser.add_argument("--payload", type=int, default=172, help="bytes of media (default 172)")
    parser.add_argument("--seconds", type=int, default=5, help="of each flood (default 5)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p6-COMMIT.json)")
    options = parser.parse_args()
    if unknown := set(options.floods.split(",")) - set(FLOODS):
        fail(f"no {', '.join(sorted(unknown))} here; see scripts/bench p6 --help")
    options.direction, options.indications, options.burst = "both", False, 8
    return options


def programs(pids):
    """CPU seconds by the name of the program."""
    spent = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            spent[name] = spent.get(name, 0) + socket_meter.process_seconds([pid])
    return spent


class Bench:
    def __init__(self, options, lab, directory):
        self.options = options
        self.lab = lab
        self.directory = directory
        self.program = ROOT / "build" / options.preset / "bin/turnpike-load"
        self.load = Load(self.program, lab, options)

    def flood(self, kind):
        """The flood's report. It yields to the calls' generator, which has the same CPU."""
        command = ["timeout", "-k", "5", self.options.seconds + 30, "nice", "-n", "10", self.program, "--sockets", "--json",
                   "--mode", "invalid", "--flood", kind, "--rate", self.options.flood_rate, "--seconds", self.options.seconds,
                   "--cpu", self.lab.generator_cpu, "--client-netns", f"{self.lab.prefix}-client", "--server", f"{LISTEN}:3478",
                   "--client-ip", CLIENT, "--peer-ip", PEER, "--first-port", FLOOD_PORT, "--sessions", FLOOD_SOCKETS]
        done = subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise Unavailable(f"the {kind} flood: {done.stderr}")
        return json.loads(done.stdout)

    def turn(self, server, kind):
        """Calls for longer than the flood lasts, and what both saw."""
        options = self.options
        length = options.seconds if kind == "none" else options.seconds + 2
        command = [*map(str, self.load.command(server, Scenario(options.calls, 1), options.rate, length))]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as calls:
            try:
                for line in calls.stderr:
                    if line.strip() == "measuring":
                        break
                before = {**socket_meter.snapshot(server), "programs": programs(server.pids)}
                flood = self.flood(kind) if kind != "none" else None
                for line in calls.stderr if flood is None else ():
                    if line.strip() == "measured":
                        break
                after = {**socket_meter.snapshot(server), "programs": programs(server.pids)}
                output, errors = calls.communicate(timeout=60)
            finally:
                if calls.poll() is None:
                    calls.terminate()
        if not output:
            raise Unavailable(f"turnpike-load gave {calls.returncode}: {errors}")
        return self.row(server.mode.name, kind, json.loads(output), flood, before, after)

    def row(self, mode, kind, calls, flood, before, after):
        seconds = after["time"] - before["time"]
        share = {name: (after["programs"][name] - spent) / seconds for name, spent in before["programs"].items() if name in after["programs"]}
        return row(f"p6-{kind}", mode, flows=self.options.calls, payload=self.options.payload, family=4,
                   mpps=calls["delivered_pps"] / 1e6, loss=calls["loss"], goal=GOAL,
                   generator_late=calls["late"] + calls["dropped_by_generator"],
                   p99_us=max(calls["latency_us"][direction].get("p99", 0) for direction in ("to_peer", "to_client")),
                   cpu_share=share, server_busy=(after["busy_s"] - before["busy_s"]) / seconds,
                   flood_pps=flood["sent_pps"] if flood else 0, flood_answers=flood["answers"] if flood else {},
                   amplification=flood["amplification"] if flood else 0, server_answers=flood["server_answers"] if flood else True,
                   calls=calls, flood=flood)


def show(one):
    control = next((share for name, share in one["cpu_share"].items() if name.startswith(CONTROL)), None)
    share = "-" if control is None else f"{control:.0%}"
    print(f"{one['mode']:14}{one['scenario'][3:]:16}{one['flood_pps']:11.0f}{one['loss']:10.3%}{one['generator_late']:8}{one['p99_us']:10.0f}"
          f"{one['server_busy']:7.0%}{share:>9}{one['amplification']:8.2f}  {one['flood_answers']}", flush=True)


def run(options, report):
    wanted = options.modes.split(",")
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnpike-p6-")))
        lab = stack.enter_context(Lab(SERVER_CPU, GENERATOR_CPU))
        bench = Bench(options, lab, directory)
        print(f"{'mode':14}{'flood':16}{'messages/s':>11}{'loss':>10}{'own':>8}{'p99 us':>10}{'CPU':>7}{'control':>9}{'bytes x':>8}  answers", flush=True)
        for mode in [mode for mode in modes() if mode.name in wanted]:
            with Server(mode, lab, directory, options.preset) as server:
                for kind in options.floods.split(","):
                    report["results"].append(bench.turn(server, kind))
                    show(report["results"][-1])


def main():
    options = parse()
    report = begin("p6", options, GENERATOR_CPU, SERVER_CPU)
    try:
        run(options, report)
    except Unavailable as why:
        fail(str(why))
    finally:
        if report["results"]:
            write_report(report, options.json or ROOT / f"build/bench/p6-{report['commit']}.json")


if __name__ == "__main__":
    main()
