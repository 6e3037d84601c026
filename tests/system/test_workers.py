# SPDX-License-Identifier: BSD-3-Clause
"""Several workers: each owns its sessions, and what arrives at another one is handed over."""

import pytest

from coturn import call, echo_peer
from netns import Lab
from relay import Relay
import stun
from turn_client import Arrival, TurnClient

CHANNEL = 0x4000


@pytest.fixture(scope="module", params=[1, 2], ids=["one_queue", "two_queues"])
def lab(request):
    lab = Lab("--queues", str(request.param))
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def relay(lab, port_kind):
    """Three lcores on two CPUs, so that the workers may share one with the main lcore."""
    relay = Relay(lab, "--workers", "2", "--lcores", "0@0,1@0,2@1", "--rfc5766-channel-numbers",
                  kind=port_kind)
    yield relay
    relay.stop()


def test_sessions_spread_and_every_packet_arrives(lab, relay):
    peer = lab.udp("peer", Lab.PEER)
    clients = [TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)) for _ in range(40)]
    for client in clients:
        client.allocate()
        client.bind(CHANNEL, peer.getsockname())
    for number in range(20):
        for index, client in enumerate(clients):
            payload = b"%d %d" % (index, number)
            client.send_channel(CHANNEL, payload)
            received, source = peer.recvfrom(100)
            assert (received, source) == (payload, client.relayed[0])
            peer.sendto(payload, source)
            assert client.receive() == Arrival("channel", CHANNEL, payload)
    assert {session["worker"] for session in relay.sessions()} == {0, 1}
    counters = relay.counters()
    assert counters["handoff_tx"] == counters["handoff_rx"]
    assert (counters["handoff_tx"] > 0) != relay.sockets  # there the kernel steers
    for client in clients:
        client.refresh(0)
        client.close()
    peer.close()


def test_hairpin_between_workers(lab, relay):
    clients = [TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)) for _ in range(10)]
    relayed = [client.allocate() for client in clients]
    assert {session["worker"] for session in relay.sessions()} == {0, 1}
    for left, client in enumerate(clients):
        client.permit(Lab.RELAY)
        for right, other in enumerate(clients):
            if left != right:
                other.permit(Lab.RELAY)
                client.send(relayed[right], b"%d" % left)
                assert other.receive() == Arrival("data", relayed[left], b"%d" % left)
    for client in clients:
        client.refresh(0)
        client.close()


def test_c098_reservation_used_at_another_worker(lab, relay):
    """A reserved port belongs to the worker of its pair; the client that comes with the token may be another's."""
    peer = lab.udp("peer", Lab.PEER)
    for _ in range(8):
        first, second = (TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)) for _ in range(2))
        first.allocate((stun.EVEN_PORT, b"\x80"))
        relayed = second.allocate((stun.RESERVATION_TOKEN, first.allocation.get(stun.RESERVATION_TOKEN)))
        second.bind(CHANNEL, peer.getsockname())
        second.send_channel(CHANNEL, b"RTCP")
        assert peer.recvfrom(100) == (b"RTCP", relayed)
        peer.sendto(b"report", relayed)
        assert second.receive() == Arrival("channel", CHANNEL, b"report")
        for client in (first, second):
            client.refresh(0)
            client.close()
    peer.close()


def test_uclient_20_clients(lab, relay):
    before = relay.kernel_udp()
    with echo_peer(lab, Lab.PEER):
        sent, received, lost = call(lab, "-m", 20, messages=50)
    assert (received, lost) == (sent, 0) and sent >= 1000
    assert relay.kernel_udp() == before
