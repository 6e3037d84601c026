# SPDX-License-Identifier: BSD-3-Clause
"""Measures one worker over memif against dpdk-testpmd's 5tswap, in turns, with the same generator."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import tempfile
import time

from surroundings import ROOT, build, check_cpus, describe, fail, write_report

GENERATOR_CPU, WORKER_CPU = 0, 1
LCORES = f"0@{GENERATOR_CPU},1@{WORKER_CPU}"
RELAY_MAC, LOAD_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
HUGEPAGES_WANTED = 512


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p1", description=__doc__,
        epilog="The worker (testpmd's forwarding core) has CPU 1, everything else CPU 0. Needs root, two CPUs, and "
               "nothing else running. docs/performance.md says how to read the result.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--runs", type=int, default=5, help="turns of both (default 5)")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement, after 1 s of warm-up (default 5)")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--payload", type=int, default=120, help="bytes (default 120)")
    parser.add_argument("--indications", action="store_true", help="Send and Data instead of channels")
    parser.add_argument("--no-huge", action="store_true", help="ordinary memory in all programs")
    parser.add_argument("--output", type=pathlib.Path, help="JSON (default build/bench/memif-COMMIT.json)")
    return parser.parse_args()


@contextlib.contextmanager
def hugepages(wanted):
    """Whether hugepages are there for the time of the bench; what was taken is given back."""
    before = int(HUGEPAGES.read_text())
    taken = wanted and before < HUGEPAGES_WANTED
    if taken:
        HUGEPAGES.write_text(str(HUGEPAGES_WANTED))
    try:
        yield wanted and int(HUGEPAGES.read_text()) >= HUGEPAGES_WANTED
    finally:
        if taken:
            HUGEPAGES.write_text(str(before))


@contextlib.contextmanager
def program(command, log, ready, end=lambda process: process.send_signal(signal.SIGTERM)):
    """A program that runs for the time of the block, once ready() is true."""
    # In a network namespace of its own: no address or route of this machine is seen or touched.
    with open(log, "wb") as output, subprocess.Popen(["unshare", "--net", *map(str, command)], stdin=subprocess.PIPE,
                                                     stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + 60
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    fail(f"{command[0]} does not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield process
        finally:
            try:
                if process.poll() is None:
                    end(process)
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()


def pin_control(run):
    """Everything but the worker belongs on the generator's CPU; EAL has placed the dataplane's threads itself."""
    children = pathlib.Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    control = [pid for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("turnpike-con")]
    for thread in pathlib.Path(f"/proc/{control[0]}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {GENERATOR_CPU})


def load(binaries, options, huge, socket, mode):
    command = [binaries / "turnpike-load", "--port", f"memif:{socket},role=client", "--mode", mode, "--json",
               "--lcores", f"0@{GENERATOR_CPU}", "--warmup", 1, "--seconds", options.seconds,
               "--sessions", options.sessions, "--payload", options.payload, "--relay-mac", RELAY_MAC,
               "--mac", LOAD_MAC, *([] if huge else ["--no-huge"]), *(["--indications"] if options.indications else [])]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False,
                          timeout=options.seconds + 120)
    if done.returncode != 0:
        fail(f"turnpike-load gave {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def run_relay(binaries, options, huge, directory):
    socket = directory / "relay.sock"
    command = [ROOT / "scripts/run", "--no-build", "--preset", options.preset, "--runtime-dir", directory / "run",
               "--port", f"memif:{socket},role=server,mac={RELAY_MAC}", "--lcores", LCORES, "--poll", "always",
               "--listening-ip", "10.0.1.1", "--relay-ip", "10.0.2.1", "--user", "alice:secret",
               "--realm", "example.org", "--allowed-peer-ip", "10.0.0.0/8",
               "--next-hop", f"0.0.0.0/0,port=0,mac={LOAD_MAC}", *([] if huge else ["--no-huge"])]
    log = directory / "relay.log"
    with program(command, log, lambda: re.search(r"^ready:", log.read_text(), re.MULTILINE)) as run:
        pin_control(run)
        return load(binaries, options, huge, socket, "turn")


def run_testpmd(binaries, options, huge, directory):
    socket = directory / "testpmd.sock"
    socket.unlink(missing_ok=True)
    command = ["dpdk-testpmd", "--lcores", LCORES, "--no-pci", "--no-telemetry", "--file-prefix", "bench-testpmd",
               "-m", 256, *(["--in-memory"] if huge else ["--no-huge", "--no-shconf"]),
               "--vdev", f"net_memif0,role=server,socket={socket},socket-abstract=no", "--", "--forward-mode=5tswap",
               "--auto-start", "--nb-cores=1", "--burst=32", "--port-topology=loop", "--total-num-mbufs=16384"]
    # It goes on when its standard input ends or says something.
    with program(command, directory / "testpmd.log", socket.exists,
                 end=lambda process: process.communicate(b"\n", timeout=20)):
        return load(binaries, options, huge, socket, "swap")


def measure(binaries, options, huge):
    """The turns: each a pair of results."""
    turns = []
    print(f"{'turn':>8}{'relay':>10}{'testpmd':>10}{'ratio':>8}   Mpps in and as many out; generator idle")
    with tempfile.TemporaryDirectory(prefix="turnpike-bench-") as directory:
        for turn in range(options.runs):
            relay = run_relay(binaries, options, huge, pathlib.Path(directory))
            testpmd = run_testpmd(binaries, options, huge, pathlib.Path(directory))
            turns.append({"relay": relay, "testpmd": testpmd})
            print(f"{turn + 1:>8}{relay['mpps_in']:>10.3f}{testpmd['mpps_in']:>10.3f}"
                  f"{relay['mpps_in'] / testpmd['mpps_in']:>8.3f}   "
                  f"{relay['generator_idle']:.0%} / {testpmd['generator_idle']:.0%}", flush=True)
    return turns


def main():
    options = parse()
    check_cpus(GENERATOR_CPU, WORKER_CPU)
    if not options.no_build:
        build(options.preset, "turnpike-dataplane", "turnpike-control", "turnpike-load")
    binaries = ROOT / "build" / options.preset / "bin"
    report = describe("p1")
    with hugepages(not options.no_huge) as huge:
        report["memory"] = "hugepages" if huge else "ordinary memory"
        turns = measure(binaries, options, huge)
    medians = {name: statistics.median(turn[name]["mpps_in"] for turn in turns) for name in ("relay", "testpmd")}
    lost = sum(turn["relay"]["lost"] for turn in turns)
    report["result"] = {"relay_mpps": medians["relay"], "testpmd_mpps": medians["testpmd"],
                        "ratio": medians["relay"] / medians["testpmd"], "relay_lost": lost}
    report["turns"] = turns
    print(f"{'median':>8}{medians['relay']:>10.3f}{medians['testpmd']:>10.3f}{report['result']['ratio']:>8.3f}   "
          f"{report['memory']}; the relay lost {lost} packets in all")
    write_report(report, options.output or ROOT / f"build/bench/memif-{report['commit']}.json")


if __name__ == "__main__":
    main()
