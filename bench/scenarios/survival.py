# SPDX-License-Identifier: BSD-3-Clause
"""Kills one of the relay's two programs again and again under calls, and counts what it costs them."""

import argparse
import ctypes
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import tempfile
import time

from rows import row
from socket_lab import CLIENT, LISTEN, PEER, Lab
from socket_servers import Server, Unavailable, modes, process_tree
from surroundings import ROOT, begin, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
PROGRAMS = {"control": "turnpike-control", "dataplane": "turnpike-dataplane"}
RETURN_S = 30
SHORTEST_S = 3  # that a death and its watching take
CLONE_NEWNET = 0x40000000
SAMPLE_S = 0.002


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench survival", description=__doc__,
        epilog="Needs root and two CPUs. docs/survival.md says what is promised.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--port", choices=("xdp", "gso"), default="xdp", help="kind of port: xdp, or gso (kernel sockets; default xdp)")
    parser.add_argument("--victim", choices=(*PROGRAMS, "random"), default="control", help="(default control)")
    parser.add_argument("--kills", type=int, default=20, help="(default 20)")
    parser.add_argument("--interval", type=float, default=15, help="seconds between two kills; random ones come after 0.2 to 1.8 times that (default 15)")
    parser.add_argument("--sessions", type=int, default=1000, help="(default 1000)")
    parser.add_argument("--rate", type=int, default=20_000, help="packets per second of all calls (default 20000)")
    parser.add_argument("--refresh", type=int, default=30, help="seconds between refreshes of every call (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="of --victim random (default 1)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/survival-COMMIT.json)")
    return parser.parse_args()


class Arrivals:
    """Packets that have reached the peers' side, whenever asked."""

    def __init__(self, lab):
        libc = ctypes.CDLL(None, use_errno=True)
        home, there = (os.open(path, os.O_RDONLY) for path in ("/proc/thread-self/ns/net", f"/run/netns/{lab.prefix}-peer"))
        if libc.setns(there, CLONE_NEWNET) != 0:
            fail(f"setns: {os.strerror(ctypes.get_errno())}")
        self.devices = open("/proc/thread-self/net/dev", encoding="ascii")  # of that namespace for good
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)

    def count(self):
        self.devices.seek(0)
        line = next(line for line in self.devices.read().splitlines() if line.strip().startswith("p0:"))
        return int(line.split()[2])


class Calls:
    def __init__(self, lab, options, seconds):
        self.arrivals = Arrivals(lab)
        command = ["timeout", "-k", "5", seconds + 120, ROOT / "build" / options.preset / "bin/turnpike-load", "--sockets", "--json",
                   "--cpu", GENERATOR_CPU, "--client-netns", f"{lab.prefix}-client", "--peer-netns", f"{lab.prefix}-peer",
                   "--server", f"{LISTEN}:3478", "--client-ip", CLIENT, "--peer-ip", PEER, "--sessions", options.sessions,
                   "--rate", options.rate, "--direction", "both", "--refresh", options.refresh,
                   "--warmup", 1, "--seconds", seconds]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.strip() == "measuring":
                return
        fail(f"turnpike-load does not come up: {self.process.stdout.read()}")

    def result(self):
        output, errors = self.process.communicate(timeout=180)
        if not output:
            fail(f"turnpike-load gave {self.process.returncode}: {errors}")
        return json.loads(output)


class Relay:
    def __init__(self, server, lab, options, directory):
        self.server = server
        self.ctl = lab.command("exec", "relay", ROOT / "build" / options.preset / "bin/turnpikectl", "--runtime-dir", directory / "run", "--json")

    def pid(self, name):
        for pid in process_tree(self.server.process.pid):
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == PROGRAMS[name][:15]:
                return pid
        return None

    def ask(self, verb):
        done = subprocess.run([*self.ctl, verb], capture_output=True, text=True, check=False, timeout=10)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def total(self):
        """Sessions, once both programs serve; None before."""
        status = self.ask("status")
        if status is None or not status["dataplane"]["attached"]:
            return None
        return status["sessions"]


def kill(relay, calls, victim, sessions):
    """One death. The longest silence of all calls until two seconds later, and how long until all sessions are listed again."""
    old = relay.pid(victim)
    silence, since, before = 0.0, time.monotonic(), calls.arrivals.count()
    begin_at = since
    os.kill(old, signal.SIGKILL)
    while (now := time.monotonic()) < begin_at + 2:
        arrived = calls.arrivals.count()
        if arrived != before:
            since, before = now, arrived
        silence = max(silence, now - since)
        time.sleep(SAMPLE_S)
    while relay.pid(victim) in (None, old) or relay.total() != sessions:
        if time.monotonic() > begin_at + RETURN_S:
            fail(f"after the death of {victim} {relay.total()} of {sessions} sessions are there:\n{relay.server.log.read_text()[-3000:]}")
        time.sleep(0.05)
    return {"victim": victim, "silence_s": round(silence, 4), "complete_s": round(time.monotonic() - begin_at, 2)}


def run(options, lab, directory):
    mode = next(each for each in modes() if each.name == options.port)
    mode.flags = (*mode.flags, "--max-restarts", 1000)
    chance = random.Random(options.seed)
    with Server(mode, lab, directory, options.preset) as server:
        relay = Relay(server, lab, options, directory)
        pauses = [options.interval * (chance.uniform(0.2, 1.8) if options.victim == "random" else 1) for _ in range(options.kills)]
        calls = Calls(lab, options, int(sum(max(pause, SHORTEST_S) for pause in pauses)) + 10)
        deaths = []
        for pause in pauses:
            victim = chance.choice(list(PROGRAMS)) if options.victim == "random" else options.victim
            deaths.append(kill(relay, calls, victim, options.sessions))
            time.sleep(max(pause - deaths[-1]["complete_s"], 0))
        result = calls.result()
        left = relay.total()
    return deaths, result, left


def summary(options, deaths, result, left):
    silences = [death["silence_s"] for death in deaths]
    found = row("survival", f"{options.port}-{options.victim}", flows=options.sessions, payload=result["payload"],
                loss=result["loss"])
    found.update(kills=len(deaths), sent=result["sent"], lost=result["lost_in_relay"],
                 silence_p50_s=statistics.median(silences), silence_max_s=max(silences),
                 complete_max_s=max(death["complete_s"] for death in deaths), leaked=left, deaths=deaths, load=result)
    return found


def show(one):
    print(f"{one['mode']}: {one['kills']} kills under {one['flows']} calls: {one['lost']} of {one['sent']} packets lost; silence p50 "
          f"{one['silence_p50_s']:.3f} s, max {one['silence_max_s']:.3f} s; all sessions listed again after at most "
          f"{one['complete_max_s']:.2f} s; {one['leaked']} left behind", flush=True)


def main():
    options = parse()
    report = begin("survival", options, GENERATOR_CPU, SERVER_CPU)
    try:
        with tempfile.TemporaryDirectory(prefix="turnpike-survival-") as work, Lab(SERVER_CPU, GENERATOR_CPU) as lab:
            report["results"].append(summary(options, *run(options, lab, pathlib.Path(work))))
            show(report["results"][-1])
    except Unavailable as why:
        fail(str(why))
    finally:
        if report["results"]:
            write_report(report, options.json or ROOT / f"build/bench/survival-{report['commit']}.json")


if __name__ == "__main__":
    main()
