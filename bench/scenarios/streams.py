# SPDX-License-Identifier: BSD-3-Clause
"""Measures TCP and TLS clients against coturn on the same veth cables: media per CPU-second, idle clients, slow readers."""

import argparse
import contextlib
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from rows import row
from socket_lab import Lab
from socket_load import Load, Scenario
from socket_servers import Mode, Server, Unavailable, modes
from surroundings import ROOT, build, check_cpus, describe, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
OURS = "turnpike"
PARTS = ("media", "idle", "slow")
TLS_PORT = 5349
SAMPLE_S = 0.25
SLOW_RATE = 50  # packets per second for each slow reader


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench streams", description=__doc__,
        epilog="With TURNSERVER=PATH a newer turnserver is measured as well. Needs root, two CPUs, and nothing else running. "
               "docs/performance.md says how to read it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)} (default all)")
    parser.add_argument("--transports", default="tcp,tls", help="of the clients (default tcp,tls)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 100], help="numbers of them for media (default 1 100)")
    parser.add_argument("--rate", type=int, help="packets per second offered to all (default: each one's highest rate "
                                                 "with loss < 0.1 %%, searched first)")
    parser.add_argument("--turns", type=int, default=3, help="of every server, alternating (default 3)")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement, after 1 s of warm-up (default 5)")
    parser.add_argument("--payload", type=int, default=1200, help="bytes (default 1200)")
    parser.add_argument("--burst", type=int, default=32, help="packets that leave at once (default 32)")
    parser.add_argument("--idle", type=int, default=5000, help="clients of the part idle (default 5000)")
    parser.add_argument("--slow", type=int, default=1000, help="clients of the part slow (default 1000)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/streams-COMMIT.json)")
    options = parser.parse_args()
    options.direction, options.indications = "both", False
    return options


def servers():
    """Ours and coturn's defaults."""
    ours = next(mode for mode in modes() if mode.name == "gso")
    return [Mode(OURS, flags=ours.flags)] + [mode for mode in modes() if mode.name in ("turnserver", "turnserver-new")]


def rivals(found):
    """Whom ours is put next to: nobody where there is no coturn."""
    return [name for name in found if name != OURS] or [None]


def resident(pids):
    """KiB of the processes in memory."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))
    return total


def make_certificate(directory):
    """As options of both servers."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=turn.example.org"], check=True, capture_output=True)
    key.chmod(0o644)
    return "--cert", cert, "--pkey", key


