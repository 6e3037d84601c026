# SPDX-License-Identifier: BSD-3-Clause
"""One run of turnpike-load against a server, with what the server spent meanwhile."""

import dataclasses
import json
import subprocess
import time

import socket_meter
from socket_lab import CLIENT, LISTEN, PEER
from socket_servers import Unavailable

FIRST_PORT, LAST_PORT = 10_000, 15_000
LOSS_LIMIT = 0.001
FIRST_RATE, FINEST_STEP, MAX_STEPS = 100_000, 1.06, 9
MIN_RATE = 1000
MARGIN = 0.95  # of the rate found: what went well for a second has to go well for longer
CALLS_SETTLE_S, STRACE_SLOWS = 0.5, 20


@dataclasses.dataclass
class Scenario:
    flows: int
    train: int
    forced: bool = False  # segmentation
    transport: str = "udp"
    port: int = 3478
    direction: str = ""  # instead of the bench's

    @property
    def name(self):
        if self.transport != "udp":
            return f"{self.transport}-{self.flows}"
        kind = f"train{self.train}" if self.train > 1 else "interleaved"
        return f"{kind}-{self.flows}" + ("-cut" if self.forced else "")


class Load:
    def __init__(self, program, lab, options):
        self.program = program
        self.lab = lab
        self.options = options
        self.ports = {}

    def _first_port(self, server, flows):
        """Fresh ones for every run: a server may remember the last user of a port for a while."""
        port = self.ports.get(id(server), FIRST_PORT)
        if port + flows > LAST_PORT:
            port = FIRST_PORT
        self.ports = {id(server): port + flows}
        return port

    def command(self, server, scenario, rate, seconds):
        """turnpike-load as the scenario wants it; --warmup and --seconds come last."""
        options = self.options
        return ["timeout", "-k", "5", seconds + 60, self.program, "--sockets", "--json",
                "--cpu", self.lab.generator_cpu, "--client-netns", f"{self.lab.prefix}-client", "--peer-netns", f"{self.lab.prefix}-peer",
                "--server", f"{LISTEN}:{scenario.port}", "--transport", scenario.transport, "--client-ip", CLIENT, "--peer-ip", PEER,
                "--user", "alice", "--password", "secret", "--first-port", self._first_port(server, scenario.flows),
                "--sessions", scenario.flows, "--train", scenario.train, "--payload", options.payload,
                "--burst", options.burst, "--direction", scenario.direction or options.direction, "--rate", rate,
                "--warmup", 1, "--seconds", seconds, *(["--indications"] if options.indications else []),
                *(["--mode", "swap"] if server.mode.swaps else [])]

    def run(self, server, scenario, rate, seconds):
        """The generator's report, and what the server spent in its seconds."""
        command = list(map(str, self.command(server, scenario, rate, seconds)))
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            try:
                errors = self._await(process, "measuring")
                before = socket_meter.snapshot(server)
                errors += self._await(process, "measured")
                after = socket_meter.snapshot(server)
                output, more = process.communicate(timeout=seconds + 60)
            finally:
                if process.poll() is None:
                    process.terminate()
        if process.returncode != 0 or not output:
            raise Unavailable(f"{scenario.name} at {rate}/s: turnpike-load gave {process.returncode}: "
                              f"{errors}{more}{output}")
        return {**json.loads(output), "server": socket_meter.difference(before, after)}

    @staticmethod
    def _await(process, word):
        """What else it said before the word; without the word it has ended."""
        errors = ""
        for line in process.stderr:
            if line.strip() == word:
                break
            errors += line
        return errors

    def _goes_through(self, server, scenario, rate):
        """Whether the rate is held and nothing lost, and if not whether that is the generator's fault."""
        generator = False
        for _ in range(2):  # a hiccup of the machine is no limit
            result = self.run(server, scenario, rate, 1)
            own = result["late"] + result["refused"] + result["dropped_by_generator"]
            generator = own > LOSS_LIMIT * rate
            if not generator and result["loss"] < LOSS_LIMIT:
                return True, False
        return False, generator

    def highest_rate(self, server, scenario):
        """The highest rate without loss that a few steps find, and whether the generator was what set it."""
        good, bad, generator = 0, None, False
        rate = FIRST_RATE
        for _ in range(MAX_STEPS):
            through, own = self._goes_through(server, scenario, rate)
            if through:
                good = rate
            else:
                bad, generator = rate, own
            if bad and good and bad / good < FINEST_STEP:
                break
            rate = rate * 2 if bad is None else (good + bad) // 2 if good else rate // 2
        return max(int(good * MARGIN), MIN_RATE), generator

    def calls_per_packet(self, server, scenario, rate, how):
        """System calls per delivered packet, in a run of its own."""
        counter = socket_meter.SystemCalls(how, server.pids)
        with counter:
            time.sleep(CALLS_SETTLE_S)  # until it is attached
            result = self.run(server, scenario, rate if how == "perf" else max(rate // STRACE_SLOWS, MIN_RATE), 2)
        delivered = result["delivered_in_all"]
        return counter.count / delivered if counter.count is not None and delivered else None
