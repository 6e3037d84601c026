# SPDX-License-Identifier: BSD-3-Clause
"""After the start the programs hold the rights that their ports need, and no others; and everything still works."""

import contextlib
import os
import pathlib
import pwd
import re
import signal
import subprocess
import tempfile
import time

import pytest

from netns import ROOT, Lab
from relay import ADDRESSES, PEERS, PORTS, PRESET, USERS, Relay, ending
from test_memif import MemifRelay, result_of
from test_run import relays_a_packet

BINARIES = ROOT / "build" / PRESET / "bin"
NET_ADMIN = 1 << 12
DAC_OVERRIDE = 1 << 1
NOBODY = pwd.getpwnam("nobody")


def rights(pid):
    """Of every thread of a process: the distinct values of what it may do and who it is."""
    found = {}
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        fields = dict(re.findall(r"^(\w+):\s*(.*)$", status.read_text(encoding="ascii"), re.MULTILINE))
        for name in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"):
            found.setdefault(name, set()).add(int(fields[name], 16))
        found.setdefault("Uid", set()).add(tuple(map(int, fields["Uid"].split())))
        found.setdefault("Gid", set()).add(tuple(map(int, fields["Gid"].split())))
        found.setdefault("Groups", set()).add(fields["Groups"].strip())
        found.setdefault("NoNewPrivs", set()).add(int(fields["NoNewPrivs"]))
    return found


def pid_of(lab, program):
    return next(pid for pid, command in lab.pids("relay").items() if pathlib.Path(command.split()[0]).name == program)


def assert_rights(pid, kept, user=0, bounded=True):
    """An ordinary user's bounding set stays (not `bounded`): only CAP_SETPCAP takes something out of it."""
    found = rights(pid)
    assert found["Uid"] == {(user,) * 4}, found
    assert found["CapPrm"] == found["CapEff"] == {kept} and found["CapInh"] == found["CapAmb"] == {0}, found
    assert not bounded or all(bounding & ~kept == 0 for bounding in found["CapBnd"]), found
    assert found["NoNewPrivs"] == {1}, found


def root_rights(lab, kind):
    """What root keeps (docs/operations.md): relay sockets' buffers where the kernel's limits are small, a NIC's VLAN stripping to
    put back."""
    if kind == "xdp":
        stripped = any("rx-vlan-offload: on" in lab.run("relay", "ethtool", "-k", device) for device in ("s0", "s1"))
        return NET_ADMIN if stripped else 0
    limits = [int(pathlib.Path(f"/proc/sys/net/core/{name}").read_text(encoding="ascii")) for name in ("rmem_max", "wmem_max")]
    return NET_ADMIN if min(limits) < 16 << 20 else 0


@contextlib.contextmanager
def running(*arguments, **options):
    """A relay whose drivers have nothing to complain of when it ends."""
    with ending(Relay(*arguments, **options)) as relay:
        yield relay
        relay.process.terminate()
        relay.process.wait(timeout=40)
        assert "dpdk:" not in relay.log()  # a driver that complains of a right that is gone


def wait_for(relay, text, timeout=10):
    deadline = time.monotonic() + timeout
    while text not in relay.log():
        assert time.monotonic() < deadline, relay.log()
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["xdp", "socket"])
def test_root_keeps_only_what_ports_need(lab, kind):
    kept = root_rights(lab, kind)
    with running(lab, kind=kind):
        assert_rights(pid_of(lab, "turnpike-dataplane"), kept)
        assert_rights(pid_of(lab, "turnpike-control"), NET_ADMIN | DAC_OVERRIDE)
        assert relays_a_packet(lab)


@pytest.mark.parametrize("kind", ["xdp", "socket"])
def test_run_as(lab, kind):
    """Both are the user's, the dataplane has nothing left; links and addresses that come later are still followed."""
    with running(lab, "--run-as", "nobody", kind=kind) as relay:
        dataplane = pid_of(lab, "turnpike-dataplane")
        assert_rights(dataplane, 0, NOBODY.pw_uid)
        assert rights(dataplane)["Gid"] == {(NOBODY.pw_gid,) * 4} and rights(dataplane)["Groups"] <= {"", str(NOBODY.pw_gid)}
        assert_rights(pid_of(lab, "turnpike-control"), NET_ADMIN, NOBODY.pw_uid)
        assert relays_a_packet(lab)
        if kind == "xdp":
            lab.run("relay", "ip", "link", "set", "s1", "down")
            wait_for(relay, "xdp:s1: link down")
            lab.run("relay", "ip", "link", "set", "s1", "up")
            wait_for(relay, "xdp:s1: link up")
            lab.run("relay", "ip", "-6", "address", "add", f"{Lab.RELAY6}/64", "dev", "s1", "nodad")  # went with the link
            lab.acquaint("peer", Lab.RELAY)
            assert relays_a_packet(lab)
    for device in ("s0", "s1"):
        assert "xdp" not in lab.run("relay", "ip", "link", "show", device)


