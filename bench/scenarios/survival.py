# SPDX-License-Identifier: BSD-3-Clause
"""Kills or replaces one of the relay's two programs again and again under calls, and counts what it costs them."""

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
from concurrent.futures import ThreadPoolExecutor

from our_relay import PROGRAMS, Relay
from programs import priority
from replaced_programs import ReplacedPrograms, identity
from rows import row
from socket_lab import CLIENT, LISTEN, PEER, Lab
from socket_servers import Server, Unavailable, modes
from surroundings import ROOT, begin, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
RETURN_S = 30
AFTER_S = 5
CLONE_NEWNET = 0x40000000
SAMPLE_S = 0.002


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench survival", description=__doc__,
        epilog="Needs root and two CPUs. docs/survival.md says what is promised.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--port", choices=("xdp", "gso"), default="xdp", help="kind of port: xdp, or gso (kernel sockets; default xdp)")
    parser.add_argument("--victim", choices=(*PROGRAMS, "random", "alternate"), default="control", help="(default control)")
    parser.add_argument("--kills", type=int, default=20, help="or replacements (default 20)")
    parser.add_argument("--replace-by", type=pathlib.Path, action="append", default=[], metavar="FOLDER",
                        help="programs of another build: instead of SIGKILL the victim gets SIGTERM, and the next one is started from there; "
                             "repeatable, they and build/PRESET/bin take turns")
    parser.add_argument("--interval", type=float, default=15, help="seconds between two kills; random ones come after 0.2 to 1.8 times that (default 15)")
    parser.add_argument("--sessions", type=int, default=1000, help="(default 1000)")
    parser.add_argument("--rate", type=int, default=20_000, help="packets per second of all calls (default 20000)")
    parser.add_argument("--refresh", type=int, default=30, help="seconds between refreshes of every call (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="of --victim random (default 1)")
    parser.add_argument("--nice", type=int, default=-15, help="of relay and generator, before what else wants their CPUs (default -15)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/survival-COMMIT.json)")
    return parser.parse_args()


class Arrivals:
    """Datagrams that have reached the peers, whenever asked."""

    def __init__(self, lab):
        libc = ctypes.CDLL(None, use_errno=True)
        home, there = (os.open(path, os.O_RDONLY) for path in ("/proc/thread-self/ns/net", f"/run/netns/{lab.prefix}-peer"))
        if libc.setns(there, CLONE_NEWNET) != 0:
            fail(f"setns: {os.strerror(ctypes.get_errno())}")
        self.counters = open("/proc/thread-self/net/snmp", encoding="ascii")  # of that namespace for good
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)

    def count(self):
        """Not the netdev's packets: while no dataplane runs, the relay's kernel sends ICMP errors."""
        self.counters.seek(0)
        _, values = (line.split() for line in self.counters.read().splitlines() if line.startswith("Udp:"))
        return int(values[1])


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
        """Ends the calls, however much longer they were to last."""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=180)
        if not output:
            fail(f"turnpike-load gave {self.process.returncode}: {errors}")
        return json.loads(output)


def ending(options, server, relay, victim):
    """How this end of the victim comes about: a function that gives when it was gone."""
    if options.replace_by:
        server.check_next(PROGRAMS[victim])
        return lambda: server.replace(PROGRAMS[victim])

    def kill():
        os.kill(relay.pid(victim), signal.SIGKILL)
        return time.monotonic()

    return kill


def wait_complete(relay, victim, old, sessions, deadline):
    """Until the victim's successor runs and all sessions are listed."""
    while relay.pid(victim) in (None, old) or relay.total() != sessions:
        if time.monotonic() > deadline:
            fail(f"after the end of {victim} {relay.total()} of {sessions} sessions are there:\n{relay.server.log.read_text()[-3000:]}")
        time.sleep(0.05)
    return time.monotonic()


