# SPDX-License-Identifier: BSD-3-Clause
"""Both programs as a service manager sees them: readiness, watchdog, end; and the units that are installed."""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from netns import ROOT, inside
from relay import ADDRESSES, PEERS, PORTS, PRESET, USERS

BINARIES = ROOT / "build" / PRESET / "bin"
UNITS = ROOT / "scripts/systemd"
# What systemd-analyze security says may only become less (docs/operations.md).
EXPOSURE = {"turnpike-dataplane": 4.1, "turnpike-control": 1.9}


class Manager:
    """A program with a NOTIFY_SOCKET, in the relay's namespace."""

    def __init__(self, lab, program, runtime, *options, abstract=False):
        with inside(lab.namespace("relay")):  # abstract names are a network namespace's own
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"turnpike-test-{os.getpid()}-{program}"
        self.socket.bind("\0" + name if abstract else f"{runtime}/{name}")
        self.socket.settimeout(20)
        self.output = pathlib.Path(runtime, f"{program}.log")
        command = ("env", f"NOTIFY_SOCKET={'@' if abstract else runtime + '/'}{name}", "WATCHDOG_USEC=4000000", BINARIES / program,
                   "--runtime-dir", runtime, "--instance", "service", "--no-huge", *PORTS["socket"], *ADDRESSES, *USERS, *PEERS, *options)
        with open(self.output, "wb") as log:
            self.process = lab.start("relay", *command, stdout=log, stderr=log)

    def until(self, line, timeout=20):
        """Waits for a message with this line; gives all lines that came."""
        came, deadline = [], time.monotonic() + timeout
        while line not in came:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.01))
            came += self.socket.recv(4096).decode().split("\n")
        return came

    def silent_for(self, seconds):
        """True when no WATCHDOG=1 comes in this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if "WATCHDOG=1" in self.socket.recv(4096).decode().split("\n"):
                    return False
            except TimeoutError:
                return True
        return True

    def thread(self, name):
        """The ID of the thread whose name begins so."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text(encoding="ascii").strip().startswith(name):
                return int(task.name)
        raise AssertionError(f"no thread {name}")

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.socket.close()


@contextlib.contextmanager
def standing_still(thread):
    """A thread that is traced stands still while the others go on, as one would that hangs."""
    libc = ctypes.CDLL(None, use_errno=True)
    seize, interrupt, detach = 0x4206, 0x4207, 17
    assert libc.ptrace(seize, thread, 0, 0) == 0
    try:
        assert libc.ptrace(interrupt, thread, 0, 0) == 0
        os.waitpid(thread, 0x40000000)  # __WALL: it has stopped
        yield
    finally:
        libc.ptrace(detach, thread, 0, 0)


@pytest.fixture(name="pair")
def make_pair(lab, request):
    """Both programs with the options that the test gives."""
    options = getattr(request, "param", ())
    with tempfile.TemporaryDirectory(prefix="turnpike-service-") as runtime:
        dataplane = Manager(lab, "turnpike-dataplane", runtime, *options)
        control = None
        try:
            ready = dataplane.until("READY=1")
            assert "STATUS=waiting for control" in ready
            control = Manager(lab, "turnpike-control", runtime, *options, abstract=True)
            yield dataplane, control
        finally:
            for manager in (control, dataplane):
                if manager:
                    manager.end()


def test_ready_watchdog_and_stopping(pair):
    dataplane, control = pair
    came = control.until("READY=1")
    assert "ready: turn:" in control.output.read_text(encoding="utf-8")
    assert any(line.startswith("STATUS=serving turn:") for line in came)
    dataplane.until("STATUS=control is attached")
    for manager in (dataplane, control):
        for _ in range(2):
            manager.until("WATCHDOG=1", timeout=4)
    control.process.send_signal(signal.SIGTERM)
    control.until("STOPPING=1")
    dataplane.until("STATUS=control is gone; sessions go on")
    dataplane.process.send_signal(signal.SIGTERM)
    dataplane.until("STOPPING=1")
    assert control.process.wait(timeout=20) == dataplane.process.wait(timeout=20) == 0


def goes_silent(manager, settles):
    """No WATCHDOG=1 comes any more, after the time that it takes to notice."""
    time.sleep(settles)
    while not manager.silent_for(0.01):
        pass  # what was sent before
    return manager.silent_for(2.5)


def test_a_hung_worker_stops_the_watchdog(pair):
    dataplane, _ = pair
    dataplane.until("WATCHDOG=1", timeout=4)
    with standing_still(dataplane.thread("rte-worker")):
        assert goes_silent(dataplane, 2.5)  # a worker may sleep for a while on its sockets
        assert "worker 0 stands still" in dataplane.output.read_text(encoding="utf-8")
    dataplane.until("WATCHDOG=1", timeout=6)


@pytest.mark.parametrize("pair", [("--workers", 2, "--lcores", "0@0,1@0,2@1", "--control-threads", 2)], indirect=True, ids=["two"])
def test_a_hung_thread_of_control_stops_the_watchdog(pair):
    """Although the first one, which sends it, goes on."""
    _, control = pair
    control.until("READY=1")
    control.until("WATCHDOG=1", timeout=4)
    with standing_still(control.thread("control-1")):
        assert goes_silent(control, 4)
    control.until("WATCHDOG=1", timeout=6)


def write_units(directory):
    for template in UNITS.glob("*.service.in"):
        text = template.read_text(encoding="utf-8").replace("@PROGRAMS@", str(BINARIES)).replace("@DOCS@", str(ROOT / "docs"))
        pathlib.Path(directory, template.stem).write_text(text, encoding="utf-8")
    return sorted(pathlib.Path(directory).glob("*.service"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_units_are_valid_and_confined(tmp_path):
    units = write_units(tmp_path)
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    for unit in units:
        report = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=True,
                                timeout=60).stdout
        exposure = float(re.search(r"Overall exposure level for \S+ (\d+\.\d+)", report).group(1))
        assert exposure <= EXPOSURE[unit.stem], report


def test_units_start_neither_with_the_other():
    """Each half may restart by itself; what is in the units is what the programs accept."""
    for template in UNITS.glob("*.service.in"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"^(BindsTo|PartOf|Requires)=", text, re.MULTILINE)
        program, options = re.search(r"^ExecStart=@PROGRAMS@/(\S+) (.*)$", text, re.MULTILINE).groups()
        options = re.sub(r"--config \S+|--run-as \S+|--control-user \S+", "", options).split()
        subprocess.run([BINARIES / program, *options, *PORTS["socket"], *USERS, "--check-config"], check=True, capture_output=True)
