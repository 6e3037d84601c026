# SPDX-License-Identifier: BSD-3-Clause
"""The servers of the socket bench, each in the ways it can be run."""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from socket_lab import LISTEN, RELAY
from surroundings import ROOT

PORT_IN_PROC = f":{3478:04X} "
START_S, STOP_S = 30, 20


class Unavailable(Exception):
    """The server does not start here; the text says why."""


@dataclasses.dataclass
class Mode:
    name: str
    program: str = ""  # a turnserver; empty: ours
    flags: tuple = ()
    swaps: bool = False  # it is no relay: packets come back with their addresses swapped


def _ours(*flags):
    return ("--port", f"socket:{LISTEN}:3478", *flags)


OUR_MODES = [
    Mode("plain", flags=_ours("--udp-recvmmsg=0", "--udp-sendmmsg=0", "--udp-gso=0")),
    Mode("recvmmsg", flags=_ours("--udp-recvmmsg=1", "--udp-sendmmsg=0", "--udp-gso=0")),
    Mode("sendmmsg", flags=_ours("--udp-recvmmsg=1", "--udp-sendmmsg=1", "--udp-gso=0")),
    Mode("gso", flags=_ours("--udp-recvmmsg=1", "--udp-sendmmsg=1", "--udp-gso=1")),
    Mode("multiplex", flags=_ours("--udp-recvmmsg=1", "--udp-sendmmsg=1", "--udp-gso=1", "--multiplex-peer")),
]
XDP_MODE = Mode("xdp", flags=("--port", "xdp:s0", "--port", "xdp:s1"))


def modes():
    """All that can be asked for, in the order of the table; xdp only when it is named."""
    found = list(OUR_MODES)
    if program := shutil.which("turnserver"):
        found.append(Mode("turnserver", program))
    if program := os.environ.get("TURNSERVER"):
        found.append(Mode("turnserver-new", program))
        # It receives by recvmmsg unless told otherwise, and sends by sendmmsg when peers are multiplexed.
        found.append(Mode("turnserver-new-multiplex", program, ("--multiplex-peer",)))
        found.append(Mode("turnserver-new-best", program, ("--multiplex-peer", "--udp-gso")))
    return found + [XDP_MODE]


def process_tree(pid):
    """The process and all its descendants."""
    pids = [pid]
    for thread in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            for child in thread.read_text().split():
                pids += process_tree(int(child))
    return pids


class Server:
    """A server that runs in the relay's namespace on its CPU, from enter to exit."""

    def __init__(self, mode, lab, directory, preset, certificate=(), workers=1):
        """`certificate`: options that name one; without it coturn serves neither TLS nor DTLS. `workers`: of ours."""
        self.mode = mode
        self.workers = workers
        self.lab = lab
        self.log = directory / f"{mode.name}.log"
        self.certificate = certificate
        own = self._turnserver(directory) if mode.program else self._turnpike(directory, preset)
        self.command = ["setpriv", "--pdeathsig", "TERM",
                        *lab.command("exec", "relay", "taskset", "-c", lab.server_cpu, *own, *mode.flags)]

    def _turnserver(self, directory):
        return (self.mode.program, "-n", "--no-cli", "--relay-threads", 1, "--listening-ip", LISTEN,
                "--relay-ip", RELAY, "--lt-cred-mech", "--user", "alice:secret", "--realm", "example.org",
                "--allowed-peer-ip", "10.0.0.0-10.255.255.255", *(self.certificate or ("--no-tls", "--no-dtls")), "--log-file", "stdout",
                "--userdb", directory / "turndb", "--pidfile", directory / "turnserver.pid")

    def _turnpike(self, directory, preset):
        # The main lcore only keeps house; it, all workers and control share one CPU.
        lcores = ",".join(f"{lcore}@{self.lab.server_cpu}" for lcore in range(self.workers + 1))
        return (ROOT / "scripts/run", "--no-build", "--preset", preset, "--runtime-dir", directory / "run",
                "--workers", self.workers, "--lcores", lcores, "--no-huge", "--listening-ip", LISTEN, "--relay-ip", RELAY,
                "--user", "alice:secret", "--realm", "example.org", "--allowed-peer-ip", "10.0.0.0/8",
                *self.certificate, *((("--max-connections-per-ip", 0, "--connection-ratelimit-cps", 0, "--connection-total-cps", 0,
                    "--unauthorized-ratelimit-rps", 0)) if self.certificate else ()))

    def __enter__(self):
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(list(map(str, self.command)), stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output)
        try:
            self._wait_ready()
            self.pids = process_tree(self.process.pid)
        except BaseException:
            self.__exit__()
            raise
        return self

    def pid_of(self, program):
        """Among its processes; None while it is not there."""
        for pid in process_tree(self.process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == program[:15]:
                    return pid
        return None

    def _ready(self):
        if not self.mode.program:
            return re.search(r"^ready:", self.log.read_text(errors="replace"), re.MULTILINE)
        process = pathlib.Path(f"/proc/{self.process.pid}")
        try:
            # It must be a turnserver already, and not one of the programs that start it.
            entered = process.joinpath("exe").resolve() == pathlib.Path(self.mode.program).resolve()
            return entered and PORT_IN_PROC in process.joinpath("net/udp").read_text()
        except OSError:  # it has ended
            return False

    def _wait_ready(self):
        deadline = time.monotonic() + START_S
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                lines = self.log.read_text(errors="replace").strip().splitlines()
                raise Unavailable(lines[0] if lines else "it does not start")
            time.sleep(0.05)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=STOP_S)
            return
        for pid in process_tree(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
