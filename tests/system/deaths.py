# SPDX-License-Identifier: BSD-3-Clause
"""The sudden death of one of a relay's programs, and its return."""

import contextlib
import os
import signal
import time

from netns import ROOT
from relay import PRESET

BINARIES = ROOT / "build" / PRESET / "bin"


def kill_program(lab, name):
    """SIGKILL; scripts/run starts it again. Gives its PID."""
    pid = next(pid for pid, command in lab.pids("relay").items() if command.startswith(str(BINARIES / name)))
    os.kill(pid, signal.SIGKILL)
    return pid


def wait_back(relay, lab, sessions, not_before=0.0, timeout=20):
    """Until both programs serve and all sessions are there; gives them."""
    deadline = time.monotonic() + timeout
    time.sleep(not_before)
    while True:
        with contextlib.suppress(Exception):
            listed = relay.sessions()
            if len(listed) == sessions and relay.ctl("status")["dataplane"]["attached"]:
                return listed
        assert time.monotonic() < deadline, relay.log()
        time.sleep(0.05)
