# SPDX-License-Identifier: BSD-3-Clause
"""IP header fields of relayed packets as the far side captures them: rows of the protocol checklist by their numbers."""

import socket
import struct
import time

import pytest

from netns import Lab
from pcap import Capture
from relay import port_kinds
import stun

CHANNEL = 0x4000
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2
IP_MTU, IPV6_MTU, IPV6_MTU_DISCOVER = 14, 24, 23
IPV6_FLOWLABEL_MGR, IPV6_FLOWINFO_SEND = 32, 33
FAMILIES = {
    "v4": (Lab.CLIENT, Lab.PEER, stun.IPV4),
    "v6": (Lab.CLIENT6, Lab.PEER6, stun.IPV6),
    "v4_to_v6": (Lab.CLIENT, Lab.PEER6, stun.IPV6),
    "v6_to_v4": (Lab.CLIENT6, Lab.PEER, stun.IPV4),
}


def set_field(sock, option4, option6, value):
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, option6, value)
    else:
        sock.setsockopt(socket.IPPROTO_IP, option4, value)


@pytest.fixture(scope="module", autouse=True)
def whole_checksums(lab, relay):
    """Kernel sockets leave checksums to their netdev; here it has to make them itself, so that captures show them."""
    if relay.sockets:
        for device in ("s0", "s1"):
            lab.run("relay", "ethtool", "-K", device, "tx", "off")


@pytest.fixture
def exchange(lab, make_client, make_peer, tmp_path):
    """Relays payloads both ways; gives what arrived at the peer and what arrived at the client."""

    def run(family, payloads=(b"x",), prepare=lambda client, peer: None):
        client_ip, peer_ip, number = FAMILIES[family]
        client, peer = make_client(client_ip), make_peer(peer_ip)
        relayed = client.allocate(family=number)
        client.bind(CHANNEL, peer.getsockname()[:2])
        prepare(client.socket, peer)
        with Capture(lab, "peer", "p0", tmp_path / "peer.pcap") as at_peer, \
                Capture(lab, "client", "c0", tmp_path / "client.pcap") as at_client:
            for payload in payloads:
                client.send_channel(CHANNEL, payload)
                assert peer.recv(65535) == payload
                peer.sendto(payload, relayed)
                assert client.receive().payload == payload
        arrived = at_peer.packets(), at_client.packets()
        assert all(packet.intact for side in arrived for packet in side), arrived
        return arrived

    return run


@pytest.mark.parametrize("family", FAMILIES)
def test_c164_c168_ip_dscp_ecn_copied(exchange, family):
    tos = 0xB8 | 2  # EF, ECT(0)

    def mark(client, peer):
        for sock in (client, peer):
            set_field(sock, socket.IP_TOS, socket.IPV6_TCLASS, tos)

    at_peer, at_client = exchange(family, prepare=mark)
    assert [packet.tos for packet in at_peer + at_client] == [tos] * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_c166_c169_ip_ttl_decremented(exchange, family):
    def limit(client, peer):
        set_field(client, socket.IP_TTL, socket.IPV6_UNICAST_HOPS, 33)
        set_field(peer, socket.IP_TTL, socket.IPV6_UNICAST_HOPS, 44)

    at_peer, at_client = exchange(family, prepare=limit)
    assert ([packet.ttl for packet in at_peer], [packet.ttl for packet in at_client]) == ([32], [43])


@port_kinds("xdp")  # no socket tells the DF of what it received
@pytest.mark.parametrize("discover", [IP_PMTUDISC_DONT, IP_PMTUDISC_DO])
def test_c165_ip_df_copied(exchange, discover):
    def set_df(client, peer):
        for sock in (client, peer):
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)

    at_peer, at_client = exchange("v4", prepare=set_df)
    assert [packet.dont_fragment for packet in at_peer + at_client] == [discover == IP_PMTUDISC_DO] * 2


@port_kinds("xdp")  # nor whether it came in fragments
def test_c171_xlat_v6_to_v4_df_1260(exchange):
    """To IPv4: packets up to 1260 bytes with DF = 0, longer ones with DF = 1. 28 bytes of them are headers."""
    at_peer, _ = exchange("v6_to_v4", payloads=(bytes(100), bytes(1260 - 28), bytes(1261 - 28), bytes(1400)))
    assert [packet.dont_fragment for packet in at_peer] == [False, False, True, True]


