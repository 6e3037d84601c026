# SPDX-License-Identifier: BSD-3-Clause
"""Floods of requests without credentials: bounded answers, small ones, and calls that go on."""

import socket

import pytest

import stun
from load import load, report, running, said
from netns import Lab
from pcap import Capture

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
    assert refused > 0.5 * result["sent"]
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
def test_amplification(lab, tmp_path):
    """Of answers to requests of nothing but a header, as tcpdump sees them."""
    client = lab.udp("client", Lab.CLIENT)
    with Capture(lab, "client", "c0", tmp_path / "answers.pcap") as capture:
        for method in (stun.BINDING, stun.ALLOCATE):
            request = stun.Message(method, stun.REQUEST).encode()
            assert len(request) == 20
            client.sendto(request, (Lab.LISTEN, 3478))
            client.recvfrom(2000)
    success, challenge = [len(packet.payload) for packet in capture.packets()]
    assert success == 32, "1.6 times"
    # ERROR-CODE, REALM, NONCE and PASSWORD-ALGORITHMS, all of which RFC 8489 section 9.2.4 demands.
    assert challenge == 20 + 8 + (4 + 12) + (4 + 32) + (4 + 8)


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("port", (53, 123, 1900))
def test_ports_that_reflect_get_no_answer(lab, port):
    client = lab.udp("client", Lab.CLIENT, port, timeout=0.5)
    client.sendto(stun.Message(stun.BINDING, stun.REQUEST).encode(), (Lab.LISTEN, 3478))
    with pytest.raises(socket.timeout):
        client.recvfrom(2000)
