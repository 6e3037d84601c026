# SPDX-License-Identifier: BSD-3-Clause
"""Our two programs as services of a systemd, in the relay namespace of a lab (own_systemd.sh)."""

import json
import pathlib
import subprocess
import tempfile
import time

import pytest

from netns import ROOT
from relay import PRESET

SCRIPT = pathlib.Path(__file__).parent / "own_systemd.sh"
NAMES = ("turnpike-dataplane", "turnpike-control")
CANNOT = 77


class Services:
    """A systemd with both units installed and turnpike.conf in place; nothing is started yet."""

    def __init__(self, lab, configuration):
        self.folder = tempfile.mkdtemp(prefix="turnpike-systemd-")
        self.process = lab.start("relay", SCRIPT, "boot", self.folder, ROOT / "build" / PRESET, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        self.manager = None
        try:
            self._wait_booted(time.monotonic() + 30)
            self.run("install", "-d", "-g", "turnpike", "-m", "0750", "/etc/turnpike")
            self.write("etc/turnpike/turnpike.conf", configuration)
            self.run("sh", "-c", "cd /etc/turnpike && chown root:turnpike turnpike.conf && chmod 0640 turnpike.conf")
            self.run("systemctl", "daemon-reload")
        except BaseException:
            self.end()
            raise

    def _wait_booted(self, deadline):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        while True:
            code = self.process.poll()
            if code == CANNOT:
                pytest.skip(self.process.stdout.read().strip())
            assert code is None, self.process.stdout.read()
            assert time.monotonic() < deadline, "systemd does not come up"
            if child := children.read_text(encoding="ascii").split():
                self.manager = child[0]
                if "is active" in self.run("sh", "-c", "systemctl is-active -q turnpike-test.target && echo is active", check=False):
                    return
            time.sleep(0.05)

    def run(self, *command, check=True):
        """Runs a command beside the services; gives its standard output and error together."""
        done = subprocess.run(["nsenter", "-t", self.manager, *"-p -m -i -u -C -n -r -w".split(), *map(str, command)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}\n{self.log()}"
        return done.stdout

    def write(self, path, text):
        target = pathlib.Path(f"/proc/{self.manager}/root", path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def show(self, name, what):
        """A property of a unit, as systemctl show has it."""
        return self.run("systemctl", "show", "--value", "-p", what, name).strip()

    def of_process(self, name, what):
        """A line of /proc/PID/status of a service's main process, without its name."""
        status = self.run("cat", f"/proc/{self.show(name, 'MainPID')}/status")
        return next(line.split(":")[1].split() for line in status.splitlines() if line.startswith(what + ":"))

    def log(self):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", "turnpike-*", check=False)

    def ctl(self, *verb):
        return json.loads(self.run("turnpikectl", "--json", *verb))

    def sessions(self):
        return self.ctl("sessions")["sessions"]

    def end(self):
        """Whatever is left of it is gone afterwards, its files and cgroups too."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        deadline = time.monotonic() + 10
        while subprocess.run([SCRIPT, "clean", self.folder], capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < deadline, "cgroups do not become empty"
            time.sleep(0.1)
        pathlib.Path(self.folder, "cgroup").rmdir()
        pathlib.Path(self.folder).rmdir()
