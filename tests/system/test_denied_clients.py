# SPDX-License-Identifier: BSD-3-Clause
"""--denied-client-ip: no answer on any transport, and the others are served as ever."""

import re
import socket
import struct
import time

import pytest

from certificate import Certificate
from netns import ROOT, Lab
from relay import PRESET, Relay
from silence import assert_silent
import stun
from strangers import STRANGER, STRANGER6, stranger
from test_dtls import client_hello
from turn_client import Messages, TurnClient

TLS_PORT, PROXY_PORT = 5349, 3500


@pytest.fixture(scope="module")
def relay(lab, port_kind, tmp_path_factory):
    with stranger(lab):
        relay = Relay(lab, "--denied-client-ip", "10.0.0.0/8", "--allowed-client-ip", Lab.CLIENT,
                      "--denied-client-ip", f"{STRANGER6}-{STRANGER6}", "--tcp-proxy-port", PROXY_PORT,
                      *Certificate(tmp_path_factory.mktemp("certificate")).options(), kind=port_kind)
        yield relay
        relay.stop()


def clients(relay):
    return relay.ctl("status")["clients"]


def wait_for(what):
    deadline = time.monotonic() + 5
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("host", (STRANGER, STRANGER6))
def test_udp_is_silent(lab, relay, host):
    server = Lab.LISTEN6 if ":" in host else Lab.LISTEN
    sock = lab.udp("client", host)
    dropped, punted = relay.drops()["client_denied"], relay.counters()["stun_to_control"]
    for method in (stun.BINDING, stun.ALLOCATE):
        sock.sendto(stun.Message(method, stun.REQUEST).encode(), (server, 3478))
    assert_silent(sock)
    wait_for(lambda: relay.drops()["client_denied"] == dropped + 2)
    assert relay.counters()["stun_to_control"] == punted
    sock.close()


@pytest.mark.parametrize("port", (3478, TLS_PORT))
@pytest.mark.parametrize("host", (STRANGER, STRANGER6))
def test_dtls_is_silent(lab, relay, host, port):
    """By the worker where it reads the port itself, else by control."""
    sock = lab.udp("client", host)
    before = relay.drops()["client_denied"] + clients(relay)["refused_denied"]
    sock.sendto(client_hello(), (Lab.LISTEN6 if ":" in host else Lab.LISTEN, port))
    assert_silent(sock)
    wait_for(lambda: relay.drops()["client_denied"] + clients(relay)["refused_denied"] == before + 1)
    sock.close()


@pytest.mark.parametrize("port", (3478, TLS_PORT))
@pytest.mark.parametrize("host", (STRANGER, STRANGER6))
def test_connections_are_closed_unread(lab, relay, host, port):
    """Before TLS has cost anything."""
    before = clients(relay)["refused_denied"]
    stream = Messages(lab.tcp("client", host, (Lab.LISTEN6 if ":" in host else Lab.LISTEN, port)))
    assert stream.receive(5) == b""
    assert clients(relay)["refused_denied"] == before + 1
    stream.close()


def test_behind_a_proxy_the_clients_address_counts(lab, relay):
    before = clients(relay)
    for host, served in ((STRANGER, False), ("198.51.100.7", True)):
        sock = lab.tcp("client", Lab.CLIENT, (Lab.LISTEN, PROXY_PORT))
        addresses = socket.inet_aton(host) + socket.inet_aton(Lab.LISTEN) + struct.pack(">HH", 4000, 3478)
        sock.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(addresses)) + addresses)
        if served:
            assert TurnClient(Messages(sock), None).binding() == (host, 4000)
        else:
            assert Messages(sock).receive(5) == b""
        sock.close()
    after = clients(relay)
    assert after["closed_refused"] == before["closed_refused"] + 1
    assert after["refused_denied"] == before["refused_denied"] + 1


@pytest.mark.parametrize("host", (Lab.CLIENT, Lab.CLIENT6))
def test_others_are_served(lab, relay, host):  # pylint: disable=unused-argument
    """Of several ranges the smallest decides."""
    server = (Lab.LISTEN6 if ":" in host else Lab.LISTEN, 3478)
    for sock in (lab.udp("client", host), Messages(lab.tcp("client", host, server))):
        client = TurnClient(sock, server)
        assert client.allocate()
        client.refresh(0)
        client.close()


def test_a_wrong_range_is_named(lab):
    report = lab.run("relay", "sh", "-c", '"$0" "$@" 2>&1; true', ROOT / "build" / PRESET / "bin/turnpike-control", "--no-auth", "--check-config", "--denied-client-ip",
                     "10.0.0.0/99")
    assert re.search("denied-client-ip=10.0.0.0/99: .*prefix length", report), report
