# SPDX-License-Identifier: BSD-3-Clause
"""What must not grow while a relay is soaked: memory, buffers, rings, tables, descriptors."""

import pathlib
import re
import time

from our_relay import PROGRAMS

MEMORY = {"rss": "Rss", "pss": "Pss", "anonymous": "Anonymous"}
SOCKETS = {"udp_sockets": r"^UDP: inuse (\d+)", "tcp_sockets": r"^TCP: inuse (\d+)"}
# How much is nothing: the larger of a number and a share of the series' own level. An allocator returns pages late; levels go up and down
# with the calls. A mark rises with every hiccup of the machine, but a ring that control or a worker does not keep up with fills up.
MEMORY_TOLERANCE, FEW_TOLERANCE, LEVEL_TOLERANCE = (256, 0.005), (2, 0), (16, 0.25)
FEW = ("threads", "next_hops", "cached_users", "udp_sockets")
MARK_SHARE = 1 / 8  # of the ring's cells


def program_sample(pid):
    """{what: number} of one process; memory in KiB."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {what: int(re.search(rf"^{field}: +(\d+) kB", rollup, re.MULTILINE).group(1)) for what, field in MEMORY.items()}
    return {**found, "fds": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())),
            "threads": len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))}


def relay_sample(status):
    """{series: number} of what turnpikectl says."""
    workers = status["workers"]

    def most(name):
        return max(worker["counters"][name] for worker in workers)

    return {"mbufs": most("mbufs_in_use"), "command_ring_high": most("perf_commands_high"), "event_ring_high": most("perf_events_high"),
            "handoff_ring_high": most("perf_handoff_high"), "command_backlog": sum(worker["command_backlog"] for worker in workers),
            "sessions": status["sessions"], "connections": status["clients"]["connections"],
            "dtls_sessions": status["clients"]["dtls_sessions"], "next_hops": status["link"]["next_hops"],
            "requests_waiting": status["user_store"].get("counters", {}).get("requests_waiting", 0)}


class Sampler:
    """The programs' PIDs are taken once: a program that dies ends the soak."""

    def __init__(self, relay):
        self.relay = relay
        self.pids = {name: relay.pid(name) for name in PROGRAMS}
        self.began = time.monotonic()
        self.times, self.series = [], {}
        self.cells = 0
        self.missed = 0

    def sample_aside(self):
        """One look at everything, that belongs to no series; nothing when control does not answer in time."""
        found = {}
        for name, pid in self.pids.items():
            found.update({f"{name}_{what}": number for what, number in program_sample(pid).items()})
        sockstat = pathlib.Path(f"/proc/{self.pids['control']}/net/sockstat").read_text()
        for name, pattern in SOCKETS.items():
            found[name] = int(re.search(pattern, sockstat, re.MULTILINE).group(1))
        status = self.relay.ask("status")
        if status is None:
            self.missed += 1
            return None
        self.cells = status["workers"][0]["command_ring"]["cells"]
        return {**found, **relay_sample(status)}

    def sample(self):
        found = self.sample_aside()
        if found is None:
            return None
        self.times.append(round(time.monotonic() - self.began, 2))
        for name, number in found.items():
            self.series.setdefault(name, []).append(number)
        return found

    def tolerance(self, name):
        """How much of a rise is nothing."""
        if name.endswith("_high"):
            return self.cells * MARK_SHARE
        least, share = MEMORY_TOLERANCE if name.endswith(tuple(MEMORY)) else FEW_TOLERANCE if name.endswith(FEW) else LEVEL_TOLERANCE
        return max(least, share * max(self.series[name]))
