# SPDX-License-Identifier: BSD-3-Clause
"""Either program may die, by SIGKILL, and the calls go on (docs/survival.md)."""

import contextlib
import pathlib
import signal
import socket
import tempfile
import time

import pytest

import stun
from deaths import BINARIES, kill_program, wait_back
from load import assert_whole, load
from media import Media
from netns import Lab, inside
from relay import ADDRESSES, PEERS, PORTS, USERS, Relay, port_kinds
from turn_client import Messages, TurnClient, TurnError

FEWEST_MBUFS = {"xdp": 2 * 4096 + 64, "socket": 1024}  # the rings of two xdp ports, and a burst


@contextlib.contextmanager
def tcp_client(lab):
    with inside(lab.namespace("client")):
        connection = socket.create_connection((Lab.LISTEN, 3478), timeout=5)
    client = TurnClient(Messages(connection), (Lab.LISTEN, 3478), user="bob", password="hidden")
    yield client
    client.close()


@pytest.fixture(name="own_relay")
def fixture_own_relay(lab, port_kind):
    relay = Relay(lab, kind=port_kind)
    yield relay
    relay.stop()


def test_control_is_killed(lab, own_relay, make_peer):
    """No packet is lost by it, and afterwards everything goes on: refreshes, permissions, a token that was given away."""
    relay, peer = own_relay, make_peer()
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
    client.allocate((stun.EVEN_PORT, b"\x80"))
    token = client.allocation.get(stun.RESERVATION_TOKEN)
    sender, other = TurnClient(lab.udp("client", Lab.CLIENT6), (Lab.LISTEN6, 3478)), make_peer()
    sender.allocate()
    sender.permit(Lab.PEER)
    second = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
    with tcp_client(lab) as streaming:
        streaming.allocate()
        assert len(relay.sessions()) == 3
        before = {session["client"]: session for session in relay.sessions()}
        with Media(client, peer) as media:
            for _ in range(3):
                kill_program(lab, "turnpike-control")
                wait_back(relay, lab, 2, not_before=0.3)  # the stream client's connection died with it
        assert media.sent > 400 and media.lost("peer") == 0 and media.lost("client") == 0
    after = {session["client"]: session for session in relay.sessions()}
    for name, session in after.items():
        assert session["relays"] == before[name]["relays"] and session["user"] == before[name]["user"]
        assert session["expires_in_s"] <= before[name]["expires_in_s"]
    assert client.refresh() == 600 and sender.refresh() == 600
    assert client.retransmissions == sender.retransmissions == 0
    sender.send(other.getsockname(), b"still permitted")
    assert other.recv(100) == b"still permitted"
    second.request(stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, bytes([17, 0, 0, 0])), (stun.RESERVATION_TOKEN, token)])
    with pytest.raises(TurnError) as refused:
        client.allocate()
    assert refused.value.code == 437
    for each in (client, sender, second):
        each.refresh(0)
        each.close()
    assert relay.sessions() == []
    assert "cannot go on" in relay.log()


@port_kinds("xdp")
def test_quotas_count_what_was_taken_over(lab, port_kind):
    """Control alone keeps them: one kind of port will do."""
    relay = Relay(lab, "--user-quota", 2, kind=port_kind)
    clients = [TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)) for _ in range(3)]
    try:
        for client in clients[:2]:
            client.allocate()
        kill_program(lab, "turnpike-control")
        wait_back(relay, lab, 2, not_before=0.3)
        with pytest.raises(TurnError) as refused:
            clients[2].allocate()
        assert refused.value.code == 486
        clients[0].refresh(0)
        clients[2].allocate()
    finally:
        for client in clients:
            client.close()
        relay.stop()


def test_as_few_packet_buffers_as_can_be(lab, port_kind):
    """More is sent than the relay can take; afterwards nothing is lost, and all buffers are back but what a worker keeps at hand."""
    relay = Relay(lab, "--mbufs", FEWEST_MBUFS[port_kind], kind=port_kind)

    def in_use():
        time.sleep(1.2)  # they are counted once a second
        return sum(worker["counters"]["mbufs_in_use"] for worker in relay.ctl("status")["workers"])

    try:
        before = in_use()
        flood = load(lab, "--sessions", 8, "--rate", 1_000_000, "--seconds", 1, "--train", 48, "--payload", 1200, "--direction", "both")
        assert flood["delivered"] > 1000
        assert_whole(load(lab, "--sessions", 4, "--rate", 1000, "--seconds", 1, "--direction", "both", "--first-port", 13000))
        assert in_use() < before + 64
    finally:
        relay.stop()


