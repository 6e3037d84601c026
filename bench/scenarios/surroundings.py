# SPDX-License-Identifier: BSD-3-Clause
"""What every bench says about the machine and the tree, and what it wants of them."""

import datetime
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUSY_LOAD = 0.5


def fail(what):
    sys.exit(f"bench: {what}")


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True,
                          timeout=30).stdout.strip()


def machine():
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {"cpu": cpu.group(1) if cpu else platform.processor(), "cpus": os.cpu_count(), "kernel": platform.release(),
            "load_at_start": os.getloadavg()[0]}


def describe(name):
    """The head of a report."""
    return {"command": ["scripts/bench", name, *sys.argv[1:]], "date": datetime.date.today().isoformat(),
            "commit": git("rev-parse", "--short=12", "HEAD"), "tree_clean": not git("status", "--porcelain"),
            "machine": machine()}


def check_cpus(*cpus, root=True):
    if root and os.geteuid() != 0:
        fail("needs root, for network namespaces (and hugepages)")
    if not set(cpus) <= os.sched_getaffinity(0):
        fail(f"needs CPUs {' and '.join(map(str, cpus))}")
    if os.getloadavg()[0] > BUSY_LOAD:
        print(f"bench: the machine is busy (load {os.getloadavg()[0]:.1f}): figures will be too low and scattered",
              flush=True)


def build(preset, *targets):
    subprocess.run([ROOT / "scripts/build", preset, *targets], check=True)


def begin(name, options, *cpus):
    """What a scenario with a lab of its own does first; the head of its report."""
    # So that everything that was made is taken away again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check_cpus(*cpus)
    if not options.no_build:
        build(options.preset, "turnpike-dataplane", "turnpike-control", "turnpike-load")
    return {**describe(name), "results": []}


def write_report(report, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"bench: {path}")
