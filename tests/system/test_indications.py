# SPDX-License-Identifier: BSD-3-Clause
"""Send and Data indications and permissions end to end: rows of the protocol checklist by their numbers."""

import pytest

from netns import Lab
from silence import assert_silent
import stun
from turn_client import Arrival

FAMILIES = {
    "v4": (Lab.CLIENT, Lab.PEER, stun.IPV4),
    "v6": (Lab.CLIENT6, Lab.PEER6, stun.IPV6),
    "v4_to_v6": (Lab.CLIENT, Lab.PEER6, stun.IPV6),
    "v6_to_v4": (Lab.CLIENT6, Lab.PEER, stun.IPV4),
}


@pytest.fixture(params=FAMILIES)
def permitted(request, make_client, make_peer):
    """A client that permits a peer: (client, peer socket, peer endpoint, relayed endpoint)."""
    client_ip, peer_ip, family = FAMILIES[request.param]
    client, peer = make_client(client_ip), make_peer(peer_ip)
    relayed = client.allocate(family=family)
    client.permit(peer_ip)
    return client, peer, peer.getsockname()[:2], relayed


def test_c139_send_relays_payload(permitted):
    client, peer, endpoint, relayed = permitted
    for payload in (b"to the peer", b"", b"x", bytes(range(256)) * 5):
        client.send(endpoint, payload)
        received, source = peer.recvfrom(2000)
        assert (received, source[:2]) == (payload, relayed)


def test_c145_peer_data_indication(permitted):
    client, peer, endpoint, relayed = permitted
    for payload in (b"to the client", b"", b"x", bytes(range(256)) * 5):
        peer.sendto(payload, relayed)
        assert client.receive() == Arrival("data", endpoint, payload)


def test_c152_payload_unmodified(permitted):
    """Every length that still fits the link with the indication around it, both ways."""
    client, peer, endpoint, relayed = permitted
    for length in [*range(0, 40), 511, 512, 1023, 1199, 1200, 1201, 1376]:
        sent = bytes((length + i) & 0xFF for i in range(length))
        client.send(endpoint, sent)
        assert peer.recv(2000) == sent
        peer.sendto(sent, relayed)
        assert client.receive() == Arrival("data", endpoint, sent)


def test_c119_permission_by_ip_only(permitted, make_peer):
    client, _, endpoint, relayed = permitted
    for _ in range(3):
        other = make_peer(endpoint[0])
        other.sendto(b"from another port", relayed)
        assert client.receive() == Arrival("data", other.getsockname()[:2], b"from another port")


def test_c136_send_no_allocation_dropped(permitted, make_client):
    _, peer, endpoint, _ = permitted
    stranger = make_client()
    stranger.send(endpoint, b"no allocation")
    assert_silent(peer)
    assert_silent(stranger.socket, 0.05)


def test_c137_send_no_permission_dropped(make_client, make_peer):
    client, peer = make_client(), make_peer()
    client.allocate()
    client.send(peer.getsockname(), b"no permission")
    assert_silent(peer)
    assert_silent(client.socket, 0.05)


def test_c144_peer_no_permission_dropped(make_client, make_peer):
    client, peer = make_client(), make_peer()
    relayed = client.allocate()
    peer.sendto(b"no permission", relayed)
    assert_silent(client.socket)


def test_c138_send_missing_peer_or_data_dropped(permitted):
    client, peer, endpoint, _ = permitted
    no_data = stun.Message(stun.SEND, stun.INDICATION).add_address(stun.XOR_PEER_ADDRESS, endpoint)
    no_peer = stun.Message(stun.SEND, stun.INDICATION).add(stun.DATA_ATTRIBUTE, b"where to?")
    bad_peer = stun.Message(stun.SEND, stun.INDICATION).add(stun.XOR_PEER_ADDRESS, b"\0\3\0\0\1\2\3\4")
    bad_peer.add(stun.DATA_ATTRIBUTE, b"where to?")
    for message in (no_data, no_peer, bad_peer):
        client.socket.sendto(message.encode(), client.server)
    assert_silent(peer)


def test_c020_unknown_required_indication_dropped(permitted):
    client, peer, endpoint, _ = permitted
    client.send(endpoint, b"with an unknown attribute", (0x7ABC, b"?"))
    assert_silent(peer)


def test_c018_unknown_optional_ignored(permitted):
    client, peer, endpoint, _ = permitted
    client.send(endpoint, b"with an optional attribute", (0xFABC, b"!"))
    assert peer.recv(100) == b"with an optional attribute"


def test_c143_send_never_answered(permitted):
    client, peer, endpoint, _ = permitted
    client.send((endpoint[0], 9), b"nobody permitted listens there")  # an ICMP indication may come, no response
    client.send(endpoint, b"")
    assert peer.recv(10) == b""
    while (arrival := client.receive(0.3)) is not None:
        assert arrival.kind == "icmp"


def test_c230_habit_pjnath_keepalive(permitted):
    """pjnath keeps its binding alive by a Send indication with empty data and no peer."""
    client, peer, _, _ = permitted
    client.socket.sendto(stun.Message(stun.SEND, stun.INDICATION).add(stun.DATA_ATTRIBUTE).encode(), client.server)
    assert_silent(client.socket)
    assert_silent(peer, 0.05)


def test_c122_permission_scope(permitted, make_client):
    """A permission belongs to one allocation."""
    _, peer, endpoint, _ = permitted
    other = make_client()
    other.allocate(family=stun.IPV6 if ":" in endpoint[0] else stun.IPV4)
    other.send(endpoint, b"another allocation's permission")
    assert_silent(peer)


def test_c113_createperm_multiple_peers(make_client, make_peer, lab):
    lab.run("peer", "ip", "address", "replace", "10.0.2.3/24", "dev", "p0")
    lab.run("relay", "ping", "-c", 1, "-W", 5, "10.0.2.3")  # known before it counts, however busy the machine is
    client, peers = make_client(), [make_peer(Lab.PEER), make_peer("10.0.2.3")]
    client.allocate()
    client.permit(Lab.PEER, "10.0.2.3")
    for peer in peers:
        client.send(peer.getsockname(), b"permitted")
        assert peer.recv(100) == b"permitted"


def test_c162_icmp_data_indication(permitted, make_peer):
    """A closed port of the peer: its ICMP error arrives as an indication with XOR-PEER-ADDRESS and ICMP, no DATA."""
    client, _, endpoint, _ = permitted
    closed = make_peer(endpoint[0])
    target = closed.getsockname()[:2]
    closed.close()
    client.send(target, b"anybody?")
    arrival = client.receive()
    assert arrival is not None and arrival[:2] == ("icmp", target)
    assert arrival.payload[2:] == (b"\1\4" if ":" in target[0] else b"\3\3") + bytes(4)  # type, code, no MTU
