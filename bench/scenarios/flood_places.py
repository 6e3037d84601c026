# SPDX-License-Identifier: BSD-3-Clause
"""Where calls and floods meet a server: on veth cables, or at a relay with a memif for each of the two."""

import contextlib
import dataclasses
import pathlib
import re

from flood_meter import Reading, turnpikectl
from forwarders import ADDRESSES, GENERATOR_CPU, LOAD_MAC, RELAY_MAC, Load, Setting, pin_control, relay_command
from programs import children, name_of, program
from socket_lab import CLIENT, LISTEN, PEER
from socket_load import Load as SocketLoad, Scenario
from socket_servers import Server
from surroundings import ROOT

FLOOD_PORT, FLOOD_SOCKETS = 15_500, 8
FLOOD_MAC = "02:00:00:00:00:12"
INVENTED, INVENTED_NETWORK, INVENTED_GATEWAY = "10.64.0.0", "10.64.0.0/10", "10.0.1.250"  # behind the clients' network
LONG_S = 120  # longer than any turn: calls end by a signal


@dataclasses.dataclass(frozen=True)
class Flood:
    """A kind, and from how many invented sources; 0: from the generator's own."""
    kind: str
    sources: int = 0

    @classmethod
    def parse(cls, text):
        kind, _, sources = text.partition("@")
        return cls(kind, int(sources or 0))

    def __str__(self):
        return f"{self.kind}@{self.sources}" if self.sources else self.kind


def flood_options(options, flood):
    """What the generator is told wherever it runs; it yields to the calls', which has the same CPU."""
    program = ROOT / "build" / options.preset / "bin/turnpike-load"
    more = ("--sources", flood.sources) if flood.sources else ()
    return ["timeout", "-k", "5", options.seconds + 60, "nice", "-n", "10", program, "--json", "--mode", "invalid",
            "--flood", flood.kind, "--rate", options.flood_rate, "--seconds", options.seconds, *more]


class Veth:
    """A server in the relay's namespace of a lab."""

    def __init__(self, options, lab, server):
        self.options = options
        self.lab = lab
        self.server = server
        self.name = server.mode.name
        self.ours = not server.mode.program
        self.load = SocketLoad(ROOT / "build" / options.preset / "bin/turnpike-load", lab, options)
        # Kernel sockets answer by routes, and to whom the kernel has a neighbour.
        for verb in (("neighbour", "replace", INVENTED_GATEWAY, "lladdr", FLOOD_MAC, "dev", "s0"), ("route", "replace", INVENTED_NETWORK, "via", INVENTED_GATEWAY)):
            lab.run("exec", "relay", "ip", *verb)

    def calls(self):
        options = self.options
        return self.load.command(self.server, Scenario(options.calls, 1), options.rate, LONG_S)

    def flood(self, flood):
        command = flood_options(self.options, flood)
        server = ("--server", f"{LISTEN}:3478")
        if flood.sources:
            # Frames past the client's IP stack, which hears nothing of the answers to a MAC address that is not its own.
            port = "vdev:net_af_packet0,iface=c0,blocksz=65536,framecnt=1024,qdisc_bypass=1"
            return self.lab.command("exec", "client", *command, "--port", port, "--no-huge", "--lcores", f"0@{self.lab.generator_cpu}",
                                    "--file-prefix", f"{self.lab.prefix}-flood", "--mac", FLOOD_MAC, *server, "--client-ip", INVENTED)
        return [*command, "--sockets", "--cpu", self.lab.generator_cpu, "--client-netns", f"{self.lab.prefix}-client", *server,
                "--client-ip", CLIENT, "--peer-ip", PEER, "--first-port", FLOOD_PORT, "--sessions", FLOOD_SOCKETS]

    def read(self):
        reading = Reading.of(self.server.pids, self.lab.server_cpu, self._ask if self.ours else None)
        # A veth whose other end has an XDP program holds 256 packets, and drops what does not fit.
        reading.kernel_drops["cable"] = sum(int(self.lab.run("exec", role, "cat", f"/sys/class/net/{device}/statistics/tx_dropped"))
                                            for role, device in (("client", "c0"), ("peer", "p0")))
        return reading

    def _ask(self, verb):
        return turnpikectl(ROOT / "build" / self.options.preset / "bin/turnpikectl", self.server.process.pid, self.server.log.parent / "run", verb)

    @staticmethod
    def judge(report):
        """Lost, late by the generator's own fault."""
        return report["lost_in_relay"], report["late"] + report["dropped_by_generator"]


class Memif:
    """A relay with the calls on its first memif and the flood on its second, its worker alone on its CPU."""

    name, ours = "memif", True

    def __init__(self, options, setting, sockets, process, pids):
        self.options = options
        self.setting = setting
        self.sockets = sockets
        self.process = process
        self.pids = pids
        self.runs = 0

    def _port(self, which, mac, prefix):
        server, *_ = ADDRESSES[4]
        return ["--port", f"memif:{self.sockets[which]}", "--lcores", f"0@{GENERATOR_CPU}", "--file-prefix", prefix, "--relay-mac", RELAY_MAC,
                "--mac", mac, "--server", f"{server}:3478", *([] if self.setting.huge else ["--no-huge"])]

    def calls(self):
        options = self.options
        _, client, peer, _ = ADDRESSES[4]
        self.runs += 1
        return ["timeout", "-k", "5", LONG_S + 60, self.setting.binaries / "turnpike-load", "--json",
                *self._port(0, LOAD_MAC, f"p6-calls-{self.setting.directory.name}"), "--sessions", options.calls, "--payload", options.payload,
                "--rate", options.rate, "--seconds", LONG_S, "--client-ip", client, "--peer-ip", peer, "--verify", 1,
                "--first-port", 10_000 + self.runs * options.calls]

    def flood(self, flood):
        _, client, _, _ = ADDRESSES[4]
        address = INVENTED if flood.sources else client
        return [*flood_options(self.options, flood), *self._port(1, FLOOD_MAC, f"p6-flood-{self.setting.directory.name}"),
                "--client-ip", address, "--first-port", FLOOD_PORT, "--sessions", FLOOD_SOCKETS]

    def read(self):
        return Reading.of(self.pids, self.setting.worker_cpus[0], self._ask)

    def _ask(self, verb):
        return turnpikectl(self.setting.binaries / "turnpikectl", self.pids[0], self.setting.directory / "run", verb)

    def judge(self, report):
        unsent = self.options.rate * report["seconds"] - report["mpps_out"] * 1e6 * report["seconds"]
        return max(report["lost"], 0), max(int(unsent) - self.options.rate // 100, 0)


@contextlib.contextmanager
def veth(options, lab, mode, directory):
    with Server(mode, lab, directory, options.preset) as server:
        yield Veth(options, lab, server)


@contextlib.contextmanager
def memif(options, huge, directory):
    setting = Setting(options.preset, huge, pathlib.Path(directory), sleeps=True)
    sockets, log = [setting.directory / f"{name}.sock" for name in ("calls", "flood")], setting.directory / "memif.log"
    # The second port answers to the same MAC address, as it would on one switch.
    command = relay_command(setting, Load(options.calls), sockets[0], unproved_rps=None) + ["--port", f"memif:{sockets[1]},role=server,mac={RELAY_MAC}"]
    with program(command, log, lambda: re.search(r"^ready:", log.read_text(), re.MULTILINE)) as process:
        pids = [pid for pid in children(process.pid) if name_of(pid).startswith("turnpike-")]
        pin_control(pids)
        yield Memif(options, setting, sockets, process, pids)