def test_dataplane_is_killed(lab, own_relay, make_peer):
    """All sessions are back without a word of their clients, those on TCP included."""
    relay, peer, other = own_relay, make_peer(), make_peer()
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
    client.allocate()
    with tcp_client(lab) as streaming:
        streaming.allocate()
        streaming.permit(Lab.PEER)
        with Media(client, peer) as media:
            kill_program(lab, "turnpike-dataplane")
            wait_back(relay, lab, 2, not_before=0.5)
            time.sleep(1)
        assert media.sent > 500
        last = media.arrived["peer"][-1][0], media.arrived["client"][-1][0]
        assert min(last) > media.sent - 50, f"media did not come back: {last} of {media.sent}"
        print(f"gap {media.gap('peer'):.2f} s")
        assert media.gap("peer") < 10
        streaming.send(other.getsockname(), b"over TCP")
        assert other.recv(100) == b"over TCP"
        assert streaming.refresh() == 600
    assert client.refresh() == 600
    client.refresh(0)
    client.close()


@port_kinds("xdp")
def test_netdev_is_removed_and_comes_back(lab, own_relay, make_peer):
    """As when a driver is reloaded: the dataplane waits for the new one, and the call goes on over it."""
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
    client.allocate()
    with Media(client, make_peer()) as media:
        media.wait()
        with lab.without_peer_cable():
            time.sleep(1.5)
            assert "port=xdp:s1: its netdev is gone" in own_relay.log() and own_relay.process.poll() is None
        media.wait()
        assert media.goes_on("client")
    assert len(own_relay.sessions()) == 1 and "turnpike-dataplane ended to be started again" in own_relay.log()
    client.refresh(0)
    client.close()


class Programs:
    """Both programs without scripts/run, which takes an end by SIGTERM for the end of the run."""

    def __init__(self, lab, port_kind):
        self.lab = lab
        self.options = (*PORTS[port_kind], *ADDRESSES, *USERS, *PEERS, "--no-huge")
        self.work = tempfile.TemporaryDirectory(prefix="turnpike-relay-")
        self.log = pathlib.Path(self.work.name, "log")
        self.running = {}

    def start(self, name, *more):
        with open(self.log, "ab") as log:
            program = (BINARIES / f"turnpike-{name}", *self.options, *more)
            self.running[name] = self.lab.start("relay", *program, stdout=log, stderr=log)
        return self.running[name]

    def wait(self, text, times=1):
        deadline = time.monotonic() + 30
        while self.log.read_text().count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r}:\n{self.log.read_text()}"
            time.sleep(0.02)

    def end(self, name, number=signal.SIGTERM):
        self.running[name].send_signal(number)
        return self.running[name].wait(timeout=20)

    def stop(self):
        for name in ("control", "dataplane"):
            if name in self.running and self.running[name].poll() is None:
                self.end(name, signal.SIGINT if name == "control" else signal.SIGTERM)
        self.work.cleanup()


@pytest.fixture(name="programs")
def fixture_programs(lab, port_kind):
    programs = Programs(lab, port_kind)
    yield programs
    programs.stop()


def test_both_programs_are_replaced(lab, programs, make_peer):
    """An upgrade: each ends by SIGTERM, and the next one goes on with the sessions."""
    peer = make_peer()
    programs.start("dataplane")
    programs.start("control")
    programs.wait("ready:")
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
    client.allocate()
    with Media(client, peer) as media:
        assert programs.end("control") == 0
        programs.start("control")
        programs.wait("ready:", times=2)
        sent = media.sent
        time.sleep(0.2)
        assert media.lost("peer", sent) == 0
        assert programs.end("dataplane") == 0
        programs.start("dataplane")
        programs.wait("are being installed again")
        time.sleep(0.5)
    assert media.arrived["peer"][-1][0] > media.sent - 50
    assert client.refresh() == 600
    log = programs.log.read_text()
    assert "1 session(s) stay in the dataplane" in log and "took over 1 session(s)" in log
    assert "allocation_end" not in log
    assert programs.end("control", signal.SIGINT) == 0
    assert "reason=shutdown" in programs.log.read_text()
    programs.start("control")  # which finds nothing
    programs.wait("ready:", times=3)
    with pytest.raises(TurnError) as refused:
        client.refresh()
    assert refused.value.code == 437
    client.close()


def test_a_dataplane_of_another_size_is_refused(lab, programs):
    """Slots and steering would not fit: control says so, and ends with its sessions."""
    programs.start("dataplane")
    programs.start("control")
    programs.wait("ready:")
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
    client.allocate()
    programs.end("dataplane")
    programs.wait("1 session(s) wait for another one")
    programs.start("dataplane", "--max-allocations", "500")
    assert programs.running["control"].wait(timeout=20) == 1
    log = programs.log.read_text()
    assert "max-allocations" in log and "reason=dataplane_lost" in log
    client.close()
