# SPDX-License-Identifier: BSD-3-Clause
"""What forwards on CPU 1 (or more), the relay and dpdk-testpmd's 5tswap, each on a memif of its own with a generator of its own."""

import contextlib
import dataclasses
import json
import mmap
import os
import pathlib
import re
import signal
import struct
import subprocess
import time

from programs import children, name_of, program
from surroundings import ROOT, fail

GENERATOR_CPU, WORKER_CPU = 0, 1
LCORES = f"0@{GENERATOR_CPU},1@{WORKER_CPU}"
RELAY_MAC, LOAD_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
# The listening address, the clients' first one, the peers' first one, and how relay addresses begin.
ADDRESSES = {4: ("10.0.1.1", "10.0.1.2", "10.0.2.2", "10.0.3."), 6: ("fd00:1::1", "fd00:1::2", "fd00:2::2", "fd00:3::")}
PORTS_PER_ADDRESS = 60_000  # of the 64,512 from 1024 on
FOREVER_S = 86_400
RUN_S = 280
SET_UP_S = 300


@dataclasses.dataclass(frozen=True)
class Load:
    """What is sent."""
    sessions: int = 1000
    payload: int = 120
    family: int = 4
    indications: bool = False
    rate: int = 0  # packets per second; 0: as many as go through
    rests: bool = False  # the generator lets others have its CPU when there is nothing to do

    @property
    def name(self):
        return (f"{'indications' if self.indications else 'channels'} of {self.payload} bytes, IPv{self.family}, "
                f"{self.sessions} sessions")


@dataclasses.dataclass(frozen=True)
class Setting:
    """Where it runs."""
    preset: str
    huge: bool
    directory: pathlib.Path
    worker_cpus: tuple = (WORKER_CPU,)  # of the relay, one each
    sleeps: bool = False  # an idle worker does

    @property
    def lcores(self):
        return ",".join(f"{lcore}@{cpu}" for lcore, cpu in enumerate((GENERATOR_CPU, *self.worker_cpus)))

    @property
    def binaries(self):
        return ROOT / "build" / self.preset / "bin"


def relay_command(setting, load, socket, unproved_rps=0):
    """`unproved_rps`: what each source gets served without a password; None: as it comes."""
    server, _, _, relay = ADDRESSES[load.family]
    addresses = [f"{relay}{n if load.family == 4 else f'{n:x}'}" for n in range(1, 2 + load.sessions // PORTS_PER_ADDRESS)]
    tables = load.sessions + 1000
    return [ROOT / "scripts/run", "--no-build", "--preset", setting.preset, "--runtime-dir", setting.directory / "run",
            "--port", f"memif:{socket},role=server,mac={RELAY_MAC}", "--lcores", setting.lcores,
            "--workers", len(setting.worker_cpus), "--poll", "adaptive" if setting.sleeps else "always",
            "--listening-ip", server, *(part for address in addresses for part in ("--relay-ip", address)),
            "--min-port", 1024, "--user", "alice:secret", "--realm", "example.org",
            "--allowed-peer-ip", "10.0.0.0/8" if load.family == 4 else "fd00::/8",
            *(() if unproved_rps is None else ("--unauthorized-ratelimit-rps", unproved_rps)),
            "--next-hop", f"{'0.0.0.0/0' if load.family == 4 else '::/0'},port=0,mac={LOAD_MAC}",
            # Nothing runs out while the other one has its slices.
            "--default-allocate-lifetime", FOREVER_S, "--max-allocate-lifetime", FOREVER_S, "--permission-lifetime", FOREVER_S,
            "--channel-lifetime", FOREVER_S, "--max-allocations", tables, "--max-permissions", tables, "--max-channels", tables,
            "--log-level", "warning", *([] if setting.huge else ["--no-huge"])]


def pin_control(pids):
    """Everything but the worker belongs on the generator's CPU; EAL has placed the dataplane's threads itself."""
    for pid in pids:
        if name_of(pid).startswith("turnpike-con"):
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {GENERATOR_CPU})


@contextlib.contextmanager
def relay(setting, load):
    socket, log = setting.directory / "relay.sock", setting.directory / "relay.log"
    with program(relay_command(setting, load, socket), log,
                 lambda: re.search(r"^ready:", log.read_text(), re.MULTILINE)) as process:
        pids = [pid for pid in children(process.pid) if name_of(pid).startswith("turnpike-")]
        pin_control(pids)
        yield socket, pids


@contextlib.contextmanager
def testpmd(setting, _load):
    socket, log = setting.directory / "testpmd.sock", setting.directory / "testpmd.log"
    socket.unlink(missing_ok=True)
    command = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", LCORES, "--no-pci", "--no-telemetry", "--file-prefix", "bench-testpmd",
               "-m", 256, *(["--in-memory"] if setting.huge else ["--no-huge", "--no-shconf"]),
               "--vdev", f"net_memif0,role=server,socket={socket},socket-abstract=no", "--", "--forward-mode=5tswap",
               "--auto-start", "--nb-cores=1", "--burst=32", "--port-topology=loop", "--total-num-mbufs=16384"]
    # It looks for links once its port is started; who comes earlier is refused for good. It goes on when its standard
    # input ends or says something.
    with program(command, log, lambda: "Checking link" in log.read_text(), end=lambda process: process.communicate(b"\n", timeout=20)) as process:
        yield socket, children(process.pid)


