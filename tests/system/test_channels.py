# SPDX-License-Identifier: BSD-3-Clause
"""ChannelData end to end: rows of the protocol checklist by their numbers."""

import socket
import time

import pytest

from netns import Lab
from silence import assert_silent
import stun
from turn_client import Arrival, TurnError

FAMILIES = {
    "v4": (Lab.CLIENT, Lab.PEER, stun.IPV4),
    "v6": (Lab.CLIENT6, Lab.PEER6, stun.IPV6),
    "v4_to_v6": (Lab.CLIENT, Lab.PEER6, stun.IPV6),
    "v6_to_v4": (Lab.CLIENT6, Lab.PEER, stun.IPV4),
}
CHANNEL = 0x4000
SO_RCVBUFFORCE = 33


@pytest.fixture(params=FAMILIES)
def bound(request, make_client, make_peer):
    """A client with a channel to a peer: (client, peer socket, peer endpoint, relayed endpoint)."""
    client_ip, peer_ip, family = FAMILIES[request.param]
    client, peer = make_client(client_ip), make_peer(peer_ip)
    relayed = client.allocate(family=family)
    endpoint = peer.getsockname()[:2]
    client.bind(CHANNEL, endpoint)
    return client, peer, endpoint, relayed


def test_c153_chan_relays_payload(bound):
    client, peer, _, relayed = bound
    client.send_channel(CHANNEL, b"to the peer")
    payload, source = peer.recvfrom(2000)
    assert (payload, source[:2]) == (b"to the peer", relayed)


def test_c146_peer_channel_data_when_bound(bound):
    client, peer, _, relayed = bound
    peer.sendto(b"to the client", relayed)
    assert client.receive() == Arrival("channel", CHANNEL, b"to the client")


def test_c152_payload_unmodified(bound):
    """Every length that a 1500-byte link takes, both ways, odd ones included; IPv6 costs 20 bytes more."""
    client, peer, _, relayed = bound
    for length in [*range(0, 66), 511, 512, 1023, 1199, 1200, 1201, 1279, 1399, 1400, 1443, 1444]:
        sent = bytes((length + i) & 0xFF for i in range(length))
        client.send_channel(CHANNEL, sent)
        assert peer.recv(2000) == sent
        peer.sendto(sent[::-1], relayed)
        assert client.receive() == Arrival("channel", CHANNEL, sent[::-1])


def test_c132_bind_installs_permission(bound, make_peer):
    """ChannelBind alone lets datagrams from another port of the peer through, as Data indications."""
    client, peer, endpoint, relayed = bound
    other = make_peer(endpoint[0])
    other.sendto(b"another port", relayed)
    assert client.receive() == Arrival("data", other.getsockname()[:2], b"another port")


def test_c154_chan_unusable_dropped(bound, make_client):
    client, peer, _, _ = bound
    client.send_channel(CHANNEL + 1, b"unbound")
    client.send_channel(0x5000, b"outside the range")
    make_client().send_channel(CHANNEL, b"no allocation")
    assert_silent(peer)


def test_c155_chan_short_datagram_dropped(bound):
    client, peer, _, _ = bound
    whole = stun.encode_channel(CHANNEL, b"12345678")
    for length in range(1, len(whole)):
        client.socket.sendto(whole[:length], client.server)
    assert_silent(peer)


def test_c156_chan_udp_surplus_ignored(bound):
    client, peer, _, _ = bound
    client.socket.sendto(stun.encode_channel(CHANNEL, b"12345") + b"\0\0\0", client.server)
    assert peer.recv(2000) == b"12345"


def test_c157_chan_zero_length(bound):
    client, peer, _, _ = bound
    client.send_channel(CHANNEL, b"")
    assert peer.recv(2000) == b""


def test_c149_peer_empty_datagram(bound):
    client, peer, _, relayed = bound
    peer.sendto(b"", relayed)
    assert client.receive() == Arrival("channel", CHANNEL, b"")


def test_c005_no_demux_on_relay_port(bound):
    """What looks like STUN, DTLS or ChannelData is payload to a relayed address."""
    client, peer, _, relayed = bound
    for payload in (stun.Message(stun.BINDING, stun.REQUEST).encode(), bytes([22, 254, 253]) + bytes(40),
                    stun.encode_channel(CHANNEL, b"inner")):
        peer.sendto(payload, relayed)
        assert client.receive() == Arrival("channel", CHANNEL, payload)
    assert_silent(peer)