class Bench:
    def __init__(self, options, lab, directory):
        self.options = options
        self.lab = lab
        self.directory = directory
        self.load = Load(options.load, lab, options)
        self.certificate = make_certificate(directory)

    def server(self, mode):
        return Server(mode, self.lab, self.directory, self.options.preset, self.certificate)

    def scenario(self, transport, clients):
        return Scenario(clients, 1, transport=transport, port=TLS_PORT if transport == "tls" else 3478)

    def media(self, transport, clients):
        """Payload that arrived for each second of CPU time of the server's processes: a row for each rival."""
        scenario = self.scenario(transport, clients)
        rates, figures, losses = {}, {}, {}
        for mode in servers():
            with self.server(mode) as server:
                rates[mode.name] = self.options.rate or self.load.highest_rate(server, scenario)[0]
        for _ in range(self.options.turns):
            for mode in servers():
                with self.server(mode) as server:
                    turn = self.load.run(server, scenario, rates[mode.name], self.options.seconds)
                packets = turn["delivered_pps"] * turn["server"]["time"]
                figures.setdefault(mode.name, []).append(packets / turn["server"]["process_s"])
                losses.setdefault(mode.name, []).append(turn["loss"])
        print(f"\n{scenario.name:24}{'offered pps':>14}{'loss':>9}{'Mbit per CPU s':>16}{'ours to it':>15}", flush=True)
        middles = {name: statistics.median(turns) / 1e6 for name, turns in figures.items()}
        for name, mpps in middles.items():
            print(f"{name:24}{rates[name]:14}{statistics.median(losses[name]):9.3%}{mpps * self.options.payload * 8:16.0f}"
                  f"{middles[OURS] / mpps:15.2f}", flush=True)
        return [row(scenario.name, OURS, flows=clients, payload=self.options.payload, family=4, mpps=middles[OURS], baseline=rival,
                    baseline_mpps=middles.get(rival), loss=statistics.median(losses[OURS]), offered_pps=rates[OURS],
                    mbit_per_cpu_s=middles[OURS] * self.options.payload * 8, turns={name: figures[name] for name in (OURS, rival) if name})
                for rival in rivals(figures)]

    def grown(self, mode, scenario, rate, *options):
        """Resident KiB of the server before the clients came, and every moment from their first second on."""
        with self.server(mode) as server:
            before = resident(server.pids)
            command = [*map(str, self.load.command(server, scenario, rate, self.options.seconds)), *map(str, options)]
            samples = []
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True) as process:
                said = ""
                for line in process.stderr:
                    if re.match(r"holding|measuring", line):
                        break
                    said += line
                while process.poll() is None:
                    samples.append(resident(server.pids))
                    time.sleep(SAMPLE_S)
            if process.returncode != 0 or not samples:
                raise Unavailable(f"turnpike-load gave {process.returncode}: {said}")
            return before, samples

    def memory(self, part, transport):
        """KiB per client: at most, and in the middle of the first and of the last quarter of the time."""
        clients = self.options.idle if part == "idle" else self.options.slow
        scenario = self.scenario(transport, clients)
        if part == "idle":
            rate, extra = 0, ("--mode", "alloc", "--allocate-only", "--leave")
        else:
            scenario.direction, rate, extra = "to-client", SLOW_RATE * clients, ("--deaf",)
        found = {}
        print(f"\n{part}-{transport}-{clients:<16}{'at most':>12}{'early':>9}{'late':>9}  KiB per client", flush=True)
        for mode in servers():
            before, samples = self.grown(mode, scenario, rate, *extra)
            quarter = max(len(samples) // 4, 1)
            per_client = [(sample - before) / clients for sample in samples]
            found[mode.name] = {"at_most_kib": max(per_client), "early_kib": statistics.median(per_client[:quarter]),
                                "late_kib": statistics.median(per_client[-quarter:])}
            print(f"{mode.name:24}" + "".join(f"{kib:{width}.1f}" for kib, width in zip(found[mode.name].values(), (12, 9, 9))), flush=True)
        ours = found[OURS]
        # Memory has no rate: the ratio says how much less ours takes.
        return [row(f"{part}-{transport}-{clients}", OURS, flows=clients, payload=self.options.payload if rate else 0, family=4, baseline=rival,
                    ratio=found[rival]["at_most_kib"] / ours["at_most_kib"] if rival else None, **ours,
                    **({f"baseline_{key}": kib for key, kib in found[rival].items()} if rival else {}))
                for rival in rivals(found)]

    def run(self, part, transport):
        if part == "media":
            return [row for clients in self.options.clients for row in self.media(transport, clients)]
        return self.memory(part, transport)


def main():
    options = parse()
    # So that everything that was made is taken away again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parts, transports = options.parts.split(","), options.transports.split(",")
    if unknown := (set(parts) - set(PARTS)) | (set(transports) - {"tcp", "tls"}):
        fail(f"no {', '.join(sorted(unknown))} here; see scripts/bench streams --help")
    check_cpus(GENERATOR_CPU, SERVER_CPU)
    if not options.no_build:
        build(options.preset, "turnpike-dataplane", "turnpike-control", "turnpike-load")
    options.load = ROOT / "build" / options.preset / "bin/turnpike-load"
    report = {**describe("streams"), "results": []}
    try:
        with tempfile.TemporaryDirectory(prefix="turnpike-streams-") as directory, Lab(SERVER_CPU, GENERATOR_CPU) as lab:
            bench = Bench(options, lab, pathlib.Path(directory))
            for part in parts:
                for transport in transports:
                    report["results"] += bench.run(part, transport)
    except Unavailable as why:
        fail(str(why))
    finally:
        if report["results"]:
            write_report(report, options.json or ROOT / f"build/bench/streams-{report['commit']}.json")


if __name__ == "__main__":
    main()
