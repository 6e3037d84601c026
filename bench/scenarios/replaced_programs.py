# SPDX-License-Identifier: BSD-3-Clause
"""Our two programs as a service manager runs them, each replaced by another build's while it serves."""

import contextlib
import hashlib
import pathlib
import re
import signal
import subprocess
import time

from our_relay import PROGRAMS
from socket_lab import LISTEN, RELAY
from socket_servers import START_S, STOP_S, Unavailable
from surroundings import ROOT, fail


def identity(pid):
    """Which build a process runs: what the kernel has mapped, not what lies under that name by now."""
    program = pathlib.Path(f"/proc/{pid}/exe")
    return {"program": str(program.readlink()), "sha256": hashlib.sha256(program.read_bytes()).hexdigest()[:16]}


class ReplacedPrograms:
    """Both run in the relay's namespace on its CPU, from enter to exit. `folders`: of builds, taken in turn by each program."""

    def __init__(self, mode, lab, directory, preset, folders):
        self.mode = mode
        self.lab = lab
        self.log = directory / "programs.log"
        self.folders = [ROOT / "build" / preset / "bin", *folders]
        self.turns = dict.fromkeys(PROGRAMS.values(), 0)
        cpu = lab.server_cpu
        self.options = ("--runtime-dir", directory / "run", "--lcores", f"0@{cpu},1@{cpu}", "--no-huge", "--listening-ip", LISTEN,
                        "--relay-ip", RELAY, "--user", "alice:secret", "--realm", "example.org", "--allowed-peer-ip", "10.0.0.0/8", *mode.flags)
        self.check = lab.command("exec", "relay", self.folders[0] / "turnpikectl", "--runtime-dir", directory / "run", "upgrade-check")
        self.running = {}

    def _binary(self, program):
        return self.folders[self.turns[program] % len(self.folders)] / program

    def _start(self, program):
        command = self.lab.command("exec", "relay", "taskset", "-c", self.lab.server_cpu, self._binary(program), *self.options)
        with open(self.log, "ab") as output:
            self.running[program] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def __enter__(self):
        try:
            self._start(PROGRAMS["dataplane"])
            self._start(PROGRAMS["control"])
            self._wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_ready(self):
        deadline = time.monotonic() + START_S
        while not re.search(r"^ready:", text := self.log.read_text(errors="replace"), re.MULTILINE):
            if any(process.poll() is not None for process in self.running.values()) or time.monotonic() > deadline:
                raise Unavailable(text.strip() or "the programs do not start")
            time.sleep(0.05)

    def __exit__(self, *_):
        # SIGINT: the sessions end too.
        for program, number in ((PROGRAMS["control"], signal.SIGINT), (PROGRAMS["dataplane"], signal.SIGTERM)):
            if program not in self.running:
                continue
            process = self.running[program]
            process.send_signal(number)
            try:
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def pid_of(self, program):
        """None while it is not there, or still one of those that start it."""
        process = self.running.get(program)
        if process is None or process.poll() is not None:
            return None
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{process.pid}/exe").readlink().name == program:
                return process.pid
        return None

    def check_next(self, program):
        """Asks the running pair whether the next build fits, as docs/operations.md has it."""
        self.turns[program] += 1
        done = subprocess.run([*self.check, str(self._binary(program))], capture_output=True, text=True, check=False, timeout=30)
        if done.returncode != 0:
            fail(f"upgrade-check: {done.stdout}{done.stderr}")

    def replace(self, program):
        """Ends it and starts the next build's; gives when the old one was gone."""
        self.running[program].send_signal(signal.SIGTERM)
        code = self.running[program].wait(timeout=STOP_S)
        gone = time.monotonic()
        if code != 0:
            fail(f"{program} ended with code {code} on SIGTERM:\n{self.log.read_text(errors='replace')[-3000:]}")
        self._start(program)
        return gone
