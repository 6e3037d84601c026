# SPDX-License-Identifier: BSD-3-Clause
"""Who uses a relay while it is soaked: calls that come and go, clients that vanish, floods."""

import contextlib
import dataclasses
import json
import subprocess
import threading
import time

from socket_lab import LISTEN
from surroundings import ROOT

TLS_PORT = 5349
FLOODS = ("damaged", "garbage", "allocate", "wrong-password")
SWEEP_US = 5000  # a generator that looks at its sockets rarely leaves the machine to others
VANISHING = 2  # clients at once
VANISH_EVERY_S, VANISH_AFTER_S = 20, 3
EXPIRED_S = 610  # allocations that nobody refreshes are gone by then


@dataclasses.dataclass
class Kind:
    name: str
    share: float  # of sessions and packets
    transport: str = "udp"
    options: tuple = ()


KINDS = (Kind("udp", 0.3), Kind("indications", 0.2, options=("--indications",)), Kind("tcp", 0.2, "tcp"), Kind("tls", 0.15, "tls"),
         Kind("dtls", 0.15, "dtls"))
HOSTS = {name: 50 + number for number, name in enumerate([*(kind.name for kind in KINDS), *FLOODS, "vanishing", "short"])}


def add_addresses(lab):
    """Clients of each kind have an address of their own, and so have their peers."""
    for host in HOSTS.values():
        lab.run("exec", "client", "ip", "address", "add", f"10.0.1.{host}/24", "dev", "c0")
        lab.run("exec", "peer", "ip", "address", "add", f"10.0.2.{host}/24", "dev", "p0")


class Load:
    """All that runs beside each other, from enter to exit; `reports` when it has ended."""

    def __init__(self, lab, options, directory):
        self.lab = lab
        self.options = options
        self.directory = directory
        self.reports = {}
        self.running = {}
        self.over = threading.Event()
        self.vanishing = threading.Thread(target=self._vanish)

    def command(self, name, transport, *more):
        port = TLS_PORT if transport in ("tls", "dtls") else 3478
        host = HOSTS[name]
        return [*map(str, (
            ROOT / "build" / self.options.preset / "bin/turnpike-load", "--sockets", "--json", "--cpu", self.lab.generator_cpu,
            "--client-netns", f"{self.lab.prefix}-client", "--peer-netns", f"{self.lab.prefix}-peer", "--server", f"{LISTEN}:{port}",
            "--transport", transport, "--client-ip", f"10.0.1.{host}", "--peer-ip", f"10.0.2.{host}", "--sweep", SWEEP_US, *more))]

    def _start(self, name, command):
        with open(self.directory / f"{name}.log", "wb") as log:
            self.running[name] = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command], stdin=subprocess.DEVNULL,
                                                  stdout=subprocess.PIPE, stderr=log, text=True)

    def __enter__(self):
        options = self.options
        for kind in KINDS:
            self._start(kind.name, self.command(
                kind.name, kind.transport, *kind.options, "--mode", "soak", "--life", options.life, "--refresh", max(options.life // 3, 1),
                "--sessions", max(int(options.sessions * kind.share), 1), "--rate", max(int(options.rate * kind.share), 1),
                "--payload", options.payload, "--direction", "both", "--seconds", options.seconds))
        for flood in FLOODS:
            self._start(flood, self.command(flood, "udp", "--mode", "invalid", "--flood", flood, "--sessions", 4,
                                            "--rate", options.flood_rate, "--seconds", options.seconds))
        self.vanishing.start()
        return self

    def ended(self):
        """The names of those that have ended."""
        return {name for name, process in self.running.items() if process.poll() is not None}

    def finish(self):
        """Waits for all of them; those that found something wrong have no report or a bad code."""
        for name, process in self.running.items():
            output, _ = process.communicate(timeout=90)
            self.reports[name] = {**(json.loads(output) if output else {}), "code": process.returncode}

    def __exit__(self, *_):
        self.over.set()
        self.vanishing.join()
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)

    def _vanish(self):
        """Clients that go without a word, time after time: their allocations expire, the last ones before the end."""
        number, last = 0, time.monotonic() + self.options.seconds - EXPIRED_S
        while not self.over.wait(VANISH_EVERY_S) and time.monotonic() < last:
            transport = ("udp", "tcp", "tls", "dtls")[number % 4]
            command = self.command("vanishing", transport, "--mode", "alloc", "--sessions", VANISHING, "--seconds", 60,
                                   "--first-port", 10_000 + number * VANISHING % 5000)
            subprocess.run(["timeout", "-s", "KILL", str(VANISH_AFTER_S), *command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            number += 1

    def short(self):
        """A few calls that end at once: a driver gives sent buffers back when it sends the next."""
        command = self.command("short", "udp", "--sessions", 4, "--rate", 400, "--direction", "both", "--seconds", 1)
        subprocess.run(["timeout", "60", *command], stdin=subprocess.DEVNULL, capture_output=True, check=True)