def test_c142_send_allowed_with_channel(bound):
    client, peer, endpoint, _ = bound
    client.send(endpoint, b"by Send")
    assert peer.recv(2000) == b"by Send"


def test_c127_bind_same_pair_refreshes(bound):
    client, peer, endpoint, _ = bound
    client.bind(CHANNEL, endpoint)
    client.send_channel(CHANNEL, b"still there")
    assert peer.recv(2000) == b"still there"


def test_c125_c126_bind_conflicts_400(bound):
    client, _, endpoint, _ = bound
    for number, peer in ((CHANNEL, (endpoint[0], endpoint[1] ^ 1)), (CHANNEL + 1, endpoint)):
        with pytest.raises(TurnError) as refused:
            client.bind(number, peer)
        assert refused.value.code == 400


def test_c107_refresh_zero_deletes(bound):
    client, peer, _, relayed = bound
    assert client.refresh(0) == 0
    client.send_channel(CHANNEL, b"gone")
    peer.sendto(b"gone", relayed)
    assert_silent(peer)
    assert_silent(client.socket)


def test_c103_dataplane_ready_before_response(make_client, make_peer):
    """The first packet after the ChannelBind response is relayed; a hundred times, for the race to show."""
    client, peer = make_client(), make_peer()
    for number in range(100):
        relayed = client.allocate()
        client.bind(CHANNEL + number, peer.getsockname())
        client.send_channel(CHANNEL + number, b"%d" % number)
        assert peer.recvfrom(100) == (b"%d" % number, relayed)
        client.refresh(0)


def test_c135_channel_scope_allocation(make_client, make_peer):
    """The same number in two allocations leads to different peers."""
    pairs = [(make_client(), make_peer()) for _ in range(2)]
    for client, peer in pairs:
        client.allocate()
        client.bind(CHANNEL, peer.getsockname())
    for index, (client, _) in enumerate(pairs):
        client.send_channel(CHANNEL, b"%d" % index)
    for index, (_, peer) in enumerate(pairs):
        assert peer.recv(100) == b"%d" % index
        assert_silent(peer, 0.1)


def test_c124_bind_range(make_client, make_peer):
    client, peer = make_client(), make_peer()
    client.allocate()
    for number in (0x3FFF, 0x5000, 0x7FFF, 0x8000, 0xFFFF):
        with pytest.raises(TurnError) as refused:
            client.bind(number, peer.getsockname())
        assert refused.value.code == 400
    client.bind(0x4FFF, peer.getsockname())
    client.send_channel(0x4FFF, b"last number")
    assert peer.recv(100) == b"last number"


def test_c151_hairpin_same_server(make_client):
    """The peers are each other's relayed addresses, one over IPv4 and one over IPv6."""
    for family, hosts in ((stun.IPV4, (Lab.CLIENT, Lab.CLIENT6)), (stun.IPV6, (Lab.CLIENT6, Lab.CLIENT))):
        left, right = (make_client(host) for host in hosts)
        relayed = [client.allocate(family=family) for client in (left, right)]
        left.bind(CHANNEL, relayed[1])
        right.bind(CHANNEL, relayed[0])
        left.send_channel(CHANNEL, b"rightwards")
        assert right.receive() == Arrival("channel", CHANNEL, b"rightwards")
        right.send_channel(CHANNEL, b"leftwards")
        assert left.receive() == Arrival("channel", CHANNEL, b"leftwards")


def test_channel_data_burst_keeps_order(bound):
    """500 packets as fast as one sender can, in both directions: all there, in order."""
    client, peer, _, relayed = bound
    for sock in (client.socket, peer):
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
    for number in range(500):
        client.send_channel(CHANNEL, b"%d" % number)
        peer.sendto(b"%d" % number, relayed)
        if number % 32 == 31:
            time.sleep(0.002)
    assert [peer.recv(100) for _ in range(500)] == [b"%d" % number for number in range(500)]
    assert [client.receive().payload for _ in range(500)] == [b"%d" % number for number in range(500)]
