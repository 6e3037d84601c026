# SPDX-License-Identifier: BSD-3-Clause
"""The network of the socket bench: scripts/lab, with every machine's receive work on its own CPU."""

import contextlib
import os
import subprocess

from surroundings import ROOT, fail

LISTEN, RELAY, CLIENT, PEER = "10.0.1.1", "10.0.2.1", "10.0.1.2", "10.0.2.2"
DEVICES = {"s0": "relay", "s1": "relay", "c0": "client", "p0": "peer"}


class Lab:
    def __init__(self, server_cpu, generator_cpu, suffix=""):
        self.prefix = f"tpb{os.getpid()}{suffix}"
        self.server_cpu = server_cpu
        self.generator_cpu = generator_cpu

    def __enter__(self):
        self.run("up")
        try:
            self._steer()
        except BaseException:
            self.run("down")
            raise
        return self

    def __exit__(self, *_):
        self.run("down")

    def command(self, *arguments):
        return [str(ROOT / "scripts/lab"), "--prefix", self.prefix, *map(str, arguments)]

    def run(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            fail(f"scripts/lab {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def _steer(self):
        """veth delivers on the sender's CPU otherwise: a server would be charged for what its clients receive."""
        self.run("rps", f"{1 << self.server_cpu:x}")
        for device, role in DEVICES.items():
            if role != "relay":
                self.run("exec", role, "sh", "-c", 'echo "$0" >"/sys/class/net/$1/queues/rx-0/rps_cpus"',
                         f"{1 << self.generator_cpu:x}", device)

    @contextlib.contextmanager
    def whole_checksums(self, whole):
        """While so, what clients and peers send carries its checksum as on a wire, not half of it."""
        try:
            self._checksums(whole)
            yield
        finally:
            self._checksums(False)

    def _checksums(self, whole):
        for device in ("c0", "p0"):
            self.run("exec", DEVICES[device], "ethtool", "-K", device, "tx", "off" if whole else "on")

    @contextlib.contextmanager
    def segmentation(self, forced):
        """While forced, no datagram crosses a cable in one piece with others."""
        try:
            self._segment(forced)
            yield
        finally:
            self._segment(False)

    def _segment(self, forced):
        for device, role in DEVICES.items():
            self.run("exec", role, "ethtool", "-K", device, "tx-udp-segmentation", "off" if forced else "on")
