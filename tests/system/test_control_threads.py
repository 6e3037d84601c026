# SPDX-License-Identifier: BSD-3-Clause
"""Control with two threads, each with one of two workers: users see one relay."""

import re
import signal
import ssl

import pytest

from certificate import Certificate
from load import assert_whole, report, running, said
from netns import Lab
from relay import ADDRESSES, PORTS, Relay
import stun
from turn_client import Arrival, Messages, TurnClient, TurnError

CHANNEL = 0x4000
TLS_PORT = 5349
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z turnpike-control (debug|info|warning|error): \S")


class Threads:
    """The relay with its configuration file, and clients by the thread that serves them."""

    def __init__(self, lab, directory, kind):
        self.lab = lab
        self.file = directory / "turnpike.conf"
        self.certificate = Certificate(directory)
        self.configure()
        self.relay = Relay(lab, "--config", self.file, "--workers", "2", "--lcores", "0@0,1@0,2@1", "--control-threads", "2",
                           "--rfc5766-channel-numbers", kind=kind, base=PORTS[kind] + ADDRESSES)

    def configure(self, **changes):
        lines = {"realm": "example.org", "user": "alice:secret", "allowed-peer-ip": "10.0.0.0/8",
                 "user ": "bob:hidden", "cert": self.certificate.cert, "pkey": self.certificate.key,
                 **{name.replace("_", "-"): value for name, value in changes.items()}}
        self.file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def reload(self):
        return self.relay.ctl("reload")

    def loads(self):
        return self.relay.ctl("status")["threads"]

    def client(self, **who):
        return TurnClient(self.lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478), **who)

    def bob(self):
        """Whom no other test has left allocations of."""
        return self.client(user="bob", password="hidden")

    def stream(self, tls):
        sock = self.lab.tcp("client", Lab.CLIENT, (Lab.LISTEN, TLS_PORT if tls else 3478))
        if tls:
            sock = ssl.create_default_context(cafile=self.certificate.cert).wrap_socket(
                sock, server_hostname="turn.example.org")
        return TurnClient(Messages(sock), None)

    def thread_of(self, client):
        host = "%s:%d" % client.mapped
        return next(session["worker"] % 2 for session in self.relay.sessions() if session["client"] == host)

    def pair(self, make):
        """Two clients with allocations, one at each thread; the others are closed."""
        found = {}
        for _ in range(40):
            client = make()
            client.allocate()
            if (other := found.setdefault(self.thread_of(client), client)) is not client:
                end(client)
            elif len(found) == 2:
                return found[0], found[1]
            assert other is not None
        raise AssertionError("forty clients, and all at one thread")


def end(client):
    client.refresh(0)
    client.close()


@pytest.fixture(scope="module")
def threads(lab, port_kind, tmp_path_factory):
    """In the end sessions of both threads are told of, in whole lines."""
    threads = Threads(lab, tmp_path_factory.mktemp("threads"), port_kind)
    yield threads
    left = threads.pair(threads.client)
    process = threads.relay.process
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=40)
    log = threads.relay.log()
    threads.relay.stop()
    for client in left:
        assert re.search(r"allocation_end .*client=%s:%d .*reason=shutdown" % client.mapped, log)
    lines = [line for line in log.splitlines() if "turnpike-control " in line]
    assert lines and all(LOG_LINE.match(line) for line in lines), lines


def exchange(client, peer, payload):
    client.send_channel(CHANNEL, payload)
    received, source = peer.recvfrom(100)
    assert (received, source) == (payload, client.relayed[0])
    peer.sendto(payload, source)
    assert client.receive() == Arrival("channel", CHANNEL, payload)


def test_clients_of_every_transport_on_both_threads(lab, threads):
    """And their media; a reload of the certificate in between."""
    peer = lab.udp("peer", Lab.PEER)
    clients = []
    for make in (threads.client, lambda: threads.stream(False), lambda: threads.stream(True)):
        clients += threads.pair(make)
    for client in clients:
        client.bind(CHANNEL, peer.getsockname())
    for number in range(5):
        for index, client in enumerate(clients):
            exchange(client, peer, b"%4d" % (10 * index + number))
    assert threads.reload()["need_restart"] == []
    assert [load["sessions"] for load in threads.loads()] == [3, 3]
    assert [load["connections"] for load in threads.loads()] == [2, 2]
    for client in (*clients, *threads.pair(lambda: threads.stream(True))):
        if client.relayed and client in clients:
            exchange(client, peer, b"anew")
        end(client)
    assert threads.relay.ctl("status")["sessions"] == 0
    peer.close()


@pytest.mark.parametrize("transport", ("tls", "dtls"))
def test_media_over_both_threads(lab, threads, transport):
    """DTLS comes to control's sockets, or to those of the workers where ports are sockets."""
    with running(lab, "--transport", transport, "--sessions", 12, "--rate", 1000, "--seconds", 1, "--direction", "both") as process:
        said(process, "measuring")
        kind = "dtls_sessions" if transport == "dtls" else "connections"
        assert all(load[kind] > 0 for load in threads.loads())
        assert_whole(report(process))


def test_hairpin_between_threads(threads):
    clients = threads.pair(threads.client)
    for client, other in (clients, clients[::-1]):
        client.permit(Lab.RELAY)
        other.permit(Lab.RELAY)
        client.send(other.relayed[0], b"hello")
        assert other.receive() == Arrival("data", client.relayed[0], b"hello")
    for client in clients:
        end(client)


def test_quota_counts_over_both(threads):
    threads.configure(user_quota=2)
    threads.reload()
    clients = list(threads.pair(threads.bob))
    late = [threads.bob() for _ in range(8)]
    for client in late:
        with pytest.raises(TurnError) as error:
            client.allocate()
        assert error.value.code == 486
    end(clients.pop())
    late[0].allocate()
    for client in (clients[0], late[0]):
        end(client)
    threads.configure()
    threads.reload()


def test_c098_reservation_redeemed_at_the_other_thread(lab, threads):
    peer = lab.udp("peer", Lab.PEER)
    crossed = set()
    for _ in range(40):
        first, second = threads.client(), threads.client()
        first.allocate((stun.EVEN_PORT, b"\x80"))
        relayed = second.allocate((stun.RESERVATION_TOKEN, first.allocation.get(stun.RESERVATION_TOKEN)))
        assert relayed == (first.relayed[0][0], first.relayed[0][1] + 1)
        if (way := (threads.thread_of(first), threads.thread_of(second))) not in crossed:
            second.bind(CHANNEL, peer.getsockname())
            exchange(second, peer, b"RTCP")
        crossed.add(way)
        for client in (first, second):
            end(client)
        if {(0, 1), (1, 0)} <= crossed:
            break
    assert {(0, 1), (1, 0)} <= crossed
    peer.close()


def test_status_is_the_sum(threads):
    before = threads.relay.ctl("status")
    clients = [threads.client() for _ in range(6)]
    for client in clients:
        client.allocate()
    status = threads.relay.ctl("status")
    assert status["server"]["allocations_created"] == before["server"]["allocations_created"] + 6
    assert status["sessions"] == sum(load["sessions"] for load in status["threads"]) == before["sessions"] + 6
    assert [load["workers"] for load in status["threads"]] == [[0], [1]]
    assert len(threads.relay.sessions()) == status["sessions"]
    text = threads.lab.run("relay", threads.relay.binaries / "turnpikectl", "status")
    assert re.search(r"^THREAD +WORKERS", text, re.MULTILINE)
    for client in clients:
        end(client)
