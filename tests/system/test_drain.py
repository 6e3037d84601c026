# SPDX-License-Identifier: BSD-3-Clause
"""Draining: nobody new comes in, who is there stays, and the run ends with code 0 when they have gone."""

import os
import signal
import subprocess
import time

import pytest

from coturn import PORT, call, echo_peer
from deaths import kill_program, wait_back
from netns import Lab
from relay import PEERS, USERS, Relay, port_kinds
import stun
from turn_client import TurnClient, TurnError

ALTERNATES = ("--alternate-server", "10.0.1.9", "--alternate-server", "10.0.1.8:3479", "--alternate-server", "fd00:1::9")
CHANNEL = 0x4000


class Drained:
    """A relay of its own for each test, with clients."""

    def __init__(self, lab, kind, *options, **more):
        self.lab = lab
        self.relay = Relay(lab, *options, kind=kind, **more)

    def client(self, host=Lab.CLIENT):
        server = (Lab.LISTEN6 if ":" in host else Lab.LISTEN, 3478)
        return TurnClient(self.lab.udp("client", host), server)

    def refused(self, host=Lab.CLIENT):
        with pytest.raises(TurnError) as error:
            self.client(host).allocate()
        response = error.value.response
        # Plain addresses, as RFC 8489 section 14.15 has them.
        return error.value.code, [stun.decode_plain_address(value) for value in response.get_all(stun.ALTERNATE_SERVER)]

    def signal(self, number):
        control = next(pid for pid, command in self.lab.pids("relay").items() if "/turnpike-control " in command)
        os.kill(control, number)

    def state(self):
        return self.relay.ctl("status")["drain"]

    def ends(self, timeout=10):
        """By itself, with code 0; the log."""
        try:
            assert self.relay.process.wait(timeout=timeout) == 0, self.relay.log()
        finally:
            self.relay.kill()
        log = self.relay.log()
        self.relay.stop()
        return log


@pytest.fixture
def drained(lab, port_kind):
    made = []

    def make(*options, **more):
        made.append(Drained(lab, port_kind, *options, **more))
        return made[-1]

    yield make
    for each in made:
        each.relay.kill()


def test_c220_c223_redirected_and_back(lab, drained):
    here = drained(*ALTERNATES)
    first, second = here.client(), here.client()
    first.allocate((stun.EVEN_PORT, b"\x80"))
    token = first.allocation.get(stun.RESERVATION_TOKEN)
    assert here.state() == {"on": False}
    report = here.relay.ctl("drain", "--deadline", 600)["drain"]
    assert report["on"] and report["allocations"] == 1 and 590 < report["deadline_in_s"] <= 600

    code, servers = here.refused()
    assert code == 300 and servers == [("10.0.1.9", 3478), ("fd00:1::9", 3478)]
    assert here.refused()[1][0] == ("10.0.1.8", 3479)
    assert here.refused(Lab.CLIENT6)[1][0] == ("fd00:1::9", 3478)
    assert here.client().binding()
    peer = lab.udp("peer", Lab.PEER)
    first.bind(CHANNEL, peer.getsockname())
    first.send_channel(CHANNEL, b"goes on")
    assert peer.recv(100) == b"goes on" and first.refresh() == 600
    second.allocate((stun.RESERVATION_TOKEN, token))
    assert "draining      2 allocation(s) left" in lab.run("relay", here.relay.binaries / "turnpikectl", "status")

    assert here.relay.ctl("undrain")["drain"] == {"on": False}
    third = here.client()
    assert third.allocate()
    here.relay.ctl("drain")
    for client in (first, second, third):
        assert here.relay.process.poll() is None
        client.refresh(0)
    log = here.ends()
    assert "drained; 0 allocation(s) left" in log


def test_signal_and_few_left(lab, drained):
    """A second signal changes nothing; who is left is ended."""
    here = drained("--drain-min-allocations", 1)
    first, second = here.client(), here.client()
    first.allocate()
    second.allocate()
    here.signal(signal.SIGUSR1)
    deadline = time.monotonic() + 5
    while not here.state()["on"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    here.signal(signal.SIGUSR1)
    assert here.refused() == (508, [])
    assert here.state() == {"on": True, "allocations": 2, "min_allocations": 1, "deadline_in_s": None}
    second.refresh(0)
    log = here.ends()
    assert "ended 1 allocation(s) that were left" in log and "reason=drained" in log


def test_it_outlives_both_programs(lab, drained):
    """The limits too; and undone it is not found again."""
    here = drained("--max-restarts", 3)
    client = here.client()
    client.allocate()
    here.relay.ctl("drain", "--deadline", 600)
    for name in ("turnpike-control", "turnpike-dataplane"):
        kill_program(lab, name)
        wait_back(here.relay, lab, 1, 0.5)
        state = here.state()
        assert state["on"] and state["allocations"] == 1 and 500 < state["deadline_in_s"] < 600
        assert here.refused() == (508, [])
    here.relay.ctl("undrain")
    kill_program(lab, "turnpike-control")
    wait_back(here.relay, lab, 1, 0.5)
    assert here.state() == {"on": False} and here.client().allocate()
    here.relay.stop()


def test_deadline_ends_all_threads(drained):
    """Of two threads, each of which refuses; several clients so that both are asked."""
    here = drained("--workers", 2, "--lcores", "0@0,1@0,2@1", "--control-threads", 2)
    clients = [here.client() for _ in range(6)]
    for client in clients:
        client.allocate()
    here.relay.ctl("drain", "--deadline", 2)
    assert [here.refused()[0] for _ in range(8)] == [508] * 8
    assert clients[0].refresh() == 600
    log = here.ends()
    assert "the time to drain is over" in log and "ended 6 allocation(s)" in log


@port_kinds("socket")
def test_uclient_follows_to_the_other_server(lab, drained):
    """coturn's client, whose call is relayed by the server that the draining one names. Kernel sockets, because two
    relays cannot share the devices. A call that had begun goes on without loss."""
    here = drained("--alternate-server", f"{Lab.LISTEN}:5000", "--rfc5766-channel-numbers", "--max-port", 55000)
    there = Relay(lab, "--instance", "other", "--rfc5766-channel-numbers", "--min-port", 56000, kind="socket",
                  base=("--port", f"socket:{Lab.LISTEN}:5000", "--relay-ip", Lab.RELAY, *USERS, *PEERS))
    try:
        with echo_peer(lab, Lab.PEER):
            begun = lab.start("client", "turnutils_uclient", "-u", "alice", "-w", "secret", "-r", PORT, "-e", Lab.PEER, "-n", 60,
                              "-l", 170, Lab.LISTEN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            deadline = time.monotonic() + 20
            while len(here.relay.sessions()) < 2:  # RTP and RTCP
                assert time.monotonic() < deadline
                time.sleep(0.05)
            here.relay.ctl("drain")
            sent, received, lost = call(lab)
            assert (received, lost) == (sent, 0) and sent >= 50
            created = there.ctl("--instance", "other", "status")["server"]["allocations_created"]
            assert created >= 2
            report, _ = begun.communicate(timeout=60)
            assert "Total lost packets 0" in report, report
        # It leaves the first of its allocations behind.
        here.relay.ctl("drain", "--min-allocations", 1)
        here.ends()
    finally:
        there.stop()