def disturb(relay, calls, victim, sessions, act):
    """One end of a program by act(). The longest silence of all calls until all sessions are listed again, at least two seconds long,
    and how long that takes."""
    old = relay.pid(victim)
    ran = identity(old)
    silence, since, before = 0.0, time.monotonic(), calls.arrivals.count()
    begin_at = since

    def end_and_wait():
        gone = act()
        return gone - begin_at, wait_complete(relay, victim, old, sessions, begin_at + RETURN_S)

    with ThreadPoolExecutor(1) as beside:
        complete = beside.submit(end_and_wait)
        while (now := time.monotonic()) < begin_at + 2 or not complete.done():
            arrived = calls.arrivals.count()
            if arrived != before:
                since, before = now, arrived
            silence = max(silence, now - since)
            time.sleep(SAMPLE_S)
    gone, end = complete.result()
    return {"victim": victim, "silence_s": round(silence, 4), "gone_s": round(gone, 3), "complete_s": round(end - begin_at, 2),
            "before": ran, "after": identity(relay.pid(victim))}


def victims(options):
    """The programs in their order."""
    chance = random.Random(options.seed + 1)
    names = list(PROGRAMS)
    if options.victim == "random":
        return [chance.choice(names) for _ in range(options.kills)]
    if options.victim == "alternate":
        return [names[number % len(names)] for number in range(options.kills)]
    return [options.victim] * options.kills


def run(options, lab, directory):
    mode = next(each for each in modes() if each.name == options.port)
    chance = random.Random(options.seed)
    if options.replace_by:
        relay_programs = ReplacedPrograms(mode, lab, directory, options.preset, options.replace_by)
    else:
        mode.flags = (*mode.flags, "--max-restarts", 1000)
        relay_programs = Server(mode, lab, directory, options.preset)
    with relay_programs as server:
        relay = Relay(server, lab, options, directory)
        pauses = [options.interval * (chance.uniform(0.2, 1.8) if options.victim == "random" else 1) for _ in range(options.kills)]
        calls = Calls(lab, options, int(sum(max(pause, RETURN_S) for pause in pauses)) + 10)
        deaths = []
        for pause, victim in zip(pauses, victims(options)):
            deaths.append(disturb(relay, calls, victim, options.sessions, ending(options, server, relay, victim)))
            time.sleep(max(pause - max(deaths[-1]["complete_s"], 2), 0))
        time.sleep(AFTER_S)
        result = calls.result()
        left = relay.total()
    return deaths, result, left


def summary(options, deaths, result, left):
    if options.replace_by and (same := [death for death in deaths if death["before"]["sha256"] == death["after"]["sha256"]]):
        fail(f"{same[0]['victim']} was not replaced: --replace-by wants programs that differ from those of build/{options.preset}/bin")
    silences = [death["silence_s"] for death in deaths]
    builds = sorted({f"{death['victim']} {death[when]['sha256']}" for death in deaths for when in ("before", "after")}) if options.replace_by else []
    found = row("survival", f"{options.port}-{options.victim}" + ("-replaced" if builds else ""), flows=options.sessions, payload=result["payload"],
                loss=result["loss"])
    found.update(kills=len(deaths), builds=builds, sent=result["sent"], lost=result["lost_in_relay"],
                 silence_p50_s=statistics.median(silences), silence_max_s=max(silences),
                 complete_max_s=max(death["complete_s"] for death in deaths), leaked=left, deaths=deaths, load=result)
    return found


def show(one):
    print(f"{one['mode']}: {one['kills']} {'replacements' if one['builds'] else 'kills'} under {one['flows']} calls: {one['lost']} of {one['sent']} packets lost; silence p50 "
          f"{one['silence_p50_s']:.3f} s, max {one['silence_max_s']:.3f} s; all sessions listed again after at most "
          f"{one['complete_max_s']:.2f} s; {one['leaked']} left behind" + "".join(f"\n  ran: {build}" for build in one["builds"]), flush=True)


def main():
    options = parse()
    report = begin("survival", options, GENERATOR_CPU, SERVER_CPU)
    try:
        with tempfile.TemporaryDirectory(prefix="turnpike-survival-") as work, Lab(SERVER_CPU, GENERATOR_CPU) as lab:
            with priority(options.nice):
                report["results"].append(summary(options, *run(options, lab, pathlib.Path(work))))
            show(report["results"][-1])
    except Unavailable as why:
        fail(str(why))
    finally:
        if report["results"]:
            write_report(report, options.json or ROOT / f"build/bench/survival-{report['commit']}.json")


if __name__ == "__main__":
    main()
