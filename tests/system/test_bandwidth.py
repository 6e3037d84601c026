# SPDX-License-Identifier: BSD-3-Clause
"""max-bps and bps-capacity: a session that is offered more than its limit gets its limit, and nobody else notices."""

import contextlib
import socket
import time

import pytest

import stun
from coturn import call, echo_peer
from netns import Lab
from relay import ADDRESSES, PORTS, Relay, port_kinds
from turn_client import Messages, TurnClient, TurnError

LIMIT = 100_000  # bytes per second
BURST = 16_384  # what may come at once; an eighth of a second's worth if that is more
SIZE = 1000  # bytes of a message as the relay receives it
SECONDS = 2
MUCH, LITTLE = 4 * LIMIT, LIMIT / 8
CHANNEL = 0x4001
SO_RCVBUFFORCE = 33


class Configured:
    """A relay with a configuration file that can change."""

    def __init__(self, lab, directory, kind):
        self.lab, self.file = lab, directory / "turnpike.conf"
        self.write(max_bps=LIMIT)
        self.relay = Relay(lab, "--config", self.file, "--user", "alice:secret", "--user", "bob:hidden",
                           "--realm", "example.org", "--allowed-peer-ip", "10.0.0.0/8",
                           "--rfc5766-channel-numbers", kind=kind, base=PORTS[kind] + ADDRESSES)

    def write(self, max_bps, bps_capacity=0):
        self.file.write_text(f"max-bps={max_bps}\nbps-capacity={bps_capacity}\n")

    def reload(self, **settings):
        self.write(**settings)
        assert self.lab.run("relay", self.relay.binaries / "turnpikectl", "reload") == "reloaded\n"


@pytest.fixture(scope="module")
def configured(lab, port_kind, tmp_path_factory):
    configured = Configured(lab, tmp_path_factory.mktemp("bandwidth"), port_kind)
    yield configured
    configured.relay.stop()


class Session:
    """A client with an allocation and a peer on a channel."""

    def __init__(self, configured, user="alice", tcp=False):
        lab, server = configured.lab, (Lab.LISTEN, 3478)
        self.relay = configured.relay
        sock = Messages(lab.tcp("client", Lab.CLIENT, server)) if tcp else lab.udp("client", Lab.CLIENT)
        self.client = TurnClient(sock, server, user=user, password={"alice": "secret", "bob": "hidden"}[user])
        self.peer = lab.udp("peer", Lab.PEER)
        self.peer.setblocking(False)
        for receiver in (self.peer,) if tcp else (self.peer, sock):
            # What a busy machine delivers all at once must not be lost here.
            receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        self.relayed = self.client.allocate()
        self.client.bind(CHANNEL, self.peer.getsockname())

    def report(self):
        """What turnpikectl says of it."""
        mapped = "{}:{}".format(*self.client.mapped)
        return next(session for session in self.relay.sessions() if session["client"] == mapped)

    def close(self):
        if self.client.relayed:
            self.client.refresh(lifetime=0)
        self.client.close()
        self.peer.close()

    # One message each; and whether one has arrived.

    def send_to_peer(self):
        self.client.send_channel(CHANNEL, bytes(SIZE - 4))

    def indicate_to_peer(self):
        self.client.send(self.peer.getsockname(), bytes(SIZE - 36))

    def arrived_at_peer(self):
        try:
            return bool(self.peer.recv(2 * SIZE))
        except BlockingIOError:
            return False

    def send_to_client(self):
        self.peer.sendto(bytes(SIZE), self.relayed)

    def arrived_at_client(self):
        return self.client.receive(timeout=0) is not None


@pytest.fixture
def open_session(configured):
    sessions = []

    def make(*arguments, **options):
        sessions.append(Session(configured, *arguments, **options))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


class Offer:
    """Messages offered at so many bytes per second."""

    def __init__(self, send, arrived, bytes_per_second):
        self.send, self.arrived, self.rate = send, arrived, bytes_per_second
        self.sent = self.received = 0

    def step(self, elapsed):
        while self.sent * SIZE < elapsed * self.rate:
            self.send()
            self.sent += 1
        while self.arrived():
            self.received += 1


def to_peer(session, rate):
    return Offer(session.send_to_peer, session.arrived_at_peer, rate)


def to_client(session, rate):
    return Offer(session.send_to_client, session.arrived_at_client, rate)


def run(*offers, seconds=SECONDS):
    """All at once; gives how long it took."""
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        for offer in offers:
            offer.step(elapsed)
        time.sleep(0.001)
    time.sleep(0.2)
    for offer in offers:
        offer.step(0)
    return time.monotonic() - start


