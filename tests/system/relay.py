# SPDX-License-Identifier: BSD-3-Clause
"""Our two programs, started by scripts/run in the relay namespace of a lab."""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from netns import ROOT, Lab

PRESET = os.environ.get("TURNPIKE_PRESET", "release")
SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer)")

SUPPRESSIONS = f"suppressions={pathlib.Path(__file__).parent}/lsan.supp:print_suppressions=0"
ENVIRONMENT = {**os.environ, "LSAN_OPTIONS": SUPPRESSIONS}

PORTS = {"xdp": ("--port", "xdp:s0", "--port", "xdp:s1"),
         "socket": ("--port", f"socket:{Lab.LISTEN}:3478", "--port", f"socket:[{Lab.LISTEN6}]:3478")}
ADDRESSES = ("--listening-ip", Lab.LISTEN, "--listening-ip", Lab.LISTEN6,
             "--relay-ip", Lab.RELAY, "--relay-ip", Lab.RELAY6)
USERS = ("--user", "alice:secret", "--user", "bob:hidden", "--realm", "example.org")
PEERS = ("--allowed-peer-ip", "10.0.0.0/8", "--allowed-peer-ip", "fd00::/8")


def port_kinds(*kinds):
    """Marks a test that concerns these kinds of port alone; the docstring says why."""
    def mark(function):
        function.port_kinds = kinds
        return function
    return mark


class Relay:
    """Started on construction; ready when the constructor returns. stop() demands a clean end."""

    def __init__(self, lab, *options, base=None, kind="xdp", memory=("--no-huge",), preset=PRESET,
                 prefix=()):
        """`memory` is ordinary as a rule: whoever else is on this machine may take its hugepages. `prefix` runs it."""
        self.lab = lab
        self.sockets = kind == "socket"
        base = PORTS[kind] + ADDRESSES + USERS + PEERS if base is None else base
        self.binaries = ROOT / "build" / preset / "bin"
        self.work = tempfile.TemporaryDirectory(prefix="turnpike-relay-")
        self.output = pathlib.Path(self.work.name, "stdout")
        self.errors = pathlib.Path(self.work.name, "stderr")
        command = [*prefix, ROOT / "scripts/run", "--no-build", "--preset", preset, *base, *options]
        command += [option for option in memory if option not in command]
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.process = lab.start("relay", *command, stdout=output, stderr=errors, env=ENVIRONMENT)
        self.ready = self._wait_ready(time.monotonic() + 60)

    def _wait_ready(self, deadline):
        while time.monotonic() < deadline:
            match = re.search(r"^ready: (turn:\S+)$", self.output.read_text(), re.MULTILINE)
            if match:
                return match.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"no ready line:\n{self.log()}")

    def log(self):
        return self.output.read_text() + self.errors.read_text()

    def ctl(self, *verb):
        """The answer of `turnpikectl --json VERB`, parsed."""
        return json.loads(self.lab.run("relay", self.binaries / "turnpikectl", "--json", *verb))

    def sessions(self):
        return self.ctl("sessions")["sessions"]

    def drops(self):
        """Packets dropped so far, by reason."""
        return collections.Counter({drop["reason"]: drop["total"] for drop in self.ctl("drops")["drops"]})

    def counters(self):
        """The workers' counters added up (levels such as mbufs_in_use: the largest)."""
        totals = collections.Counter()
        for worker in self.ctl("status")["workers"]:
            for name, value in worker["counters"].items():
                totals[name] = max(totals[name], value) if name == "mbufs_in_use" else totals[name] + value
        return totals

    def kernel_udp(self):
        """The UDP counters of the relay's kernel, which ports other than sockets never touch."""
        return None if self.sockets else self.lab.udp_counters()

    def wait_buffers(self, level, timeout=10):
        """Waits until no more packet buffers are in use than `level`."""
        deadline = time.monotonic() + timeout
        while (used := self.counters()["mbufs_in_use"]) > level:
            assert time.monotonic() < deadline, f"{used} packet buffers in use, {level} at the start"
            time.sleep(0.2)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """Stops by SIGTERM; the programs must end by themselves with code 0 and no sanitizer report."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        log = self.log()
        print(log)
        assert code == 0, f"scripts/run gave {code}:\n{log}"
        assert not SANITIZER.search(log), log
        self.work.cleanup()


@contextlib.contextmanager
def ending(relay):
    """It is gone in any case, and has to end cleanly if nothing went wrong before."""
    try:
        yield relay
    except BaseException:
        relay.process.terminate()
        relay.process.wait()
        raise
    relay.stop()