def test_run_as_on_memif(lab, tmp_path):
    """A peer that comes back needs the driver's socket to be made anew, by the user."""
    with ending(MemifRelay(lab, tmp_path / "relay.sock", "--run-as", "nobody")) as relay:
        assert_rights(pid_of(lab, "turnpike-dataplane"), 0, NOBODY.pw_uid)
        for _ in range(2):
            result = result_of(relay.load(seconds=1))
            assert result["received"] == result["sent"] and result["lost"] == 0


class Programs:
    """Both programs by hand, so that they can be different users and come and go by themselves."""

    def __init__(self, lab):
        self.lab = lab
        self.runtime = tempfile.TemporaryDirectory(prefix="turnpike-rights-")
        os.chmod(self.runtime.name, 0o755)
        self.options = ("--no-huge", "--runtime-dir", self.runtime.name, "--instance", "rights", *PORTS["xdp"], *ADDRESSES, *USERS, *PEERS)
        self.running = []

    def start(self, program, *options, prefix=(), until):
        output = pathlib.Path(self.runtime.name, f"{program}-{len(self.running)}.log")
        with open(output, "wb") as log:
            process = self.lab.start("relay", *prefix, BINARIES / program, *self.options, *options, stdout=log, stderr=log)
        self.running.append(process)
        deadline = time.monotonic() + 40
        while until not in output.read_text(encoding="utf-8"):
            assert process.poll() is None and time.monotonic() < deadline, output.read_text(encoding="utf-8")
            time.sleep(0.05)
        return process

    def stop(self, process):
        self.running.remove(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()
        self.runtime.cleanup()


@pytest.fixture(name="programs")
def make_programs(lab):
    programs = Programs(lab)
    yield programs
    programs.end()


def test_control_of_an_ordinary_user(lab, programs):
    """The dataplane is root's on xdp ports; control is never root, attaches, goes and comes back."""
    as_user = ("setpriv", "--reuid", "nobody", "--regid", str(NOBODY.pw_gid), "--clear-groups", "--inh-caps=+net_admin",
               "--ambient-caps=+net_admin")
    lab.run("relay", "sysctl", "-w", "net.ipv4.ip_local_reserved_ports=49152-65535")  # which only root may
    dataplane = programs.start("turnpike-dataplane", "--control-user", "nobody", until="running:")
    for _ in range(2):
        control = programs.start("turnpike-control", prefix=as_user, until="ready:")
        assert_rights(pid_of(lab, "turnpike-control"), NET_ADMIN, NOBODY.pw_uid, bounded=False)
        assert relays_a_packet(lab)
        socket = pathlib.Path(programs.runtime.name, "rights/control.sock")
        assert socket.stat().st_uid == NOBODY.pw_uid and socket.stat().st_mode & 0o777 == 0o600
        programs.stop(control)
        assert not socket.exists()
    programs.stop(dataplane)
    assert not pathlib.Path(programs.runtime.name, "rights").exists()


def test_an_ordinary_user_is_refused_unless_named(lab, programs):
    programs.start("turnpike-dataplane", until="running:")
    report = lab.run("relay", "setpriv", "--reuid", "nobody", "--regid", str(NOBODY.pw_gid), "--clear-groups",
                     BINARIES / "turnpike-control", *programs.options, "--dataplane-timeout", "0", check=False)
    assert "ready:" not in report and "dataplane.sock" in report, report


def test_admin_group(lab, programs):
    programs.start("turnpike-dataplane", until="running:")
    programs.start("turnpike-control", "--admin-group", "daemon", until="ready:")
    ctl = (BINARIES / "turnpikectl", "--runtime-dir", programs.runtime.name, "--instance", "rights", "status")
    member = lab.run("relay", "setpriv", "--reuid", "nobody", "--regid", "daemon", "--clear-groups", *ctl)
    assert "example.org" in member
    stranger = subprocess.run(lab.command("relay", "setpriv", "--reuid", "nobody", "--regid", str(NOBODY.pw_gid), "--clear-groups",
                                          *ctl), check=False, capture_output=True, text=True)
    assert stranger.returncode == 1 and "no access" in stranger.stderr


def test_an_unknown_user_is_refused(lab):
    for program, option in (("turnpike-dataplane", "--run-as"), ("turnpike-dataplane", "--control-user"), ("turnpike-control", "--run-as"),
                            ("turnpike-control", "--admin-group")):
        report = lab.run("relay", BINARIES / program, *PORTS["xdp"], *USERS, option, "no-such-name", check=False)
        assert f"{option[2:]}=no-such-name" in report and "add --system" in report, report
