# SPDX-License-Identifier: BSD-3-Clause
"""The relay on a memif port, with turnpike-load as the other process: it plays clients and peers and judges arrivals."""

import contextlib
import json
import pathlib
import subprocess
import tempfile
import time

import pytest

from deaths import BINARIES
from netns import Lab
from relay import PEERS, USERS, Relay

SESSIONS = 20
RELAY_MAC, LOAD_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
FAMILIES = {
    "v4": (Lab.LISTEN, Lab.CLIENT, Lab.PEER),
    "v6": (f"[{Lab.LISTEN6}]", Lab.CLIENT6, Lab.PEER6),
    "v4_to_v6": (Lab.LISTEN, Lab.CLIENT, Lab.PEER6),
}


def start_load(lab, port, *options, family="v4", client=None, rate=10000, seconds=3):
    """turnpike-load, started in the client namespace."""
    server, usual_client, peer = FAMILIES[family]
    command = [BINARIES / "turnpike-load", "--port", port, "--json", "--no-huge",
               "--server", f"{server}:3478", "--client-ip", client or usual_client, "--peer-ip", peer,
               "--relay-mac", RELAY_MAC, "--mac", LOAD_MAC, "--user", "alice", "--password", "secret",
               "--sessions", SESSIONS, "--seconds", seconds, "--rate", rate, *options]
    return lab.start("client", *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class PairedRelay(Relay):
    """No netdev behind the port: every next hop is the load program, on a port of its own kind."""

    def __init__(self, lab, port, load_port, *options):
        self.load_port = load_port
        base = ("--port", f"{port},mac={RELAY_MAC}", "--listening-ip", Lab.LISTEN,
                "--listening-ip", Lab.LISTEN6, "--relay-ip", Lab.RELAY, "--relay-ip", Lab.RELAY6,
                "--next-hop", f"0.0.0.0/0,port=0,mac={LOAD_MAC}", "--next-hop", f"::/0,port=0,mac={LOAD_MAC}",
                "--no-huge")
        super().__init__(lab, *options, base=base + USERS + PEERS)

    def load(self, *options, **where):
        return start_load(self.lab, self.load_port, *options, **where)

    def wait_sessions(self, good, timeout=20):
        """Waits until the sessions are as wanted, and gives them."""
        deadline = time.monotonic() + timeout
        while not good(sessions := self.sessions()):
            assert time.monotonic() < deadline, sessions
            time.sleep(0.1)
        return sessions


class MemifRelay(PairedRelay):
    def __init__(self, lab, socket, *options, role="server"):
        load_role = "client" if role == "server" else "server"
        super().__init__(lab, f"memif:{socket},role={role}", f"memif:{socket},role={load_role}", *options)
        self.socket = socket


@pytest.fixture(scope="module", name="relay")
def memif_relay(lab):
    with tempfile.TemporaryDirectory(prefix="turnpike-memif-") as directory:
        relay = MemifRelay(lab, pathlib.Path(directory, "relay.sock"))
        yield relay
        relay.stop()


def result_of(process):
    """What the load program reports; it must have ended well."""
    try:
        output, errors = process.communicate(timeout=60)
    except BaseException:
        process.kill()
        process.wait()
        raise
    assert process.returncode == 0, output + errors
    return json.loads(output)


def assert_perfect(result):
    print(result)
    assert min(result["sent"].values()) > 1000
    assert result["received"] == result["sent"] and result["lost"] == 0
    assert result["verified"] == sum(result["received"].values())  # every one was looked at whole
    assert not any(result[fault] for fault in ("reordered", "duplicate", "corrupt", "checksum", "address", "foreign", "untrusted"))
    assert {direction: latency["count"] for direction, latency in result["latency_us"].items()} == result["received"]
    assert all(0 < latency["p50"] <= latency["p99"] <= latency["max"] for latency in result["latency_us"].values())


@pytest.mark.parametrize("framing", ["channels", "indications"])
@pytest.mark.parametrize("family", FAMILIES)
def test_memif_relays_all_whole(relay, family, framing):
    buffers = relay.counters()["mbufs_in_use"]
    kernel = relay.lab.udp_counters()
    drops = relay.drops()
    options = ["--indications"] if framing == "indications" else []
    result = result_of(relay.load(*options, family=family))
    assert result["framing"] == framing and result["sessions"] == SESSIONS
    assert_perfect(result)
    assert not relay.sessions()  # Refresh with LIFETIME 0 took all of them
    assert relay.drops() == drops
    assert relay.lab.udp_counters() == kernel
    relay.wait_buffers(buffers)


def test_memif_session_counters_live(relay):
    """turnpikectl follows every session while the load runs, and ends with exactly what was relayed."""

    def moving(sessions, least):
        directions = [session[side]["packets"] for session in sessions for side in ("to_peer", "to_client")]
        return len(sessions) == SESSIONS and min(directions) > least

    process = relay.load(seconds=4)
    try:
        early = relay.wait_sessions(lambda sessions: moving(sessions, 0))
        assert {session["user"] for session in early} == {"alice"}
        channels = {peer["peer"] for session in early for peer in session["peers"] if "channel" in peer}
        assert len(channels) == SESSIONS and {channel.split(":")[0] for channel in channels} == {Lab.PEER}
        highest = max(session["to_peer"]["packets"] for session in early)
        relay.wait_sessions(lambda sessions: moving(sessions, highest))
    finally:
        result = result_of(process)
    assert_perfect(result)


def test_memif_refreshes_while_media_runs(relay):
    """Whatever responses arrive between the media, they are no media and lose none."""
    for verify in (1, 16):
        result = result_of(relay.load("--refresh", 1, "--verify", verify, seconds=4))
        assert result["refreshes"] >= 2 * SESSIONS and not result["refresh_failures"]
        assert result["received"] == result["sent"] and result["lost"] == result["foreign"] == result["corrupt"] == 0


def test_memif_ndr_finds_a_rate_without_loss(relay):
    """On a machine that stalls no rate may be held: then it says so."""
    result = result_of(relay.load("--mode", "ndr", "--min-rate", 500, "--max-rate", 4000, "--trials", 3, rate=0, seconds=1))
    assert result["mode"] == "ndr" and result["steps"][0]["pps"] == 4000
    for step in result["steps"]:
        assert len(step["loss_percent"]) == 3 and step["passed"] == (step["good_trials"] >= 2)
    assert result["ndr_pps"] == max((step["pps"] for step in result["steps"] if step["passed"]), default=0)
    assert not relay.sessions()


def test_memif_load_killed_in_the_middle(relay):
    """kill -9 of the other side in the middle of traffic: the relay lives and serves the next one."""
    buffers = relay.counters()["mbufs_in_use"]
    for host in range(3):
        before = relay.counters()["rx_packets"]
        process = relay.load(client=f"10.0.1.{100 + host}", rate=0, seconds=60)
        with contextlib.closing(process.stdout), contextlib.closing(process.stderr):
            deadline = time.monotonic() + 30
            while relay.counters()["rx_packets"] < before + 20000:
                assert time.monotonic() < deadline and process.poll() is None, process.stderr.read()
                time.sleep(0.05)
            process.kill()
            process.wait()
        assert relay.process.poll() is None, relay.log()
    # Nobody has deleted the dead ones' allocations; they are in nobody's way.
    left = {session["client"] for session in relay.sessions()}
    assert len(left) == 3 * SESSIONS
    assert_perfect(result_of(relay.load()))
    assert {session["client"] for session in relay.sessions()} == left
    relay.wait_buffers(buffers)
