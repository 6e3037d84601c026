# SPDX-License-Identifier: BSD-3-Clause
"""What a server costs: CPU time, system calls, packets dropped on the way."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


def process_seconds(pids):
    """utime and stime of the processes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def cpu_seconds(cpu):
    """Of one CPU: in softirqs, not idle, and stolen by the host."""
    line = re.search(rf"^cpu{cpu} (.*)$", pathlib.Path("/proc/stat").read_text(), re.MULTILINE).group(1)
    user, nice, system, _, _, irq, softirq, steal, *_ = (int(field) / TICKS for field in line.split())
    return {"softirq_s": softirq, "busy_s": user + nice + system + irq + softirq, "steal_s": steal}


def receive_errors(pid):
    """Datagrams that found a receive buffer full in the namespace of the process."""
    names, values = re.findall(r"^Udp: (.*)$", pathlib.Path(f"/proc/{pid}/net/snmp").read_text(), re.MULTILINE)
    return int(dict(zip(names.split(), values.split()))["RcvbufErrors"])


def backlog_drops(cpu):
    """Packets that found the CPU's receive queue full."""
    lines = pathlib.Path("/proc/net/softnet_stat").read_text().splitlines()
    rows = {int(fields[12], 16) if len(fields) > 12 else number: int(fields[1], 16)
            for number, fields in enumerate(line.split() for line in lines)}
    return rows.get(cpu, 0)


def snapshot(server):
    """All counters at this moment."""
    lab = server.lab
    return {"time": time.monotonic(), "process_s": process_seconds(server.pids), **cpu_seconds(lab.server_cpu),
            "rcvbuf_errors": receive_errors(server.process.pid),
            "backlog_drops_server": backlog_drops(lab.server_cpu),
            "backlog_drops_generator": backlog_drops(lab.generator_cpu)}


def difference(before, after):
    return {name: after[name] - before[name] for name in after}


def tracer():
    """How system calls are counted here: perf is nearly free, strace slows the server."""
    perf = ["perf", "stat", "-e", "raw_syscalls:sys_enter", "true"]
    if shutil.which("perf") and subprocess.run(perf, capture_output=True, check=False, timeout=20).returncode == 0:
        return "perf"
    return "strace" if shutil.which("strace") else None


class SystemCalls:
    """Counts the system calls of processes from enter to exit."""

    def __init__(self, how, pids):
        self.how = how
        self.pids = pids
        self.count = None

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="turnpike-calls-")
        self.output = pathlib.Path(self.directory.name, "calls")
        if self.how == "perf":
            command = ["perf", "stat", "-x", ",", "-o", self.output, "-e", "raw_syscalls:sys_enter",
                       "-p", ",".join(map(str, self.pids))]
        else:
            command = ["strace", "-c", "-f", "-qq", "-o", self.output]
            for pid in self.pids:
                command += ["-p", pid]
        self.process = subprocess.Popen(["timeout", "60", *map(str, command)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(2)  # SIGINT makes both write their sums
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        text = self.output.read_text() if self.output.exists() else ""
        pattern = r"^(\d+),.*raw_syscalls" if self.how == "perf" else r"^\s*100\.00\s+\S+\s+\S*\s*?(\d+)\s.*total$"
        match = re.search(pattern, text, re.MULTILINE)
        self.count = int(match.group(1)) if match else None
        self.directory.cleanup()
