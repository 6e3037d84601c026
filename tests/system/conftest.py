# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the system tests: a lab for each module, a relay in it, clients and peers."""

import os
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent / "pci")]

import stun  # noqa: E402
from netns import Lab, can_make_namespaces  # noqa: E402
from relay import Relay  # noqa: E402
from turn_client import TurnClient  # noqa: E402


# A minute and more each: begun first, so that no process is left with one of them at the end.
LONG = ("test_load", "test_streams", "test_user_databases", "test_coturn_clients", "test_socket_port", "test_pci", "test_port_bench")


@pytest.hookimpl(tryfirst=True)  # xdist looks for the marks
def pytest_collection_modifyitems(items):
    """What has a lab or relay in common runs in one process, one after the other; see scripts/test."""
    for item in items:
        kind = item.callspec.params.get("port_kind", "") if hasattr(item, "callspec") else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{kind}"))
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
    reason = "needs root" if os.geteuid() != 0 else "" if can_make_namespaces() else "no network namespaces here"
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    yield lab
    lab.down()


def pytest_generate_tests(metafunc):
    """Every test of a relay runs on both kinds of port, unless it says which (relay.port_kinds)."""
    if "port_kind" in metafunc.fixturenames:
        kinds = getattr(metafunc.function, "port_kinds", getattr(metafunc.module, "PORT_KINDS", ("xdp", "socket")))
        metafunc.parametrize("port_kind", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def port_kind(request):
    return request.param


@pytest.fixture(scope="module")
def relay(lab, port_kind):
    """The usual relay: IPv4 and IPv6 on both sides, users alice:secret and bob:hidden."""
    relay = Relay(lab, kind=port_kind)
    yield relay
    relay.stop()


@pytest.fixture
def make_client(lab, relay):  # pylint: disable=unused-argument
    """Makes TURN clients in the client namespace; they are closed (allocations deleted) after the test."""
    clients = []

    def make(host=Lab.CLIENT, **options):
        server = (Lab.LISTEN6 if ":" in host else Lab.LISTEN, 3478)
        clients.append(TurnClient(lab.udp("client", host), server, **options))
        return clients[-1]

    yield make
    for client in clients:
        if client.relayed:
            client.request(stun.REFRESH, [(stun.LIFETIME, bytes(4))], check=False)
        client.close()


@pytest.fixture
def make_peer(lab):
    """Makes bound UDP sockets in the peer namespace."""
    sockets = []

    def make(host=Lab.PEER, port=0):
        sockets.append(lab.udp("peer", host, port))
        return sockets[-1]

    yield make
    for sock in sockets:
        sock.close()
