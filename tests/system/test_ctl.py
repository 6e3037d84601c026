# SPDX-License-Identifier: BSD-3-Clause
"""turnpikectl shows what happens, while it happens."""

import time

from netns import ROOT, Lab
from relay import PRESET
import stun

BINARIES = ROOT / "build" / PRESET / "bin"
CHANNEL = 0x4000
SETTLE = 0.3  # counters are published between bursts


def test_status(relay):
    status = relay.ctl("status")
    assert status["realm"] == "example.org" and status["relay_ports"] == {"min": 49152, "max": 65535}
    assert f"{Lab.LISTEN}:3478" in status["listening"] and f"[{Lab.LISTEN6}]:3478" in status["listening"]
    assert [relay["address"] for relay in status["relay"]] == [Lab.RELAY, Lab.RELAY6]
    assert all(port["link_up"] for port in status["ports"]) and len(status["ports"]) == 2
    for worker in status["workers"]:
        assert worker["heartbeat_age_ms"] < 2000, worker


def test_session_counters_live(relay, make_client, make_peer):
    client, peer = make_client(), make_peer()
    relayed = client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    name = "{}:{}".format(*client.socket.getsockname())

    def session():
        time.sleep(SETTLE)
        return next(session for session in relay.sessions() if session["client"] == name)

    before = session()
    assert before["user"] == "alice" and before["relays"] == ["{}:{}".format(*relayed)]
    assert before["to_peer"]["packets"] == before["to_client"]["packets"] == 0
    assert any(entry.get("channel") == CHANNEL and entry["peer"] == "{}:{}".format(*peer.getsockname())
               for entry in before["peers"])
    for _ in range(7):
        client.send_channel(CHANNEL, bytes(100))
        peer.recv(200)
    for _ in range(3):
        peer.sendto(bytes(50), relayed)
        client.receive()
    after = session()
    assert (after["to_peer"]["packets"], after["to_client"]["packets"]) == (7, 3)
    assert after["to_peer"]["bytes"] >= 700 and after["to_client"]["bytes"] >= 150
    client.refresh(0)
    client.relayed = []
    assert name not in [session["client"] for session in relay.sessions()]


def test_drops_name_the_reason(relay, make_client, make_peer):
    client, stranger, peer = make_client(), make_client(), make_peer()
    relayed = client.allocate()
    client.permit("10.0.2.77")
    causes = {
        "first_byte_reserved": lambda: client.socket.sendto(b"\xff" * 20, client.server),
        "stun_header": lambda: client.socket.sendto(b"\0\1\0\0" + bytes(16), client.server),
        "channel_unbound": lambda: client.send_channel(0x4ABC, b"?"),
        "send_no_allocation": lambda: stranger.send(peer.getsockname(), b"?"),
        "send_no_permission": lambda: client.send(peer.getsockname(), b"?"),
        "send_malformed": lambda: client.socket.sendto(stun.Message(stun.SEND, stun.INDICATION).encode(), client.server),
        "relay_no_permission": lambda: peer.sendto(b"?", relayed),
        "binding_indication": lambda: client.socket.sendto(stun.Message(stun.BINDING, stun.INDICATION).encode(),
                                                           client.server),
    }
    for reason, cause in causes.items():
        before = relay.drops()
        for _ in range(5):
            cause()
        time.sleep(SETTLE)
        assert relay.drops() - before == {reason: 5}


def test_perf_says_where_the_time_goes(lab, relay, make_client, make_peer):
    """Bursts and busy time are counted always, stages are timed in one pass of 64."""
    client, peer = make_client(), make_peer()
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    for _ in range(200):
        client.send_channel(CHANNEL, bytes(120))
        peer.recv(2000)
    worker = relay.ctl("perf")["workers"][0]
    assert worker["busy_ns"] > 0 and worker["burst_1"] >= 200
    assert worker["passes"] >= 2 and worker["packets"] >= 2
    assert worker["channel_cycles"] > 0 and worker["receive_cycles"] > 0 and worker["transmit_cycles"] > 0
    assert worker["commands_high"] > 0 and worker["events_high"] > 0
    text = lab.run("relay", BINARIES / "turnpikectl", "perf", "--seconds", "0")
    header, row = text.splitlines()[1:3]
    cycles = dict(zip(header.split(), row.replace(" %", "%").split()))
    assert int(cycles["CYCLES/PACKET"]) > 0 and int(cycles["channel"]) > 0
    assert "IDLE" in cycles and "HAND-OVER HIGH" in text


def test_text_forms(lab, relay, make_client):
    make_client().allocate()
    ctl = relay.binaries / "turnpikectl"
    assert f"{Lab.LISTEN}:3478" in lab.run("relay", ctl, "status")
    assert f"{Lab.CLIENT}:" in lab.run("relay", ctl, "sessions")
    lab.run("relay", ctl, "drops")
    report = lab.run("relay", ctl, "no-such-verb", check=False)
    assert "no-such-verb" in report


def test_without_a_relay_it_says_so(lab):
    report = lab.run("peer", "sh", "-c", '"$0" status; echo code=$?', BINARIES / "turnpikectl")
    assert "code=0" not in report and len(report.splitlines()) == 2, report

