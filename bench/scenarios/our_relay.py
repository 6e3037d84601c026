# SPDX-License-Identifier: BSD-3-Clause
"""Our two programs behind a running server: their PIDs, and what turnpikectl says."""

import json
import subprocess

from surroundings import ROOT

PROGRAMS = {"control": "turnpike-control", "dataplane": "turnpike-dataplane"}


class Relay:
    def __init__(self, server, lab, options, directory):
        self.server = server
        self.ctl = lab.command("exec", "relay", ROOT / "build" / options.preset / "bin/turnpikectl", "--runtime-dir", directory / "run", "--json")

    def pid(self, name):
        return self.server.pid_of(PROGRAMS[name])

    def ask(self, verb):
        """The answer, or None: nobody serves, or the machine is too busy."""
        try:
            done = subprocess.run([*self.ctl, verb], capture_output=True, text=True, check=False, timeout=10)
        except subprocess.TimeoutExpired:
            return None
        return json.loads(done.stdout) if done.returncode == 0 else None

    def total(self):
        """Sessions, once both programs serve; None before."""
        status = self.ask("status")
        if status is None or not status["dataplane"]["attached"]:
            return None
        return status["sessions"]
