# SPDX-License-Identifier: BSD-3-Clause
"""What a flood costs a server: CPU time and memory of each program, packet buffers in use, and what the relay dropped."""

import contextlib
import dataclasses
import json
import pathlib
import re
import subprocess
import time

import socket_meter

CONTROL = "turnpike-contro"  # as the kernel cuts it


def turnpikectl(program, pid, runtime_dir, verb):
    """Its answer, asked in the network namespace of the process."""
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", program, "--runtime-dir", runtime_dir, "--json", verb]
    return json.loads(subprocess.run([*map(str, command)], capture_output=True, check=True, timeout=20).stdout)


def memory_kib(pid):
    """Rss and Pss."""
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE))
    return {"rss": int(found["Rss"]), "pss": int(found["Pss"])}


def waited_seconds(pid):
    return sum(int((thread / "schedstat").read_text().split()[1]) for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


@dataclasses.dataclass(frozen=True)
class Reading:
    """All of a server at one moment; `mbufs` and `drops` are only of ours."""
    time: float
    cpu: float  # seconds that the server's CPU was busy
    programs: dict  # CPU seconds by name
    waited: dict  # seconds by name that threads could have run and had no CPU
    memory: dict  # KiB by name
    mbufs: int
    drops: dict  # by reason
    kernel_drops: dict  # of the server's kernel: full receive buffers, and packets that found no room on their way to its CPU

    @classmethod
    def of(cls, pids, cpu, ask):
        """`ask` is turnpikectl, or None with a server that has none."""
        programs, waited, memory = {}, {}, {}
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                if name.startswith("turn"):
                    programs[name] = programs.get(name, 0) + socket_meter.process_seconds([pid])
                    waited[name] = waited.get(name, 0) + waited_seconds(pid)
                    memory[name] = memory_kib(pid)
        mbufs, drops = 0, {}
        if ask:
            mbufs = sum(worker["counters"]["mbufs_in_use"] for worker in ask("status")["workers"])
            drops = {one["reason"]: one["total"] for one in ask("drops")["drops"]}
        kernel = {"rcvbuf_errors": socket_meter.receive_errors(pids[0]), "backlog": socket_meter.backlog_drops(cpu)}
        return cls(time.monotonic(), socket_meter.cpu_seconds(cpu)["busy_s"], programs, waited, memory, mbufs, drops, kernel)


def spent(before, after):
    """The fields of a row."""
    seconds = after.time - before.time
    drops = {reason: count - before.drops.get(reason, 0) for reason, count in after.drops.items()}
    share = {name: (cpu - before.programs.get(name, 0)) / seconds for name, cpu in after.programs.items()}
    return {"cpu_share": share, "waited_share": {name: (value - before.waited.get(name, 0)) / seconds for name, value in after.waited.items()}, "control_share": next((value for name, value in share.items() if name.startswith(CONTROL)), None),
            "server_busy": (after.cpu - before.cpu) / seconds,
            "memory_kib": {name: [before.memory.get(name), now] for name, now in after.memory.items()},
            "memory_growth_kib": {name: now["pss"] - before.memory[name]["pss"] for name, now in after.memory.items() if name in before.memory},
            "mbufs": [before.mbufs, after.mbufs],
            "kernel_drops": socket_meter.difference(before.kernel_drops, after.kernel_drops),
            "relay_drops": {reason: count for reason, count in drops.items() if count}}