def test_c170_xlat_flow_label_not_copied(exchange):
    label = 0x12345

    def lease_label(client, _):
        client.setsockopt(socket.IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, struct.pack(
            "=16s4sBBHHHI", socket.inet_pton(socket.AF_INET6, Lab.LISTEN6), struct.pack(">I", label), 0, 255, 1, 60, 60, 0))
        client.setsockopt(socket.IPPROTO_IPV6, IPV6_FLOWINFO_SEND, 1)
        client.connect((Lab.LISTEN6, 3478, label, 0))

    at_peer, _ = exchange("v6", prepare=lease_label)
    assert [packet.flow_label == label for packet in at_peer] == [False]


@port_kinds("xdp")  # elsewhere the kernel checks and makes checksums
@pytest.mark.parametrize("family", FAMILIES)
def test_c172_udp_checksum_of_partial_senders(lab, exchange, family):
    """The senders' veth offload is on: their checksums arrive half done, ours leave whole, for any length."""
    for role, device in (("client", "c0"), ("peer", "p0")):
        assert "tx-checksumming: on" in lab.run(role, "ethtool", "-k", device)
    at_peer, at_client = exchange(family, payloads=[bytes([length]) * length for length in range(1, 40)])
    assert len(at_peer) == len(at_client) == 39


@pytest.mark.parametrize("family", FAMILIES)
def test_c002_udp_checksum_carried_over(lab, exchange, family):
    """Senders that finish their checksums: ours are right as well."""
    for role, device in (("client", "c0"), ("peer", "p0")):
        lab.run(role, "ethtool", "-K", device, "tx", "off")
    try:
        exchange(family, payloads=[bytes([length]) * length for length in range(1, 40)])
    finally:
        for role, device in (("client", "c0"), ("peer", "p0")):
            lab.run(role, "ethtool", "-K", device, "tx", "on")


def test_c140_send_dont_fragment_sets_df(lab, make_client, make_peer, tmp_path):
    client, peer = make_client(), make_peer()
    client.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    client.allocate()
    client.permit(Lab.PEER)
    with Capture(lab, "peer", "p0", tmp_path / "peer.pcap") as at_peer:
        client.send(peer.getsockname(), b"free")
        client.send(peer.getsockname(), b"whole", (stun.DONT_FRAGMENT, b""))
        assert [peer.recv(100) for _ in range(2)] == [b"free", b"whole"]
    assert [packet.dont_fragment for packet in at_peer.packets()] == [False, True]


def test_c176_frag_output(lab, make_client, make_peer):
    """What the 4 bytes of the channel header make too big for the link, with DF = 0, arrives in fragments."""
    client, peer = make_client(), make_peer()
    peer.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    relayed = client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    for length in range(1468, 1473):  # 1468 + 4 is the last that fits
        payload = bytes([length & 0xFF]) * length
        peer.sendto(payload, relayed)
        assert client.receive().payload == payload


@port_kinds("xdp")  # the relay's kernel fragments
@pytest.mark.parametrize("family,longest", [("v4", 1472), ("v6", 1452)])
def test_c177_frag_too_big_reported(make_client, make_peer, family, longest):
    """DF = 1, or IPv6: the peer's kernel hears "too big" with room for a Data indication, 48 bytes less than 1500."""
    client_ip, peer_ip, number = FAMILIES[family]
    client, peer = make_client(client_ip), make_peer(peer_ip)
    relayed = client.allocate(family=number)
    client.bind(CHANNEL, peer.getsockname()[:2])
    set_field(peer, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_PMTUDISC_DO)
    peer.connect(relayed)
    assert path_mtu(peer) == 1500
    peer.send(bytes(longest))
    deadline = time.monotonic() + 3
    while path_mtu(peer) == 1500 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path_mtu(peer) == 1500 - 48
    assert client.receive(0.2) is None


def path_mtu(sock):
    return sock.getsockopt(*(socket.IPPROTO_IPV6, IPV6_MTU) if sock.family == socket.AF_INET6 else
                           (socket.IPPROTO_IP, IP_MTU))
