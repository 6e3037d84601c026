# SPDX-License-Identifier: BSD-3-Clause
"""Requests end to end: authentication, allocations, retransmissions. Rows of the protocol checklist by their numbers."""

import struct

import pytest

from netns import Lab
from silence import assert_silent
import stun
from turn_client import TurnError

TRANSPORT_UDP = (stun.REQUESTED_TRANSPORT, bytes([17, 0, 0, 0]))


def refused(client, method, attributes=(), addresses=()):
    """The error code that a request gets."""
    with pytest.raises(TurnError) as error:
        client.request(method, attributes, addresses)
    return error.value.code


@pytest.mark.parametrize("host", [Lab.CLIENT, Lab.CLIENT6])
def test_c066_binding_success(make_client, host):
    client = make_client(host)
    assert client.binding() == client.socket.getsockname()[:2]


def test_c068_binding_indication_no_response(make_client):
    client = make_client()
    client.socket.sendto(stun.Message(stun.BINDING, stun.INDICATION).encode(), client.server)
    assert_silent(client.socket)


def test_c069_binding_on_allocated_5tuple(make_client):
    client = make_client()
    client.allocate()
    assert client.binding() == client.socket.getsockname()[:2]


def test_c031_fingerprint_echo(make_client):
    client = make_client()
    for fingerprint in (False, True):
        message = stun.Message(stun.BINDING, stun.REQUEST)
        response = client.transact(message, raw=message.encode(fingerprint=fingerprint))
        assert (response.get(stun.FINGERPRINT) is not None) == fingerprint


def test_c028_fingerprint_mismatch_dropped(make_client):
    client = make_client()
    raw = bytearray(stun.Message(stun.BINDING, stun.REQUEST).encode(fingerprint=True))
    raw[-1] ^= 1
    client.socket.sendto(raw, client.server)
    assert_silent(client.socket)


def test_c010_c011_not_stun_dropped(make_client):
    client = make_client()
    good = stun.Message(stun.BINDING, stun.REQUEST).encode()
    for raw in (good[:19], good + b"\0" * 4, good[:4] + b"\x21\x12\xa4\x43" + good[8:], good[:3] + b"\x01" + good[4:], b"",
                b"\0"):
        client.socket.sendto(raw, client.server)
    assert_silent(client.socket)


def test_c043_no_integrity_401(make_client):
    client = make_client()
    response = client.transact(stun.Message(stun.ALLOCATE, stun.REQUEST, [TRANSPORT_UDP]))
    assert response.error == 401 and response.get(stun.REALM) == b"example.org"
    nonce = response.get(stun.NONCE)
    assert nonce.startswith(b"obMatJos2") and len(nonce) < 128
    for absent in (stun.USERNAME, stun.USERHASH, stun.MESSAGE_INTEGRITY, stun.MESSAGE_INTEGRITY_SHA256):
        assert response.get(absent) is None


def test_c053_nonce_unique_per_client(make_client):
    nonces = {make_client().transact(stun.Message(stun.ALLOCATE, stun.REQUEST, [TRANSPORT_UDP])).get(stun.NONCE)
              for _ in range(20)}
    assert len(nonces) == 20


@pytest.mark.parametrize("algorithm", [stun.MD5, stun.SHA256])
def test_c037_long_term_keys(make_client, algorithm):
    client = make_client(algorithm=algorithm)
    assert client.allocate()[0] == Lab.RELAY
    assert client.allocation.get(stun.MESSAGE_INTEGRITY_SHA256) is not None  # C-040: as negotiated


def test_c051_pwalg_absent_means_md5(make_client):
    """A client of RFC 5389 knows no PASSWORD-ALGORITHMS: MD5 key and MESSAGE-INTEGRITY, both ways."""
    client = make_client()
    client._learn(client.transact(stun.Message(stun.ALLOCATE, stun.REQUEST, [TRANSPORT_UDP])))
    client.algorithms = None
    assert client.allocate()[0] == Lab.RELAY
    assert client.allocation.get(stun.MESSAGE_INTEGRITY) is not None


@pytest.mark.parametrize("user,password", [("alice", "wrong"), ("nobody", "secret")])
def test_c045_c046_bad_credentials_401(make_client, user, password):
    client = make_client(user=user, password=password)
    assert refused(client, stun.ALLOCATE, [TRANSPORT_UDP]) == 401


def test_c048_foreign_nonce_438(make_client):
    """A nonce of another client; the answer's own nonce then works."""
    giver, taker = make_client(), make_client()
    giver.allocate()
    taker.realm, taker.nonce, taker.algorithms = giver.realm, giver.nonce, giver.algorithms
    message = stun.Message(stun.ALLOCATE, stun.REQUEST, [TRANSPORT_UDP])
    assert taker.transact(message, **taker._sign(message)).error == 438
    assert taker.allocate()


def test_c058_other_user_441(make_client):
    client = make_client()
    client.allocate()
    client.user, client.password = "bob", "hidden"
    assert refused(client, stun.REFRESH) == 441
    client.user, client.password = "alice", "secret"
    assert client.refresh() == 600


def test_c061_allocate_retransmit_same_relay(make_client):
    client = make_client()
    client._learn(client.transact(stun.Message(stun.ALLOCATE, stun.REQUEST, [TRANSPORT_UDP])))
    message = stun.Message(stun.ALLOCATE, stun.REQUEST, [TRANSPORT_UDP])
    raw = message.encode(**client._sign(message))
    answers = {client.transact(message, raw=raw).address(stun.XOR_RELAYED_ADDRESS) for _ in range(3)}
    client.relayed = list(answers)
    assert len(answers) == 1 and answers != {None}


