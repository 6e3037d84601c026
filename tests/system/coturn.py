# SPDX-License-Identifier: BSD-3-Clause
"""coturn in a lab: its server, an echoing peer, a calling client."""

import contextlib
import re
import subprocess
import time

from certificate import Certificate
from netns import Lab

PORT = 3480
SERVER_PORT = 3478


@contextlib.contextmanager
def echo_peer(lab, host):
    """turnutils_peer, listening."""
    process = lab.start("peer", "turnutils_peer", "-L", host, "-p", PORT, stdout=subprocess.DEVNULL,
                        stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 5
        while f":{PORT:04X} " not in lab.run("peer", "cat", "/proc/net/udp", "/proc/net/udp6"):
            assert time.monotonic() < deadline and process.poll() is None, "turnutils_peer does not listen"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def turnserver(lab, directory, *options):
    """coturn's server with user alice:secret; gives its PID."""
    certificate = Certificate(directory)
    command = ("turnserver", "-n", "--no-cli", "--listening-ip", Lab.LISTEN, "--relay-ip", Lab.RELAY, "--lt-cred-mech",
               "--user", "alice:secret", "--realm", "example.org", "--allowed-peer-ip", "10.0.0.0-10.255.255.255",
               *certificate.options(), "--log-file", "stdout", "--userdb", directory / "turndb",
               "--pidfile", directory / "turnserver.pid", *options)
    process = lab.start("relay", *command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 10
        while f":{SERVER_PORT:04X} " not in lab.run("relay", "cat", "/proc/net/udp"):
            assert time.monotonic() < deadline and process.poll() is None, "turnserver does not listen"
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def call(lab, *options, server=Lab.LISTEN, peer=Lab.PEER, messages=50, timeout=90):
    """Runs turnutils_uclient to its end; gives (sent, received, lost)."""
    report = lab.run("client", "turnutils_uclient", "-u", "alice", "-w", "secret", "-r", PORT, "-e", peer,
                     "-n", messages, "-l", 170, *options, server, timeout=timeout)
    totals = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", report)
    lost = re.findall(r"Total lost packets (\d+)", report)
    assert totals and lost, report
    return int(totals[-1][0]), int(totals[-1][1]), int(lost[-1])
