# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd's 5tswap on an AF_XDP port in the relay's place: what comes in at s0 goes back to its sender."""

import contextlib
import re
import shutil
import subprocess
import time

from socket_lab import LISTEN
from socket_servers import Mode, Unavailable, process_tree

START_S, STOP_S = 30, 20
MODE = Mode("testpmd", swaps=True)


class SwapServer:
    """Like socket_servers.Server, from enter to exit."""

    def __init__(self, mode, lab, directory):
        self.mode = mode
        self.lab = lab
        self.log = directory / "testpmd.log"

    def command(self):
        cpu = self.lab.server_cpu
        return self.lab.command(
            "exec", "relay", "taskset", "-c", cpu, "stdbuf", "-oL", "dpdk-testpmd", "--lcores", f"0@{cpu},1@{cpu}", "--no-pci", "--no-telemetry",
            "--file-prefix", self.lab.prefix, "-m", 256, "--no-huge", "--no-shconf", "--vdev", "net_af_xdp0,iface=s0", "--",
            "--forward-mode=5tswap", "--auto-start", "--nb-cores=1", "--burst=32", "--port-topology=loop", "--total-num-mbufs=16384")

    def __enter__(self):
        if not shutil.which("dpdk-testpmd"):
            raise Unavailable("no dpdk-testpmd here")
        self._introduce()
        # It ends when its standard input does.
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *self.command()], stdin=subprocess.PIPE,
                                            stdout=output, stderr=output)
        deadline = time.monotonic() + START_S
        while "Press enter to exit" not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise Unavailable(f"dpdk-testpmd does not start: {self.log.read_text(errors='replace').strip()[-300:]}")
            time.sleep(0.05)
        self.pids = process_tree(self.process.pid)
        return self

    def _introduce(self):
        """Nobody behind s0 answers ARP any more."""
        link = self.lab.run("exec", "relay", "ip", "-o", "link", "show", "s0")
        mac = re.search(r"link/ether (\S+)", link).group(1)
        self.lab.run("exec", "client", "ip", "neigh", "replace", LISTEN, "lladdr", mac, "dev", "c0", "nud", "permanent")

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
            self.process.communicate(b"\n", timeout=STOP_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.lab.run("exec", "client", "ip", "neigh", "del", LISTEN, "dev", "c0")
