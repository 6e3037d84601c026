# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-load over kernel sockets in the namespaces of a lab."""

import contextlib
import json
import subprocess

import pytest

from netns import ROOT, Lab
from relay import PRESET

PROGRAM = ROOT / "build" / PRESET / "bin/turnpike-load"
SERVERS = {4: f"{Lab.LISTEN}:3478", 6: f"[{Lab.LISTEN6}]:3478"}
CLIENTS = {4: Lab.CLIENT, 6: Lab.CLIENT6}
PEERS = {4: Lab.PEER, 6: Lab.PEER6}
CREDENTIALS = ("--user", "alice", "--password", "secret")


def command(lab, *options, client=4, peer=4, credentials=CREDENTIALS):
    """The program and its arguments; `client` and `peer` are IP versions."""
    return [str(word) for word in (
        PROGRAM, "--sockets", "--json", "--client-netns", lab.namespace("client"), "--peer-netns", lab.namespace("peer"),
        "--server", SERVERS[client], "--client-ip", CLIENTS[client], "--peer-ip", PEERS[peer], *credentials, *options)]


def run_load(lab, *options, check=True, **where):
    """Runs it to its end; gives its report and what it said meanwhile."""
    done = subprocess.run(command(lab, *options, **where), capture_output=True, text=True, check=False, timeout=90)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None, done.stderr


@contextlib.contextmanager
def running(lab, *options, **where):
    """The process, which does not outlive the block."""
    with subprocess.Popen(command(lab, *options, **where), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def said(process, word):
    """Waits until it says the word."""
    heard = []
    for line in process.stderr:
        heard.append(line)
        if line.strip() == word:
            return
    raise AssertionError("".join(heard))


def report(process):
    """What it found, when it ends well."""
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, output + errors
    return json.loads(output)


def load(lab, *options, **where):
    return run_load(lab, *options, **where)[0]


def assert_whole(result):
    print(result)
    assert result["delivered"] + result["dropped_by_generator"] == result["sent"] and result["loss"] == 0
    assert not any(result[fault] for fault in ("reordered", "duplicate", "corrupt", "untrusted", "refused"))
    own = result["late"] + result["dropped_by_generator"]
    offered = result["sent"] + result["late"]
    assert result["limited_by"] == ("generator" if own * 1000 > offered else "none"), result["limited_by_reason"]


def assert_rate(result, rate, seconds, tolerance=0.03):
    assert result["sent"] + result["late"] == pytest.approx(rate * seconds, rel=tolerance)
