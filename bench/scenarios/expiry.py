# SPDX-License-Identifier: BSD-3-Clause
"""How long a worker's passes get while all allocations of a relay end at once, and what calls beside them lose (p5 --expiry)."""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from forwarders import GENERATOR_CPU, LOAD_MAC, PORTS_PER_ADDRESS, RELAY_MAC, WORKER_CPU, pin_control, wait_measuring, worker_threads
from programs import children, hugepages, name_of, priority, program
from rows import row
from surroundings import ROOT, fail

SERVER, RELAY_NETWORK = "10.0.1.1", "10.0.3."
# Of those that end, and of the calls that go on; each has a memif of its own.
LEAVING, STAYING = ("10.0.1.2", "10.1.0.2"), ("10.9.1.2", "10.9.2.2")
STAYING_MAC, SECOND_MAC = "02:00:00:00:00:04", "02:00:00:00:00:03"
LIFETIME_S = 600  # the shortest that a server may grant
LONG_S = 86_400
EARLY_S, SETTLE_S = 12, 2
MEDIA_S = 8  # before deletion, in which the calls begin
GOAL_US = 100
PAGES, PAGES_PER_MILLION = 640, 700
PARTS = ("nothing", "delete", "lifetime")


def relay_command(options, directory, huge):
    addresses = [f"{RELAY_NETWORK}{host}" for host in range(1, 2 + options.expiry // PORTS_PER_ADDRESS)]
    tables = options.expiry + 1000
    return [ROOT / "scripts/run", "--no-build", "--preset", options.preset, "--runtime-dir", directory / "run",
            "--port", f"memif:{directory}/leaving.sock,role=server,mac={RELAY_MAC}",
            "--port", f"memif:{directory}/staying.sock,role=server,mac={SECOND_MAC}",
            "--lcores", f"0@{GENERATOR_CPU},1@{WORKER_CPU}", "--poll", "always", "--listening-ip", SERVER,
            *(part for address in addresses for part in ("--relay-ip", address)), "--min-port", 1024,
            "--user", "alice:secret", "--realm", "example.org", "--allowed-peer-ip", "10.0.0.0/8", "--unauthorized-ratelimit-rps", 0,
            "--next-hop", f"0.0.0.0/0,port=0,mac={LOAD_MAC}", "--next-hop", f"10.9.0.0/16,port=1,mac={STAYING_MAC}",
            "--default-allocate-lifetime", LIFETIME_S, "--permission-lifetime", LONG_S, "--channel-lifetime", LONG_S,
            "--max-allocations", tables, "--max-permissions", tables, "--max-channels", tables,
            "--log-level", "warning", *([] if huge else ["--no-huge"])]


class Relay:
    def __init__(self, options, directory, huge, pids):
        self.binaries = ROOT / "build" / options.preset / "bin"
        self.options = options
        self.directory = directory
        self.huge = huge
        self.pids = {name_of(pid)[:13]: pid for pid in pids}
        (_, self.worker), = worker_threads(pids)

    def load(self, who, addresses, macs, *options):
        """turnpike-load at one of the two ports."""
        command = ["unshare", "--net", self.binaries / "turnpike-load", "--port", f"memif:{self.directory}/{who}.sock", "--json",
                   "--lcores", f"0@{GENERATOR_CPU}", "--file-prefix", f"expiry-{who}", "--server", f"{SERVER}:3478",
                   "--client-ip", addresses[0], "--peer-ip", addresses[1], "--mac", macs[0], "--relay-mac", macs[1],
                   *([] if self.huge else ["--no-huge"]), *options]
        return started(command, self.directory / f"{who}.log")

    def leaving(self, seconds, *options):
        return self.load("leaving", LEAVING, (LOAD_MAC, RELAY_MAC), "--sessions", self.options.expiry, "--at-once", 512, "--rate", 1000,
                         "--seconds", seconds, *options)

    def staying(self):
        return self.load("staying", STAYING, (STAYING_MAC, SECOND_MAC), "--sessions", self.options.calls, "--rate", self.options.call_rate,
                         "--seconds", LONG_S)

    def held(self):
        """Allocations."""
        command = ["nsenter", f"--net=/proc/{self.pids['turnpike-cont']}/ns/net", self.binaries / "turnpikectl", "--runtime-dir",
                   self.directory / "run", "--json", "status"]
        return json.loads(subprocess.run([*map(str, command)], capture_output=True, check=True, timeout=60).stdout)["sessions"]

    def tell(self, number, *names):
        for name in names or self.pids:
            subprocess.run(["kill", f"-{number}", str(self.pids[name])], check=True)

    @contextlib.contextmanager
    def watched(self, found):
        """Puts what the worker's passes took into `found`."""
        with started([self.binaries / "turnpike-loops", self.pids["turnpike-data"], self.worker], self.directory / "loops.log") as watcher:
            wait_for(watcher, self.directory / "loops.log", "watching")
            yield
            found |= json.loads(finished(watcher))

    @contextlib.contextmanager
    def called(self, found):
        """Calls go on for the time of the block; puts what they lost into `found`."""
        with self.staying() as calls:
            wait_measuring(calls, self.directory / "staying.log")
            time.sleep(SETTLE_S)
            yield
            report = json.loads(finished(calls))
            found |= {"calls": {key: report[key] for key in ("sent", "received", "lost", "mpps_out", "latency_us")}}


@contextlib.contextmanager
def started(command, log):
    """A process that does not outlive the block."""
    with open(log, "w", encoding="utf-8") as errors, \
         subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(process, log, word):
    while word not in log.read_text():
        if process.poll() is not None:
            fail(f"{process.args[0]} ended: {log.read_text()}")
        time.sleep(0.01)


def finished(process):
    """What it says when it is told to end."""
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    if process.returncode != 0:
        fail(f"{' '.join(process.args[:3])} gave {process.returncode}: {output}")
    return output


def ended(process, seconds):
    output, _ = process.communicate(timeout=seconds)
    if process.returncode != 0:
        fail(f"turnpike-load gave {process.returncode} after {output}")
    return json.loads(output)


def nothing(relay, found):
    """The calls alone."""
    with relay.called(found), relay.watched(found):
        time.sleep(relay.options.watch)


def delete(relay, found):
    """The clients delete all allocations."""
    with relay.leaving(MEDIA_S) as leaving:
        wait_measuring(leaving, relay.directory / "leaving.log")
        start = time.monotonic() + MEDIA_S
        found["held"] = relay.held()
        with relay.called(found), relay.watched(found):
            ended(leaving, 300)
            found["ending_s"] = time.monotonic() - start


def lifetime(relay, found):
    """All lifetimes run out, while control is not there: when it is, it ends them all as fast as it can."""
    first = time.monotonic()
    with relay.leaving(1, "--leave") as leaving:
        ended(leaving, 300)
    last = time.monotonic()
    found["held"] = relay.held()
    # Nobody needs the CPUs until then.
    relay.tell("STOP")
    time.sleep(max(first + LIFETIME_S - EARLY_S - time.monotonic(), 0))
    relay.tell("CONT")
    with relay.called(found):
        time.sleep(max(first + LIFETIME_S - 1 - time.monotonic(), 0))
        relay.tell("STOP", "turnpike-cont")
        time.sleep(max(last + LIFETIME_S + 1 - time.monotonic(), 0))
        with relay.watched(found):
            start = time.monotonic()
            relay.tell("CONT", "turnpike-cont")
            while relay.held() > relay.options.calls and time.monotonic() < start + 120:
                time.sleep(0.2)
            found["ending_s"] = time.monotonic() - start
        found["left"] = relay.held() - relay.options.calls


def measure(options, huge, part):
    """The row of one part, on a relay of its own."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="turnpike-expiry-") as name:
        directory = pathlib.Path(name)
        log = directory / "relay.log"
        with program(relay_command(options, directory, huge), log, lambda: re.search(r"^ready:", log.read_text(), re.MULTILINE)) as process:
            pids = [pid for pid in children(process.pid) if name_of(pid).startswith("turnpike-")]
            pin_control(pids)
            relay = Relay(options, directory, huge, pids)
            try:
                {"nothing": nothing, "delete": delete, "lifetime": lifetime}[part](relay, found)
            finally:
                relay.tell("CONT")
    calls = found.pop("calls")
    return row(f"p5-expiry-{part}", "memif", flows=options.expiry, payload=120, family=4, mpps=calls["mpps_out"],
               loss=calls["lost"] / max(sum(calls["sent"].values()), 1), lost=calls["lost"], calls=options.calls, goal_us=GOAL_US,
               longest_us=max((one["longest_us"] for one in found["worst"]), default=0),
               own_us=max((max(one["longest_us"] - one["waited_us"], 0) for one in found["worst"]), default=0),
               p99_us=max(each["p99"] for each in calls["latency_us"].values()), **found)


def show(one):
    over = " ".join(f"{one[key]['100']:>8}" for key in ("over_us", "own_over_us"))
    print(f"{one['scenario'][10:]:10}{one.get('held', 0):>9}{one.get('ending_s', 0):>8.1f}{one['longest_us']:>9}{one['own_us']:>9}{one['windows']:>9}{over}"
          f"{one['mpps'] * 1e6:>10.0f}{one['lost']:>7}{one['p99_us']:>9.0f}", flush=True)


def run(options):
    """The rows of all parts that were asked for."""
    results = []
    print(f"{'part':10}{'held':>9}{'ends s':>8}{'longest':>9}{'own':>9}{'windows':>9}{'>100 us':>9}{'own':>8}{'calls pps':>10}{'lost':>7}{'p99 us':>9}", flush=True)
    wanted = 0 if options.no_huge else PAGES + PAGES_PER_MILLION * options.expiry // 1_000_000
    with priority(-15), hugepages(wanted) as huge:
        for part in options.parts.split(","):
            results.append(measure(options, huge, part))
            show(results[-1])
    return results
