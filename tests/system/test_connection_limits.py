# SPDX-License-Identifier: BSD-3-Clause
"""How many connections and handshakes may begin: a flood from one address leaves the others alone, and costs little."""

import contextlib
import ssl
import time

import pytest

from certificate import Certificate
from netns import Lab
from relay import Relay
from strangers import STRANGER, stranger
from test_dtls import client_hello, hello_verify
from turn_client import Messages, TurnClient

TLS_PORT = 5349
PER_SECOND, BURST = 20, 40
GREETINGS, GREETING_BURST = 50, 100


@pytest.fixture(scope="module")
def relay(lab, port_kind, tmp_path_factory):
    with stranger(lab):
        relay = Relay(lab, "--connection-ratelimit-cps", PER_SECOND, "--connection-total-cps", 1000,
                      "--unauthorized-ratelimit-rps", GREETINGS, "--max-connections-per-ip", 60,
                      *Certificate(tmp_path_factory.mktemp("certificate")).options(), kind=port_kind)
        yield relay
        relay.stop()


def clients(relay):
    return relay.ctl("status")["clients"]


def is_open(sock):
    sock.settimeout(0.001)
    with contextlib.suppress(TimeoutError, BlockingIOError):
        return sock.recv(1) != b""
    return True


def served(lab, tls):
    """Whether the usual client gets an allocation over a connection."""
    sock = lab.tcp("client", Lab.CLIENT, (Lab.LISTEN, TLS_PORT))
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    client = TurnClient(Messages(sock), None)
    relayed = client.allocate()
    client.refresh(0)
    client.close()
    return bool(relayed)


def test_a_flood_of_connections(lab, relay):
    before, began = clients(relay), time.monotonic()
    flood = [lab.tcp("client", STRANGER, (Lab.LISTEN, TLS_PORT)) for _ in range(150)]
    assert served(lab, tls=True) and served(lab, tls=False)
    left = [sock for sock in flood if is_open(sock)]
    most = BURST + PER_SECOND * (time.monotonic() - began) + 1
    assert BURST <= len(left) <= most
    after = clients(relay)
    refused = after["refused_source_rate"] + after["refused_source"] - before["refused_source_rate"] - before["refused_source"]
    assert refused == len(flood) - len(left)
    for sock in flood:
        sock.close()


def test_a_flood_of_dtls_greetings(lab, relay):
    """They leave no state, and get a bounded number of answers, none larger than its greeting."""
    before = clients(relay)
    sock = lab.udp("client", STRANGER)
    hello = client_hello()
    for _ in range(10):
        for _ in range(100):
            sock.sendto(hello, (Lab.LISTEN, TLS_PORT))
        time.sleep(0.02)
    usual = lab.udp("client", Lab.CLIENT)
    usual.sendto(hello, (Lab.LISTEN, TLS_PORT))
    assert hello_verify(usual)
    deadline = time.monotonic() + 5
    while clients(relay)["greetings_over_rate"] < before["greetings_over_rate"] + 700:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    answers = []
    sock.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while True:
            answers.append(len(sock.recv(2000)))
    assert GREETING_BURST <= len(answers) <= GREETING_BURST + 4 * GREETINGS and max(answers) <= len(hello)
    assert clients(relay)["dtls_sessions"] == 0
    sock.close()
    usual.close()


def test_a_flood_of_dtls_handshakes(lab, relay):
    """Whoever proves his address may begin as many as by TCP."""
    before = clients(relay)
    time.sleep(2)  # the greetings' bucket is full again
    for _ in range(48):
        sock = lab.udp("client", STRANGER)
        sock.sendto(client_hello(), (Lab.LISTEN, TLS_PORT))
        sock.sendto(client_hello(hello_verify(sock)), (Lab.LISTEN, TLS_PORT))
        sock.close()
    after = clients(relay)
    assert after["refused_source_rate"] > before["refused_source_rate"] and BURST <= after["dtls_sessions"] < 48
    assert served(lab, tls=True)
