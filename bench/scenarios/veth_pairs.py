# SPDX-License-Identifier: BSD-3-Clause
"""A server on a veth cable and a generator with an AF_XDP socket at its other end, which run and stand still together."""

import contextlib
import os
import pathlib
import re
import subprocess

from forwarders import Pair, cpu_time, threads, wait_measuring
from socket_lab import LISTEN, Lab

# In the client's network, where the kernel has neither: the generator answers for them.
CLIENT, PEER = "10.0.1.50", "10.0.1.60"
CABLE = {"s0": "relay", "c0": "client"}
RUN_S = 600
TICKS = os.sysconf("SC_CLK_TCK")


def left_over_s(cpu):
    """Seconds in which a CPU had nothing to do, or only what yields to the bench."""
    _, nice, _, idle, *_ = re.search(rf"^cpu{cpu} (.*)$", pathlib.Path("/proc/stat").read_text(), re.MULTILINE).group(1).split()
    return (int(nice) + int(idle)) / TICKS


class VethPair(Pair):
    """All threads of the server are counted, and all may sleep."""

    def __init__(self, setting, server, generator, counts, receivers):
        super().__init__(server.mode.name, setting, server.pids, generator, counts)
        self.workers = threads(server.pids)
        self.receivers = receivers
        self.server_cpu = setting.worker_cpus[0]
        self.unused_s, self.resumed_at = 0, 0

    def resume(self):
        self.resumed_at = left_over_s(self.server_cpu)
        super().resume()

    def pause(self):
        super().pause()
        if self.resumed_at:
            self.unused_s += left_over_s(self.server_cpu) - self.resumed_at

    def receiving_s(self):
        """CPU seconds of the kernel threads that receive for both ends."""
        return {role: cpu_time(pid, pid) for role, pid in self.receivers.items()}


def napi_threads(device):
    found = subprocess.run(["pgrep", f"^napi/{device}-"], capture_output=True, text=True, check=False)
    return set(map(int, found.stdout.split()))


def receive_where_it_belongs(lab):
    """Work of a NAPI that XDP made would be done by whoever sends: each end has a kernel thread for it, on its own CPU. {role: PID}"""
    made = {}
    for device, role in CABLE.items():
        before = napi_threads(device)
        # A veth without an XDP program has none, and is steered by RPS.
        subprocess.run([*map(str, lab.command("exec", role, "sh", "-c", 'echo 1 >"/sys/class/net/$0/threaded"', device))],
                       capture_output=True, check=False)
        cpu = lab.server_cpu if role == "relay" else lab.generator_cpu
        # Kernel threads of all namespaces are seen; this lab's is the one that was not there before.
        if new := napi_threads(device) - before:
            pid = str(new.pop())
            subprocess.run(["taskset", "-pc", str(cpu), pid], check=True, capture_output=True)
            # Before whoever polls there, nearly as a softirq would be. Not by a real-time policy: that would starve the
            # kernel's own threads on this CPU.
            subprocess.run(["renice", "-n", "-20", "-p", pid], check=True, capture_output=True)
            made[role] = int(pid)
    return made


def command(setting, lab, server, sessions, payload, window, counts):
    link = lab.run("exec", "relay", "ip", "-o", "link", "show", "s0")
    mac = re.search(r"link/ether (\S+)", link).group(1)
    return lab.command(
        "exec", "client", "taskset", "-c", lab.generator_cpu, setting.binaries / "turnpike-load", "--port", "xdp:c0", "--no-huge", "--json",
        "--mode", "swap" if server.mode.swaps else "turn", "--lcores", f"0@{lab.generator_cpu}", "--file-prefix", lab.prefix,
        "--server", f"{LISTEN}:3478", "--client-ip", CLIENT, "--peer-ip", PEER, "--relay-mac", mac, "--sessions", sessions,
        "--payload", payload, "--window", window, "--seconds", RUN_S, "--leave", "--counts", counts,
        # A kernel leaves half of each checksum to the cable, so arrivals are told by their size.
        "--verify", 0, "--sweep", 0)


@contextlib.contextmanager
def veth_pair(setting, lab, server, sessions, payload, window):
    """The pair, standing still, its sessions set up. `server` runs already."""
    name = server.mode.name
    counts, log = setting.directory / f"{name}.counts", setting.directory / f"{name}-load.log"
    # The generator reads responses only when they are whole.
    lab.run("exec", "relay", "ethtool", "-K", "s0", "tx", "off")
    with open(log, "w", encoding="utf-8") as errors, \
         subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command(setting, lab, server, sessions, payload, window, counts)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True) as generator:
        made = None
        try:
            wait_measuring(generator, log)
            lab.run("exec", "relay", "ethtool", "-K", "s0", "tx", "on")
            made = VethPair(setting, server, generator, counts, receive_where_it_belongs(lab))
            made.pause()
            yield made
        finally:
            if made:
                made.resume()
            if generator.poll() is None:
                generator.kill()
