# SPDX-License-Identifier: BSD-3-Clause
"""User databases for the system tests: real servers on the loopback of the relay's namespace, killed and restarted by PID."""

import glob
import os
import pathlib
import pwd
import signal
import subprocess
import tempfile
import time

from relay import PRESET
from netns import ROOT

CTL = ROOT / "build" / PRESET / "bin" / "turnpikectl"
REALM = "example.org"


class Database:
    """One database; `option` names it to turnpike-control and turnpikectl."""

    PASSWORD = "Pass-Word"
    server = None  # its process, where there is one

    def __init__(self, lab):
        self.lab = lab
        self.folder = tempfile.TemporaryDirectory(prefix="turnpike-db-")
        self.path = pathlib.Path(self.folder.name)

    def edit(self, *words, realm=REALM, stdin=None):
        """Runs turnpikectl on the database itself; gives what it prints."""
        command = self.lab.command("relay", CTL, *self.option, "--realm", realm, *words)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def close(self):
        if self.server is not None:
            self.stop()
        self.folder.cleanup()

    # Servers

    def _spawn(self, user, *command):
        account = pwd.getpwnam(user)
        os.chown(self.path, account.pw_uid, account.pw_gid)
        log = open(self.path.parent / f"{self.path.name}.log", "ab")  # noqa: SIM115
        with log:
            self.server = self.lab.start("relay", "setpriv", "--reuid", account.pw_uid, "--regid", account.pw_gid,
                                         "--clear-groups", *command, stdout=log, stderr=log)

    def _wait(self, *probe):
        """Until the probe succeeds."""
        deadline = time.monotonic() + 40
        while True:
            done = subprocess.run(self.lab.command("relay", *probe), capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            log = (self.path.parent / f"{self.path.name}.log").read_text(errors="replace")
            assert time.monotonic() < deadline, f"{probe}: {done.stderr}{done.stdout}\n{log}"
            if self.server.poll() is not None:  # a server that was killed may have left children for a moment
                time.sleep(0.5)
                self._launch()
            time.sleep(0.2)

    def start(self):
        self._launch()
        self._wait(*self._probe())

    def kill(self):
        self.server.kill()
        self.server.wait()

    def freeze(self):
        self.server.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.server.send_signal(signal.SIGCONT)

    def stop(self):
        if self.server.poll() is None:
            self.thaw()
            self.server.send_signal(signal.SIGINT)
            self.server.wait(timeout=30)
        (self.path.parent / f"{self.path.name}.log").unlink()


class Sqlite(Database):
    def __init__(self, lab):
        super().__init__(lab)
        self.file = self.path / "users.db"
        self.option = ("--userdb", self.file)


class Postgres(Database):
    PORT = 15432

    def __init__(self, lab):
        super().__init__(lab)
        self.bin = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
        account = pwd.getpwnam("postgres")
        os.chown(self.path, account.pw_uid, account.pw_gid)
        secret = self.path / "secret"
        secret.write_text(self.PASSWORD, encoding="ascii")
        secret.chmod(0o644)
        subprocess.run(["runuser", "-u", "postgres", "--", self.bin / "initdb", "-D", self.path / "data", "-A",
                        "scram-sha-256", "-U", "turn", f"--pwfile={secret}", "--no-sync"],
                       check=True, capture_output=True, cwd="/", timeout=120)
        self.connection = f"host=127.0.0.1 port={self.PORT} dbname=postgres user=turn connect_timeout=2"
        self.option = ("--psql-userdb", f"{self.connection} password={self.PASSWORD}")
        self.start()
        self.sql(subprocess.run([CTL, "schema"], check=True, capture_output=True, text=True).stdout)

    def _launch(self):
        self._spawn("postgres", self.bin / "postgres", "-D", self.path / "data", "-p", self.PORT, "-k", self.path, "-c",
                    "listen_addresses=127.0.0.1", "-c", "fsync=off")

    def _probe(self):
        return (self.bin / "pg_isready", "-h", "127.0.0.1", "-p", self.PORT)

    def sql(self, statements):
        self.lab.run("relay", "env", f"PGPASSWORD={self.PASSWORD}", "psql", "-q", "-v", "ON_ERROR_STOP=1",
                     self.connection, "-c", statements)

    def freeze(self):
        """The backends that serve connections too."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        children = pathlib.Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text(encoding="ascii")
        for pid in [self.server.pid, *map(int, children.split())]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:  # a backend that has just ended
                pass


class Redis(Database):
    PORT = 16379

    def __init__(self, lab):
        super().__init__(lab)
        self.option = ("--redis-userdb", f"ip=127.0.0.1 port={self.PORT} dbname=2 password={self.PASSWORD} connect_timeout=2")
        self.start()

    def _launch(self):
        self._spawn("nobody", "redis-server", "--port", self.PORT, "--bind", "127.0.0.1", "--dir", self.path, "--requirepass",
                    self.PASSWORD, "--appendonly", "yes", "--appendfsync", "always", "--save", "")

    def _probe(self):
        return ("redis-cli", "-e", "--no-auth-warning", "-p", self.PORT, "-a", self.PASSWORD, "ping")

    def command(self, *words):
        return self.lab.run("relay", "redis-cli", "-e", "--no-auth-warning", "-p", self.PORT, "-n", 2, "-a", self.PASSWORD,
                            *words)


KINDS = {"sqlite": Sqlite, "postgres": Postgres, "redis": Redis}
