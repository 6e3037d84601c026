# SPDX-License-Identifier: BSD-3-Clause
"""Floods of requests without credentials: bounded answers, small ones, and calls that go on."""

import socket

import pytest

import stun
from amplification import HEADERS, measure
from load import load, report, running, said
from netns import Lab
from spoof import Wire

PER_SECOND, BURST, SECONDS = 1000, 2000, 1


def flood(lab, kind, **options):
    more = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    return load(lab, "--mode", "invalid", "--flood", kind, "--sessions", 4, "--rate", 20000, "--seconds", SECONDS, *more)


@pytest.mark.parametrize("kind, answer", (("binding", "success"), ("allocate", "401"), ("wrong-password", "401")))
def test_a_source_gets_so_many_answers(lab, relay, kind, answer):
    """Only those who show a nonce of ours reach control, and of them as few."""
    before, punted = relay.drops(), relay.counters()["stun_to_control"]
    result = flood(lab, kind, first_port=13000)
    # The program's own requests before and after are of the same source.
    most = BURST + PER_SECOND * (SECONDS + 2)
    assert 0 < result["answers"][answer] <= most
    refused = relay.drops()["source_over_rate"] - before["source_over_rate"]
    assert refused > result["answered"]
    assert relay.counters()["stun_to_control"] - punted < (most if kind == "wrong-password" else 100)


def test_calls_go_on_beside_a_flood(lab, relay):
    """From the same address as the flood: who has an allocation is not counted, and may refresh."""
    refused = relay.drops()["source_over_rate"]
    with running(lab, "--sessions", 4, "--rate", 1000, "--seconds", 3, "--refresh", 1, "--direction", "both", "--first-port", 14000) as process:
        said(process, "measuring")
        flood(lab, "allocate", first_port=15000)
        result = report(process)
    assert relay.drops()["source_over_rate"] > refused
    assert result["loss"] < 0.001 and result["refreshes"] >= 8 and not result["refresh_failures"]


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("family", (4, 6))
def test_amplification(lab, tmp_path, family):
    """IP packets as tcpdump sees them. Nobody who has proved nothing gets more than RFC 8489 section 9.2.4 demands."""
    found = {one.name: one for one in measure(lab, tmp_path / "both.pcap", family)}
    headers = HEADERS[family]
    success = found["binding"]
    assert success.answer == "success" and success.request == 20 + headers
    assert success.answers == 20 + (12 if family == 4 else 24) + headers and success.factor <= 1.6
    # ERROR-CODE, REALM, NONCE and PASSWORD-ALGORITHMS.
    challenge = 20 + 8 + (4 + 12) + (4 + 32) + (4 + 8) + headers
    for name in ("allocate", "allocate, bare", "refresh", "stale nonce", "wrong password"):
        assert found[name].answer == ("438" if name == "stale nonce" else "401"), name
        assert found[name].answers == challenge, name
    # Who knows the password is answered; yet less than he sent.
    for name in ("refresh without allocation", "permission without allocation"):
        assert found[name].answer in ("437", "400") and found[name].factor < 1, found[name]
    for name in ("indication", "response", "channel data", "garbage"):
        assert found[name].answers == 0 and found[name].answer == "nothing", name


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("port", (53, 123, 1900))
def test_ports_that_reflect_get_no_answer(lab, port):
    client = lab.udp("client", Lab.CLIENT, port, timeout=0.5)
    client.sendto(stun.Message(stun.BINDING, stun.REQUEST).encode(), (Lab.LISTEN, 3478))
    with pytest.raises(socket.timeout):
        client.recvfrom(2000)


SOURCES = {4: ("10.0.1.1", "127.0.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
           6: ("fd00:1::1", "::", "::1", "::ffff:10.0.1.2", "ff02::1", "ff0e::c")}


@pytest.mark.parametrize("family", SOURCES)
def test_nobody_is_answered_who_cannot_have_asked(lab, relay, family):
    """The relay's own addresses, loopback, multicast, broadcast, and ports that reflect; a client that asks last is answered."""
    host = Lab.CLIENT if family == 4 else Lab.CLIENT6
    server = Lab.LISTEN if family == 4 else Lab.LISTEN6
    level = relay.counters()["mbufs_in_use"]
    with Wire(lab, "client", "c0", "relay", "s0") as wire:
        for method in (stun.BINDING, stun.ALLOCATE):
            request = stun.Message(method, stun.REQUEST).encode()
            for source in SOURCES[family]:
                for port in (40_000, 3478):
                    wire.send((source, port), (server, 3478), request)
            for port in (0, 7, 19, 53):
                wire.send((host, port), (server, 3478), request)
        wire.send((host, 40_001), (server, 3478), stun.Message(stun.BINDING, stun.REQUEST).encode())
        answers = wire.until(lambda packet: packet.destination == (host, 40_001))
    assert [packet.destination for packet in answers if packet.source == (server, 3478)] == [(host, 40_001)]
    relay.wait_buffers(level)
