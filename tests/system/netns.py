# SPDX-License-Identifier: BSD-3-Clause
"""Sockets and processes inside the namespaces of scripts/lab."""

import contextlib
import ctypes
import itertools
import os
import pathlib
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is in the namespace; a socket made here stays there for good."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _setns(there)
        yield
    finally:
        _setns(home)
        os.close(there)
        os.close(home)


def can_make_namespaces():
    name = f"tpt-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], check=True)
    return made


class Lab:
    """One set of client, relay and peer namespaces, apart from every other."""

    CLIENT, CLIENT6 = "10.0.1.2", "fd00:1::2"
    LISTEN, LISTEN6 = "10.0.1.1", "fd00:1::1"
    RELAY, RELAY6 = "10.0.2.1", "fd00:2::1"
    PEER, PEER6 = "10.0.2.2", "fd00:2::2"

    def __init__(self, *options):
        self.prefix = f"tpt{os.getpid()}-{next(_numbers)}"
        self._lab("up", *options)
        self.acquaint("client", self.LISTEN, self.LISTEN6)
        self.acquaint("peer", self.RELAY, self.RELAY6)

    def acquaint(self, role, *hosts):
        """Both ends of a cable learn each other's link-layer address, so that no first packet waits for it."""
        for host in hosts:
            self.run(role, "ping", "-n", "-c", 1, "-W", 5, host)

    def _lab(self, *arguments):
        subprocess.run([ROOT / "scripts/lab", "--prefix", self.prefix, *arguments], check=True)

    def down(self):
        self._lab("down")

    @contextlib.contextmanager
    def without_peer_cable(self):
        """s1 and p0 are gone meanwhile; then new ones take their places, addresses and all."""
        self.run("relay", "ip", "link", "del", "s1")
        try:
            yield
        finally:
            subprocess.run(["ip", "link", "add", "s1", "netns", self.namespace("relay"), "type", "veth",
                            "peer", "name", "p0", "netns", self.namespace("peer")], check=True)
            for role, device, hosts in (("relay", "s1", (self.RELAY, self.RELAY6)), ("peer", "p0", (self.PEER, self.PEER6))):
                self.run(role, "ip", "link", "set", device, "up")
                for host in hosts:
                    prefix = f"{host}/64" if ":" in host else f"{host}/24"
                    self.run(role, "ip", "address", "add", prefix, "dev", device, *(("nodad",) if ":" in host else ()))

    def namespace(self, role):
        return f"{self.prefix}-{role}"

    def command(self, role, *command):
        return ["ip", "netns", "exec", self.namespace(role), *map(str, command)]

    def run(self, role, *command, timeout=60, check=True):
        """Runs a command to its end; gives its standard output and error together."""
        done = subprocess.run(self.command(role, *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=timeout, check=False)
        assert not check or done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}"
        return done.stdout

    def start(self, role, *command, **options):
        return subprocess.Popen(self.command(role, *command), **{"stdin": subprocess.DEVNULL, **options})

    def pids(self, role):
        """Whatever runs in a namespace: command lines by PID."""
        listed = subprocess.run(["ip", "netns", "pids", self.namespace(role)], check=True, capture_output=True, text=True)
        found = {}
        for pid in map(int, listed.stdout.split()):
            with contextlib.suppress(FileNotFoundError):
                found[pid] = pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
        return found

    def udp(self, role, host, port=0, timeout=2.0):
        """A bound UDP socket in a namespace."""
        with inside(self.namespace(role)):
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((host, port))
        sock.settimeout(timeout)
        return sock

    def tcp(self, role, host, server, timeout=5.0):
        """A TCP connection from an address of a namespace."""
        with inside(self.namespace(role)):
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((host, 0))
        sock.connect(server)
        return sock

    def udp_counters(self, role="relay"):
        """The kernel's UDP counters of a namespace, IPv4 and IPv6."""
        text = self.run(role, "cat", "/proc/net/snmp", "/proc/net/snmp6")
        udp = [line.split()[1:] for line in text.splitlines() if line.startswith("Udp:")]
        counters = dict(zip(udp[0], map(int, udp[1])))
        for line in text.splitlines():
            if line.startswith("Udp6"):
                name, value = line.split()
                counters[name] = int(value)
        return counters