def test_c062_allocate_new_txid_437(make_client):
    client = make_client()
    client.allocate()
    assert refused(client, stun.ALLOCATE, [TRANSPORT_UDP]) == 437


def test_c106_no_allocation_437(make_client, make_peer):
    client, peer = make_client(), make_peer().getsockname()
    assert refused(client, stun.REFRESH) == 437
    assert refused(client, stun.CREATE_PERMISSION, addresses=[(stun.XOR_PEER_ADDRESS, peer)]) == 437
    assert refused(client, stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, b"\x40\0\0\0")],
                   [(stun.XOR_PEER_ADDRESS, peer)]) == 437


def test_c078_c079_alloc_transport(make_client):
    client = make_client()
    assert refused(client, stun.ALLOCATE) == 400
    assert refused(client, stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, bytes([99, 0, 0, 0]))]) == 442


def test_c086_alloc_default_family_ipv4(make_client):
    assert make_client(Lab.CLIENT6).allocate()[0] == Lab.RELAY


def test_c090_alloc_dual_full(make_client, make_peer):
    client = make_client()
    client.allocate((stun.ADDITIONAL_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0])))
    relayed = dict(zip(("v4", "v6"), sorted(client.relayed)))
    assert relayed["v4"][0] == Lab.RELAY and relayed["v6"][0] == Lab.RELAY6
    for host, source in ((Lab.PEER, relayed["v4"]), (Lab.PEER6, relayed["v6"])):
        peer = make_peer(host)
        client.permit(host)
        client.send(peer.getsockname()[:2], b"dual")
        payload, came_from = peer.recvfrom(100)
        assert (payload, came_from[:2]) == (b"dual", source)


def test_c097_c098_even_port_and_reservation(make_client):
    first, second = make_client(), make_client()
    host, port = first.allocate((stun.EVEN_PORT, b"\x80"))
    assert port % 2 == 0
    token = first.allocation.get(stun.RESERVATION_TOKEN)
    assert second.allocate((stun.RESERVATION_TOKEN, token)) == (host, port + 1)
    assert refused(make_client(), stun.ALLOCATE, [TRANSPORT_UDP, (stun.RESERVATION_TOKEN, token)]) == 508


@pytest.mark.parametrize("asked,granted", [(None, 600), (0, 600), (1, 600), (599, 600), (1200, 1200), (100000, 3600)])
def test_c099_alloc_lifetime_rules(make_client, asked, granted):
    client = make_client()
    client.allocate(lifetime=asked)
    assert client.allocation.number(stun.LIFETIME) == granted


def test_c100_alloc_response_attrs(make_client):
    client = make_client()
    host, port = client.allocate()
    assert host == Lab.RELAY and 49152 <= port <= 65535
    assert client.mapped == client.socket.getsockname()
    assert client.allocation.number(stun.LIFETIME) == 600
    assert client.allocation.get(stun.SOFTWARE)


def test_c095_relay_address_unique(make_client):
    clients = [make_client() for _ in range(50)]
    assert len({client.allocate() for client in clients}) == 50


def test_c019_unknown_required_420(make_client):
    client = make_client()
    with pytest.raises(TurnError) as error:
        client.request(stun.ALLOCATE, [TRANSPORT_UDP, (0x7ABC, b""), (0x7ABD, b"x")])
    assert error.value.code == 420
    unknown = error.value.response.get(stun.UNKNOWN_ATTRIBUTES)
    assert set(struct.unpack(f">{len(unknown) // 2}H", unknown)) == {0x7ABC, 0x7ABD}


def test_c064_createperm_channelbind_retransmit(make_client, make_peer):
    client, peer = make_client(), make_peer()
    client.allocate()
    for method, attributes in ((stun.CREATE_PERMISSION, []), (stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, b"\x40\0\0\0")])):
        message = stun.Message(method, stun.REQUEST, attributes)
        message.add_address(stun.XOR_PEER_ADDRESS, peer.getsockname())
        raw = message.encode(**client._sign(message))
        assert [client.transact(message, raw=raw).kind for _ in range(2)] == [stun.SUCCESS] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "169.254.1.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "224.0.0.1",
                                  "240.0.0.1", "255.255.255.255", "192.0.2.1"])
def test_c225_peer_policy_defaults(make_client, host):
    """Only 10/8 was opened by option; everything else of the default list stays forbidden on every way to a peer."""
    client = make_client()
    client.allocate()
    assert refused(client, stun.CREATE_PERMISSION, addresses=[(stun.XOR_PEER_ADDRESS, (host, 9))]) == 403
    assert refused(client, stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, b"\x40\0\0\0")],
                   [(stun.XOR_PEER_ADDRESS, (host, 9))]) == 403


@pytest.mark.parametrize("host", ["::1", "::", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:192.168.1.1", "64:ff9b::7f00:1", "2002:7f00:1::",
                                  "2001:db8::1"])
def test_c225_peer_policy_defaults_v6(make_client, host):
    client = make_client(Lab.CLIENT6)
    client.allocate(family=stun.IPV6)
    assert refused(client, stun.CREATE_PERMISSION, addresses=[(stun.XOR_PEER_ADDRESS, (host, 9))]) == 403


def test_own_service_port_is_no_peer(make_client):
    client = make_client()
    client.allocate()
    assert refused(client, stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, b"\x40\0\0\0")],
                   [(stun.XOR_PEER_ADDRESS, (Lab.LISTEN, 3478))]) == 403


def test_c115_peer_family_443(make_client):
    client = make_client()
    client.allocate()
    assert refused(client, stun.CREATE_PERMISSION, addresses=[(stun.XOR_PEER_ADDRESS, (Lab.PEER6, 9))]) == 443
