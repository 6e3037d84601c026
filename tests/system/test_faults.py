# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong around a relay: links, neighbours, routes, addresses, a control that hangs, a full disk."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

import pytest

from media import Media
from netns import Lab
from relay import Relay, port_kinds
from turn_client import TurnClient


@pytest.fixture(name="call")
def fixture_call(make_client, make_peer):
    """A call with media both ways, which stops after the test."""
    client = make_client()
    client.allocate()
    with Media(client, make_peer()) as media:
        yield media


def pid_of(lab, name):
    return next(pid for pid, command in lab.pids("relay").items() if f"/{name} " in command and "setpriv" not in command)


@port_kinds("xdp")
def test_link_goes_down_and_comes_back(lab, relay, call):
    """The session stays, and its media comes back with the link; control tells of both."""
    lab.run("relay", "ip", "link", "set", "s1", "down")
    try:
        time.sleep(1.5)
        assert not call.goes_on("peer")
        assert len(relay.sessions()) == 1
    finally:
        lab.run("relay", "ip", "link", "set", "s1", "up")
        # The kernel has taken the IPv6 address away with the link.
        lab.run("relay", "ip", "address", "replace", f"{Lab.RELAY6}/64", "dev", "s1", "nodad")
    lab.acquaint("peer", Lab.RELAY, Lab.RELAY6)
    call.wait()
    deadline = time.monotonic() + 5
    while not ("port=xdp:s1: link down" in relay.log() and "port=xdp:s1: link up" in relay.log()):
        assert time.monotonic() < deadline, relay.log()
        time.sleep(0.1)


def test_neighbour_is_another_machine_now(lab, relay, call):  # pylint: disable=unused-argument
    """The peer's address moves to another MAC address; the first ARP of its own is enough."""
    mac = lab.run("peer", "cat", "/sys/class/net/p0/address").strip()
    try:
        lab.run("peer", "ip", "link", "set", "p0", "address", "02:00:00:00:77:01")
        lab.run("relay", "ip", "neigh", "flush", "dev", "s1")
        lab.acquaint("peer", Lab.RELAY)
        call.wait()
        assert call.goes_on("peer")
    finally:
        lab.run("peer", "ip", "link", "set", "p0", "address", mac)
        lab.run("relay", "ip", "neigh", "flush", "dev", "s1")
        lab.acquaint("peer", Lab.RELAY, Lab.RELAY6)
    call.wait()


def test_route_moves_away_and_back(lab, relay, call):  # pylint: disable=unused-argument
    """A more specific route leads another way, where nobody is; when it is gone, packets leave as before."""
    lab.run("relay", "ip", "route", "add", f"{Lab.PEER}/32", "via", Lab.CLIENT)
    time.sleep(0.5)
    assert not call.goes_on("peer") and call.goes_on("client")
    lab.run("relay", "ip", "route", "del", f"{Lab.PEER}/32")
    call.wait()


def test_relay_address_is_taken_away_and_comes_back(lab, relay, call):
    """Without its address nothing can be relayed, but nothing is lost either."""
    lab.run("relay", "ip", "address", "del", f"{Lab.RELAY}/24", "dev", "s1")
    time.sleep(0.5)
    assert len(relay.sessions()) == 1
    lab.run("relay", "ip", "address", "add", f"{Lab.RELAY}/24", "dev", "s1")
    lab.acquaint("peer", Lab.RELAY)
    call.wait()


def test_control_hangs(lab, relay, call, make_client):  # pylint: disable=unused-argument
    """Media does not notice; requests are answered when it is back, and an overflow of them costs only themselves."""
    control = pid_of(lab, "turnpike-control")
    others = [make_client() for _ in range(3)]
    os.kill(control, signal.SIGSTOP)
    try:
        sent = call.sent
        for _ in range(300):
            for other in others:
                other.socket.sendto(b"\x00\x03\x00\x00\x21\x12\xa4\x42" + os.urandom(12), other.server)
        time.sleep(3)
        assert call.sent > sent + 500
    finally:
        os.kill(control, signal.SIGCONT)
    for other in others:
        other.allocate()
    sent = call.sent
    time.sleep(0.3)
    assert call.lost("peer", sent) == 0 and call.lost("client", sent) == 0


@contextlib.contextmanager
def small_disk(directory):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@port_kinds("socket")
def test_disk_of_the_log_is_full(lab, relay):  # pylint: disable=unused-argument
    """Calls go on without their lines; when there is room, lines are written again. One kind of port: the log is control's."""
    with tempfile.TemporaryDirectory() as directory, small_disk(directory):
        other = Relay(lab, "--log-file", f"{directory}/log", "--instance", "full", kind="socket",
                      base=("--port", f"socket:{Lab.LISTEN}:3500", "--relay-ip", Lab.RELAY, "--user", "alice:secret",
                            "--realm", "example.org", "--allowed-peer-ip", "10.0.0.0/8"))
        try:
            filler = os.open(f"{directory}/fill", os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while os.write(filler, bytes(1024)):
                    pass
            for _ in range(5):
                client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3500)), lab.udp("peer", Lab.PEER)
                client.allocate()
                client.bind(0x4000, peer.getsockname())
                client.send_channel(0x4000, b"on a full disk")
                assert peer.recv(100) == b"on a full disk"
                client.refresh(0)
                client.close()
                peer.close()
            os.ftruncate(filler, 0)
            os.close(filler)
            client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3500))
            client.allocate()
            deadline = time.monotonic() + 5
            name = "%s:%d" % client.socket.getsockname()
            while name not in open(f"{directory}/log", encoding="utf-8").read():
                assert time.monotonic() < deadline, "no line is written after there is room again"
                time.sleep(0.05)
            client.refresh(0)
            client.close()
        finally:
            other.stop()