def assert_limited(offer, elapsed, limit=LIMIT):
    passed = offer.received * SIZE
    print(f"offered {offer.sent * SIZE} bytes, passed {passed} in {elapsed:.2f} s")
    assert offer.sent * SIZE > 2 * (limit * elapsed), "the machine could not offer enough"
    assert 0.65 * limit * SECONDS < passed < 1.05 * (limit * elapsed + max(BURST, limit / 8))


def assert_whole(offer):
    assert offer.received >= 0.95 * offer.sent, f"{offer.sent} sent, {offer.received} received"


def test_c222_above_the_limit_is_dropped(open_session, configured):
    """From the client to its peer; the way back and another user's session have limits of their own."""
    alice, bob = open_session("alice"), open_session("bob")
    before = configured.relay.drops()
    much, back, other = to_peer(alice, MUCH), to_client(alice, LITTLE), to_peer(bob, LITTLE)
    assert_limited(much, run(much, back, other))
    assert_whole(back)
    assert_whole(other)
    report = alice.report()
    assert report["max_bps"] == LIMIT and report["to_peer"]["packets"] == much.received
    assert report["to_peer"]["over_limit"] == much.sent - much.received
    assert (configured.relay.drops() - before)["to_peer_over_limit"] >= much.sent - much.received
    assert bob.report()["to_peer"]["over_limit"] <= 0.05 * other.sent


def test_towards_the_client(open_session):
    alice, bob = open_session("alice"), open_session("bob")
    much, back, other = to_client(alice, MUCH), to_peer(alice, LITTLE), to_client(bob, LITTLE)
    assert_limited(much, run(much, back, other))
    assert_whole(back)
    assert_whole(other)
    assert alice.report()["to_client"]["over_limit"] > 0


def test_indications(open_session):
    alice = open_session()
    offer = Offer(alice.indicate_to_peer, alice.arrived_at_peer, MUCH)
    assert_limited(offer, run(offer))


@port_kinds("socket")
@pytest.mark.parametrize("direction", (to_peer, to_client))
def test_clients_on_tcp(open_session, direction):
    """Served by control alike on every port that has a netdev."""
    alice, bob = open_session("alice", tcp=True), open_session("bob", tcp=True)
    much, other = direction(alice, MUCH), direction(bob, LITTLE)
    assert_limited(much, run(much, other))
    assert_whole(other)


def test_a_client_of_coturn(configured):
    """It sends 50 messages a second, which its peer echoes."""
    configured.reload(max_bps=50 * SIZE // 2)
    try:
        with echo_peer(configured.lab, Lab.PEER):
            sent, received, _ = call(configured.lab, "-c", "-l", SIZE, messages=150)
    finally:
        configured.reload(max_bps=LIMIT)
    assert 0.3 * sent < received < 0.75 * sent


def test_reload(open_session, configured):
    """New sessions have the new limit at once, running ones at their next Refresh."""
    alice = open_session()
    try:
        configured.reload(max_bps=2 * LIMIT)
        assert alice.report()["max_bps"] == LIMIT
        assert open_session("bob").report()["max_bps"] == 2 * LIMIT
        alice.client.refresh()
        assert alice.report()["max_bps"] == 2 * LIMIT
        offer = to_peer(alice, 3 * MUCH)
        assert_limited(offer, run(offer), 2 * LIMIT)
        configured.reload(max_bps=0)
        alice.client.refresh()
        lost = alice.report()["to_peer"]["over_limit"]
        free = to_peer(alice, MUCH)
        run(free)
        assert_whole(free)
        assert alice.report()["to_peer"]["over_limit"] == lost
    finally:
        configured.reload(max_bps=LIMIT)


def test_capacity(open_session, configured):
    """The last one gets what is left, the next one 486, until somebody leaves."""
    held = configured.relay.ctl("status")["bandwidth"]["handed_out_bps"]  # by what coturn's client has left
    capacity = held + LIMIT * 3 // 2
    try:
        configured.reload(max_bps=LIMIT, bps_capacity=capacity)
        first, second = open_session("alice"), open_session("bob")
        assert first.report()["max_bps"] == LIMIT
        assert second.report()["max_bps"] == LIMIT // 2
        refused = configured.relay.ctl("status")["server"]["full_bandwidth"]
        late = TurnClient(configured.lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
        with contextlib.closing(late), pytest.raises(TurnError) as error:
            late.allocate()
        assert error.value.code == 486
        status = configured.relay.ctl("status")
        assert status["server"]["full_bandwidth"] == refused + 1
        assert status["bandwidth"] == {"handed_out_bps": capacity, "capacity_bps": capacity}
        first.client.request(stun.REFRESH, [(stun.LIFETIME, bytes(4))])
        first.client.relayed = []
        assert open_session().report()["max_bps"] == LIMIT
    finally:
        configured.reload(max_bps=LIMIT)