FORWARDERS = {"relay": (relay, "turn"), "one-worker": (relay, "turn"), "two-workers": (relay, "turn"), "testpmd": (testpmd, "swap")}


def generator_command(setting, load, name, socket, counts):
    server, client, peer, _ = ADDRESSES[load.family]
    endpoint = f"{server}:3478" if load.family == 4 else f"[{server}]:3478"
    return [setting.binaries / "turnpike-load", "--port", f"memif:{socket}", "--mode", FORWARDERS[name][1], "--json",
            "--lcores", f"0@{GENERATOR_CPU}", "--file-prefix", f"bench-load-{name}", "--seconds", RUN_S, "--leave",
            "--at-once", 256, "--sessions", load.sessions, "--payload", load.payload, "--rate", load.rate, "--verify", 64,
            *(() if load.rests else ("--sweep", 0)), "--server", endpoint, "--client-ip", client, "--peer-ip", peer, "--relay-mac", RELAY_MAC,
            "--mac", LOAD_MAC, "--counts", counts, *([] if setting.huge else ["--no-huge"]),
            *(["--indications"] if load.indications else [])]


@dataclasses.dataclass(frozen=True)
class Reading:
    """All counts of a pair at one moment; CPU times in seconds."""
    sent: int
    received: int
    worker_s: float  # of all workers together
    generator_s: float

    def __sub__(self, other):
        return Reading(*(getattr(self, field.name) - getattr(other, field.name) for field in dataclasses.fields(self)))


def cpu_time(pid, thread):
    """Of one thread, to the nanosecond once it does not run."""
    return int(pathlib.Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9


def threads(pids):
    return [(pid, int(thread.name)) for pid in pids for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()]


def worker_threads(pids):
    """(process, thread) of each lcore but the main one, as EAL names them."""
    return [one for one in threads(pids) if name_of(one[1]).startswith("rte-worker")]


def busiest_thread(pids, cpu):
    """(process, thread) that is bound to this CPU alone and polls there."""
    return max((one for one in threads(pids) if os.sched_getaffinity(one[1]) == {cpu}), key=lambda one: cpu_time(*one))


class Pair:
    """A forwarder and its generator, which run and stand still together."""

    def __init__(self, name, setting, pids, generator, counts):
        self.name = name
        self.setting = setting
        self.pids = pids
        self.generator = generator
        self.workers = worker_threads(pids)
        self.polling = busiest_thread([generator.pid], GENERATOR_CPU)
        with open(counts, "rb") as file:
            self.counts = mmap.mmap(file.fileno(), 16, prot=mmap.PROT_READ)

    def resume(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)
        if self.generator.poll() is None:
            self.generator.send_signal(signal.SIGCONT)

    def pause(self):
        for pid in (self.generator.pid, *self.pids):
            os.kill(pid, signal.SIGSTOP)
        for pid in (self.generator.pid, *self.pids):
            while re.search(r"^State:\s+R", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE):
                time.sleep(0.0005)
        time.sleep(0.002)  # threads besides the first

    def read(self):
        """While it stands still."""
        sent, received = struct.unpack("QQ", self.counts[:])
        return Reading(sent, received, sum(cpu_time(*worker) for worker in self.workers), cpu_time(*self.polling))

    def perf(self):
        """What the workers of a relay have counted so far, one entry each. While it runs."""
        command = ["nsenter", f"--net=/proc/{self.pids[0]}/ns/net", self.setting.binaries / "turnpikectl", "--runtime-dir",
                   self.setting.directory / "run", "--json"]
        answers = [json.loads(subprocess.run([*map(str, command), verb], capture_output=True, check=True, timeout=20).stdout)
                   for verb in ("perf", "status")]
        return [{**perf, **status["counters"]} for perf, status in zip(*(answer["workers"] for answer in answers))]

    def finish(self):
        """The generator's report."""
        self.resume()
        self.generator.send_signal(signal.SIGTERM)
        output, errors = self.generator.communicate(timeout=60)
        if self.generator.returncode != 0:
            fail(f"turnpike-load gave {self.generator.returncode} against {self.name}:\n{output}{errors}")
        return json.loads(output)


def wait_measuring(process, log):
    deadline = time.monotonic() + SET_UP_S
    while "measuring" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            fail(f"turnpike-load does not come to measuring:\n{log.read_text()}")
        time.sleep(0.05)


@contextlib.contextmanager
def pair(name, setting, load):
    """The pair, standing still, its sessions set up."""
    counts, log = setting.directory / f"{name}.counts", setting.directory / f"{name}-load.log"
    with FORWARDERS[name][0](setting, load) as (socket, pids):
        command = [*map(str, generator_command(setting, load, name, socket, counts))]
        with open(log, "w", encoding="utf-8") as errors, \
             subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as generator:
            made = None
            try:
                wait_measuring(generator, log)
                made = Pair(name, setting, pids, generator, counts)
                made.pause()
                yield made
            finally:
                if made:
                    made.resume()
                if generator.poll() is None:
                    generator.kill()
