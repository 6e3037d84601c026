# SPDX-License-Identifier: BSD-3-Clause
"""Chromium without a screen, in the client namespace of a lab."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from netns import Lab

PACKAGES = {"chromium": "chromium", "certutil": "libnss3-tools"}
MISSING = ", ".join(package for command, package in PACKAGES.items() if shutil.which(command) is None)

TURN_NAME = "turn.example.org"
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr",
    # Nothing but the test speaks.
    "--no-proxy-server", "--disable-background-networking", "--disable-component-update", "--disable-breakpad",
    # A camera that nobody must have or allow.
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=device-count=1,fps=15",
    "--autoplay-policy=no-user-gesture-required",
    # The asterisk is for the dot that WebRTC appends.
    f"--host-resolver-rules=MAP {TURN_NAME}* {Lab.LISTEN}")


class Browsers:
    """A browser of its own for each URL, started on construction; they believe certificates that `authority` has signed."""

    def __init__(self, lab, urls, authority):
        self.lab = lab
        self.others = lab.pids("client")
        self.home = tempfile.TemporaryDirectory(prefix="turnpike-chromium-")
        self.errors = pathlib.Path(self.home.name, "stderr")
        self.processes = []
        try:
            self._trust(authority)
            for number, url in enumerate(urls):
                self.processes.append(self._start(url, pathlib.Path(self.home.name, f"profile{number}")))
        except BaseException:
            self.stop()
            raise

    def _trust(self, authority):
        """Chromium reads this database beside its own list of authorities; host names it checks all the same."""
        database = pathlib.Path(self.home.name, ".pki/nssdb")
        database.mkdir(parents=True)
        for command in (("-N", "--empty-password"), ("-A", "-n", "authority", "-t", "C,,", "-i", authority.cert)):
            subprocess.run(["certutil", "-d", f"sql:{database}", *map(str, command)], check=True, capture_output=True,
                           timeout=30)

    def _start(self, url, profile):
        environment = {**os.environ, "HOME": self.home.name, "TMPDIR": self.home.name}
        with open(self.errors, "ab") as errors:
            return self.lab.start("client", "chromium", f"--user-data-dir={profile}", *OPTIONS, url, stdout=errors,
                                  stderr=errors, env=environment)

    def log(self):
        """What they and their pages' consoles said, without the complaints that a machine without desktop causes."""
        lines = self.errors.read_text(errors="replace").splitlines() if self.errors.exists() else []
        return "\n".join(line for line in lines if ":dbus/" not in line)

    def demand_alive(self):
        for process in self.processes:
            assert process.poll() is None, f"Chromium ended with {process.returncode}:\n{self.log()}"

    def stop(self):
        """Ends them with all their helpers, whatever session these are in, and removes what they wrote."""
        deadline = time.monotonic() + 10
        while running := self.lab.pids("client").keys() - self.others.keys():
            assert time.monotonic() < deadline, f"Chromium's processes {running} do not end"
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        for process in self.processes:
            process.wait(timeout=10)
        print(self.log())
        self.home.cleanup()
