# SPDX-License-Identifier: BSD-3-Clause
"""Programs that run for the time of a block, and the memory that they want."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from surroundings import fail

HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
START_S, STOP_S = 60, 40


@contextlib.contextmanager
def hugepages(wanted):
    """Whether so many hugepages are there for the time of the block; what was taken is given back."""
    before = int(HUGEPAGES.read_text())
    taken = before < wanted
    if taken:
        HUGEPAGES.write_text(str(wanted))
    try:
        yield 0 < wanted <= int(HUGEPAGES.read_text())
    finally:
        if taken:
            HUGEPAGES.write_text(str(before))


@contextlib.contextmanager
def priority(nice):
    """This program, and all that it starts in the block, before what else wants these CPUs."""
    # Linux shares CPUs out among sessions first, and by nice values only within one.
    group = pathlib.Path("/proc/self/autogroup")
    before = re.search(r"nice (-?\d+)", group.read_text()) if group.exists() else None
    if before:
        group.write_text(str(nice))
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    try:
        yield
    finally:
        if before:
            group.write_text(before.group(1))


def terminate(process):
    process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def program(command, log, ready, end=terminate, seconds=START_S):
    """A program whose output goes to `log`, once ready() is true; end() asks it to stop."""
    # In a network namespace of its own: no address or route of this machine is seen or touched.
    with open(log, "wb") as output, subprocess.Popen(["unshare", "--net", *map(str, command)], stdin=subprocess.PIPE,
                                                     stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + seconds
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    fail(f"{command[0]} does not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield process
        finally:
            try:
                if process.poll() is None:
                    end(process)
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def children(pid):
    """The processes below this one, and it."""
    below = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in below for one in children(int(child)))]


def name_of(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
