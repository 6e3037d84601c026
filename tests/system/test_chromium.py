# SPDX-License-Identifier: BSD-3-Clause
"""Chromium, the client that most calls have: two browsers that may only use the relay call each other through it."""

import contextlib
import time

import pytest

from certificate import Certificate
from chromium import MISSING, TURN_NAME, Browsers
from exchange import Exchange
from relay import Relay
from test_streams import wait_until

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")

PAGES = ("left", "right")
URLS = {"udp": f"turn:{TURN_NAME}:3478?transport=udp", "tcp": f"turn:{TURN_NAME}:3478?transport=tcp",
        "tls": f"turns:{TURN_NAME}:5349?transport=tcp"}
TIMEOUT = 40
FRAMES = 50  # of 75 that the camera takes while they are counted: an encoder may skip some on a busy machine

# ICE sends its first checks without waiting for the permissions, its own one and the other side's.
EXPECTED_DROPS, MOST_DROPS = {"send_no_permission", "relay_no_permission"}, 50


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("authority"), name="authority")


@pytest.fixture(scope="module")
def relay(lab, port_kind, authority, tmp_path_factory):
    certificate = Certificate(tmp_path_factory.mktemp("certificate"), name=TURN_NAME, issuer=authority)
    relay = Relay(lab, *certificate.options(), kind=port_kind)
    yield relay
    relay.stop()


def verdicts(exchange, browsers):
    """What each page says of the call."""
    deadline = time.monotonic() + TIMEOUT
    seen = {}
    while len(seen) < len(PAGES):
        verdict = exchange.hear("test", timeout=0.5)
        if verdict:
            assert "error" not in verdict, verdict
            seen[verdict["from"]] = verdict
        browsers.demand_alive()
        assert time.monotonic() < deadline, f"after {TIMEOUT} s only {list(seen)} of {PAGES} had a call"
    return seen


@contextlib.contextmanager
def call(lab, relay, authority, url):
    """Both pages after their measurements, still connected; gives what they saw. When they hang up no session stays."""
    exchange = Exchange(lab, [{"urls": url, "username": "alice", "credential": "secret"}], (*PAGES, "test"))
    with contextlib.closing(exchange):
        urls = [exchange.url(f"call.html?me={me}&other={other}") for me, other in (PAGES, PAGES[::-1])]
        browsers = Browsers(lab, urls, authority)
        try:
            yield verdicts(exchange, browsers)
            for page in PAGES:
                exchange.tell(page, {"hangup": True})
            wait_until(lambda: not relay.sessions())
        finally:
            browsers.stop()


@pytest.mark.parametrize("transport", URLS)
def test_c008_c231_chromium_calls_chromium(lab, relay, authority, transport):
    drops, kernel_udp = relay.drops(), relay.kernel_udp()
    with call(lab, relay, authority, URLS[transport]) as seen:
        sessions, drops = relay.sessions(), relay.drops() - drops
        assert relay.kernel_udp() == kernel_udp
    for verdict in seen.values():
        assert verdict["echo"] == {"sent": 200, "returned": 200, "intact": 200}
        assert verdict["video"]["frames"] >= FRAMES, verdict

    left, right = (seen[page]["pair"] for page in PAGES)
    for near, far in ((left, right), (right, left)):
        assert (near["local"]["candidateType"], near["remote"]["candidateType"]) == ("relay", "relay")
        assert near["local"]["relayProtocol"] == transport
        assert near["remote"]["endpoint"] == far["local"]["endpoint"]

    assert sorted(session["relays"] for session in sessions) == sorted([pair["local"]["endpoint"]] for pair in (left, right))
    for session in sessions:
        assert (session["transport"], session["media_dropped"]) == (transport, 0)
        assert any("channel" in peer for peer in session["peers"]), session
    assert drops.keys() <= EXPECTED_DROPS and drops.total() <= MOST_DROPS, drops
