# SPDX-License-Identifier: BSD-3-Clause
"""Who may be a peer: every form of address that leads where no client should come, on every way to a peer.

Each range of the default deny list, closed and opened by --allowed-peer-ip, by CreatePermission, ChannelBind and Send
indication; our own services, which nothing opens."""

import itertools
import struct
import time

import pytest

from certificate import Certificate
from netns import Lab
from relay import ADDRESSES, PORTS, USERS, Relay
import stun
from test_dtls import client_hello
from turn_client import Messages, TurnClient

PORT = 9999
TLS_PORT, PROXY_PORT = 5349, 3500
SETTLE = 0.3  # counters are published between bursts

# range: an address that stays closed, one that --allowed-peer-ip opens
RANGES = {
    "this network": ("0.1.2.3", "0.1.2.4"),
    "private 10/8": ("10.200.0.1", "10.200.0.2"),
    "carrier-grade NAT": ("100.64.0.1", "100.127.255.254"),
    "loopback": ("127.0.0.1", "127.255.0.2"),
    "link-local, cloud metadata": ("169.254.169.254", "169.254.0.2"),
    "private 172.16/12": ("172.16.0.1", "172.31.255.254"),
    "IETF protocols": ("192.0.0.1", "192.0.0.170"),
    "documentation 1": ("192.0.2.1", "192.0.2.2"),
    "6to4 relay anycast": ("192.88.99.1", "192.88.99.2"),
    "private 192.168/16": ("192.168.0.1", "192.168.255.254"),
    "benchmarking": ("198.18.0.1", "198.19.255.254"),
    "documentation 2": ("198.51.100.1", "198.51.100.2"),
    "documentation 3": ("203.0.113.1", "203.0.113.2"),
    "multicast": ("224.0.0.1", "239.255.255.250"),
    "reserved": ("240.0.0.1", "250.0.0.1"),
    "IPv4-compatible": ("::10.200.0.1", "::10.200.0.2"),
    "IPv4-mapped": ("::ffff:10.200.0.1", "::ffff:10.200.0.2"),
    "NAT64": ("64:ff9b::10.200.0.1", "64:ff9b::10.200.0.2"),
    "local NAT64": ("64:ff9b:1::10.200.0.1", "64:ff9b:1::10.200.0.2"),
    "discard": ("100::1", "100::2"),
    "documentation IPv6": ("2001:db8::1", "2001:db8:ffff::2"),
    "unique local": ("fc00::1", "fdff:ffff::2"),
    "link-local IPv6": ("fe80::1", "febf::2"),
    "site-local": ("fec0::1", "feff::2"),
    "multicast IPv6": ("ff02::1", "ff0e::2"),
}
# Closed whatever is opened: Teredo and 6to4 (opened below), the unspecified and limited broadcast addresses, and addresses
# of opened IPv6 ranges whose embedded IPv4 address is closed.
NEVER = ("0.0.0.0", "255.255.255.255", "::", "::1", "2001::1", "2001:0:102:304::f5ff:fffe", "2002:808:808::1", "2002:a00:202::1",
         "::ffff:127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::192.168.0.1", "64:ff9b::127.0.0.1")
OPENED = [opened for _, opened in RANGES.values()]
OPENED_RANGES = [*OPENED, "2001::/32", "2002::/16", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0/96", Lab.LISTEN, Lab.LISTEN6, "10.0.2.0/24"]
ORDINARY = ("8.8.8.8", "2a00:1450::1", "64:ff9b::8.8.8.8")
SERVICES = [(host, port) for host in (Lab.LISTEN, Lab.LISTEN6) for port in (3478, TLS_PORT, PROXY_PORT)]
HIDDEN = [(form + Lab.LISTEN, 3478) for form in ("::ffff:", "64:ff9b::", "::")]


@pytest.fixture(scope="module")
def relay(lab, port_kind, tmp_path_factory):
    opened = [word for address in OPENED_RANGES for word in ("--allowed-peer-ip", address)]
    relay = Relay(lab, *opened, *Certificate(tmp_path_factory.mktemp("certificate")).options(), "--tcp-proxy-port", PROXY_PORT,
                  base=PORTS[port_kind] + ADDRESSES + USERS, kind=port_kind)
    yield relay
    relay.stop()


@pytest.fixture(params=("udp", "tcp"))
def client(lab, relay, request):  # pylint: disable=unused-argument
    """With relayed addresses of both families, on a connection too: its indications pass through control."""
    server = (Lab.LISTEN, 3478)
    sock = lab.udp("client", Lab.CLIENT) if request.param == "udp" else Messages(lab.tcp("client", Lab.CLIENT, server))
    client = TurnClient(sock, server)
    client.allocate((stun.ADDITIONAL_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0])))
    yield client
    client.refresh(0)
    client.close()


def permission(client, peer):
    """The error code, or None."""
    return client.request(stun.CREATE_PERMISSION, addresses=[(stun.XOR_PEER_ADDRESS, peer)], check=False).error


def channel(client, number, peer):
    return client.request(stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, struct.pack(">HH", number, 0))],
                          [(stun.XOR_PEER_ADDRESS, peer)], check=False).error


def without_permission(relay):
    """Send indications dropped so far, by the workers and by control."""
    time.sleep(SETTLE)
    return relay.drops()["send_no_permission"] + relay.ctl("status")["server"]["dropped_no_permission"]


def closed():
    return [address for address, _ in RANGES.values()] + list(NEVER)


def test_c225_closed_on_every_way(relay, client):
    codes = {address: (permission(client, (address, PORT)), channel(client, 0x4000, (address, PORT))) for address in closed()}
    assert {address: code for address, code in codes.items() if code != (403, 403)} == {}
    before = without_permission(relay)
    for address in closed():
        client.send((address, PORT), b"into the network")
    assert without_permission(relay) - before == len(closed())
    assert client.receive(0) is None


def test_c225_opened_on_every_way(relay, client):
    """Where the operator says so. A channel is bound first: it makes a permission too."""
    addresses = [*OPENED, *ORDINARY]
    numbers = itertools.count(0x4000)
    codes = {address: (channel(client, next(numbers), (address, PORT)), permission(client, (address, PORT)))
             for address in addresses}
    assert {address: code for address, code in codes.items() if code != (None, None)} == {}
    before = without_permission(relay)
    for address in addresses:
        client.send((address, PORT), b"as the operator wants")
    assert without_permission(relay) == before


def test_own_services_are_no_peers(lab, relay, client):
    """Listening ports of every transport, in every form, though the addresses are opened; the admin socket has no port."""
    for peer in SERVICES:
        assert channel(client, 0x4000, peer) == 403, peer
    for peer in HIDDEN:
        assert channel(client, 0x4000, peer) == 403, peer
    answered = relay.counters()["binding_answered"]
    heard = stun.Message(stun.BINDING, stun.REQUEST).encode()
    for host, port in [*SERVICES, *HIDDEN]:
        permission(client, (host, port))  # granted on kernel sockets, where other programs may live beside us
        client.send((host, port), heard)
        client.send((host, port), client_hello())  # DTLS would answer by a cookie
    assert client.receive(SETTLE) is None
    assert relay.counters()["binding_answered"] == answered
    peer = lab.udp("peer", Lab.PEER)
    client.permit(Lab.PEER)
    client.send(peer.getsockname(), b"a peer hears")
    assert peer.recv(100) == b"a peer hears"
    peer.close()
