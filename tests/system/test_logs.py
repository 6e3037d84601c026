# SPDX-License-Identifier: BSD-3-Clause
"""What operators read: a line when an allocation begins and ends, one for failed authentication; file, syslog, JSON."""

import json
import os
import pathlib
import re
import signal
import socket
import time

import pytest

from netns import Lab
from relay import Relay
import stun
from turn_client import TurnClient, TurnError

CHANNEL = 0x4000
SERVER = (Lab.LISTEN, 3478)
SETTLE = 0.3  # counters are published between bursts


@pytest.fixture
def start(lab):
    """Starts relays on kernel sockets; they are stopped after the test, unless it did so itself."""
    relays = []

    def make(*options, **named):
        relays.append(Relay(lab, *options, kind="socket", **named))
        return relays[-1]

    yield make
    for relay in relays:
        if pathlib.Path(relay.work.name).exists():
            relay.stop()


def client_of(lab, **options):
    return TurnClient(lab.udp("client", Lab.CLIENT), SERVER, **options)


def text_of(endpoint):
    return "{}:{}".format(*endpoint)


def wait_for(read, wanted, timeout=5):
    """Reads until `wanted` holds for what is read, and gives that."""
    deadline = time.monotonic() + timeout
    while not wanted(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def events(file, name):
    """The events of one name in a JSON log; every line must be an object with time, level and event."""
    found = []
    for line in file.read_text().splitlines():
        entry = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"]), line
        assert entry["level"] in ("debug", "info", "warning", "error") and entry["event"], line
        if entry["event"] == name:
            found.append(entry)
    return found


def control_pid(lab):
    return next(pid for pid, command in lab.pids("relay").items() if "/turnpike-control " in command)


def refuse(lab, count, **options):
    """`count` requests with a wrong password from one client, each answered with 401."""
    client = client_of(lab, **options)
    client.request(stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, bytes([17, 0, 0, 0]))], check=False)
    for _ in range(count - 1):
        message = stun.Message(stun.ALLOCATE, stun.REQUEST, [(stun.REQUESTED_TRANSPORT, bytes([17, 0, 0, 0]))])
        assert client.transact(message, **client._sign(message)).error == 401  # pylint: disable=protected-access
    return client


def test_c226_json_lines_of_an_allocation(lab, start, tmp_path):
    file = tmp_path / "log"
    relay = start("--log-file", file, "--log-format", "json", "--no-stdout-log")
    client, peer = client_of(lab), lab.udp("peer", Lab.PEER)
    relayed = client.allocate()
    begin = wait_for(lambda: events(file, "allocation_begin"), bool)[0]
    common = {"user": "alice", "realm": "example.org", "client": text_of(client.socket.getsockname()),
              "server": text_of(SERVER), "transport": "udp", "relay": [text_of(relayed)]}
    assert begin["level"] == "info" and common.items() <= begin.items() and "reason" not in begin
    client.bind(CHANNEL, peer.getsockname())
    client.permit("10.0.2.77", Lab.PEER)
    for _ in range(7):
        client.send_channel(CHANNEL, bytes(100))
        peer.recv(200)
    for _ in range(3):
        peer.sendto(bytes(50), relayed)
        client.receive()
    time.sleep(SETTLE)
    assert events(file, "allocation_end") == []
    client.refresh(0)
    end = wait_for(lambda: events(file, "allocation_end"), bool)[0]
    assert common.items() <= end.items() and end["session"] == begin["session"]
    assert (end["to_peer_packets"], end["to_client_packets"], end["reason"]) == (7, 3, "deleted")
    assert end["to_peer_bytes"] == 700 and end["to_client_bytes"] == 150
    assert sorted(end["peers"]) == [Lab.PEER, "10.0.2.77"] and end["peer_count"] == 2
    assert 0 <= end["duration_s"] < 30
    # A second allocation on the same slot begins with counters of its own, and ends with the relay.
    client.allocate()
    relay.process.send_signal(signal.SIGTERM)
    assert relay.process.wait(timeout=40) == 0
    ends = events(file, "allocation_end")
    assert [entry["reason"] for entry in ends] == ["deleted", "shutdown"]
    assert (ends[1]["to_peer_packets"], ends[1]["peers"]) == (0, [])
    assert len(events(file, "allocation_begin")) == 2
    assert re.sub(r"turnpike-dataplane: .*\n", "", relay.errors.read_text()) == ""
    assert file.stat().st_mode & 0o137 == 0
    relay.work.cleanup()


def test_text_lines_on_standard_error(lab, start):
    relay = start()
    client = client_of(lab)
    relayed = client.allocate()
    client.refresh(0)
    ends = wait_for(lambda: re.findall(r"^.* info: allocation_end .*$", relay.errors.read_text(), re.MULTILINE), bool)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z turnpike-control info: allocation_end session=0-\d+-\d+ "
                    rf"user=alice realm=example.org client={re.escape(text_of(client.socket.getsockname()))} "
                    rf"server={Lab.LISTEN}:3478 transport=udp relay={re.escape(text_of(relayed))} peers= peer_count=0 "
                    r"to_peer_packets=0 to_peer_bytes=0 to_client_packets=0 to_client_bytes=0 duration_s=\d+ "
                    r"reason=deleted$", ends[0]), ends
    assert relay.errors.read_text().count("allocation_begin") == len(ends) == 1


def test_failed_authentication_is_limited_and_counted(lab, start, tmp_path):
    """Every failure is in a line of its own or in the count of the next one; the first request of a client is none."""
    file = tmp_path / "log"
    start("--log-file", file, "--log-format", "json")
    client_of(lab).allocate()
    client = refuse(lab, 30, password="wrong")
    stranger = refuse(lab, 1, user="ma\"l\nl\x1b[31m=ory")

    def failures():
        return events(file, "authentication_failure") + events(file, "authentication_failures_suppressed")

    wait_for(failures, lambda found: sum(entry.get("suppressed") + ("client" in entry) for entry in found) == 31, 20)
    lines = events(file, "authentication_failure")
    assert 5 <= len(lines) <= 12, lines
    first = lines[0]
    assert first["level"] == "warning" and first["client"] == text_of(client.socket.getsockname())
    assert (first["user"], first["why"], first["suppressed"]) == ("alice", "wrong_password", 0)
    strangers = [entry for entry in lines if entry["client"] == text_of(stranger.socket.getsockname())]
    assert all((entry["user"], entry["why"]) == (stranger.user, "unknown_user") for entry in strangers)


def test_hostile_names_stay_on_their_line(lab, start):
    relay = start()
    refuse(lab, 1, user="eve\n2026-01-01T00:00:00.000Z turnpike-control info: forged\x1b[31m")
    lines = wait_for(lambda: re.findall("^.*authentication_failure.*$", relay.errors.read_text(), re.MULTILINE), bool)
    assert r'user="eve\x0a2026-01-01T00:00:00.000Z turnpike-control info: forged\x1b[31m"' in lines[0]
    assert not re.search("^2026-01-01", relay.errors.read_text(), re.MULTILINE) and "\x1b" not in relay.errors.read_text()


def test_hangup_opens_the_file_anew(lab, start, tmp_path):
    file, old = tmp_path / "log", tmp_path / "log.1"
    start("--log-file", file)
    first, second = client_of(lab), client_of(lab)
    first.allocate()
    wait_for(file.read_text, lambda text: "allocation_begin" in text)
    file.rename(old)
    os.kill(control_pid(lab), signal.SIGHUP)
    wait_for(file.exists, bool)
    second.allocate()
    address = text_of(second.socket.getsockname())
    wait_for(file.read_text, lambda text: f"client={address}" in text)
    assert address not in old.read_text() and text_of(first.socket.getsockname()) not in file.read_text()


def test_level_warning_has_no_allocations(lab, start, tmp_path):
    file = tmp_path / "log"
    start("--log-file", file, "--log-level", "warning")
    client = client_of(lab)
    client.allocate()
    client.refresh(0)
    refuse(lab, 1, password="wrong")
    wait_for(file.read_text, lambda text: "authentication_failure" in text)
    assert "allocation_" not in file.read_text()


def test_a_refused_allocation_never_begins(lab, start, tmp_path):
    """No descriptor is left for its relay port: one line, without the counters of whoever had the slot before."""
    file = tmp_path / "log"
    start("--log-file", file, "--log-format", "json", prefix=("prlimit", "--nofile=64:64"))
    clients = []
    with pytest.raises(TurnError, match="508"):
        for _ in range(64):
            clients.append(client_of(lab))
            clients[-1].allocate()
    refused = wait_for(lambda: events(file, "allocation_end"), bool)
    assert [entry["reason"] for entry in refused] == ["refused"]
    assert refused[0]["client"] == text_of(clients[-1].socket.getsockname()) and refused[0]["to_peer_packets"] == 0
    begun = wait_for(lambda: events(file, "allocation_begin"), lambda found: len(found) == len(clients) - 1)
    assert refused[0]["session"] not in [entry["session"] for entry in begun]


def test_syslog(lab, start):
    """Facility, severity and tag are those asked for; the time is syslog's own."""
    path = pathlib.Path("/dev/log")
    if path.exists():
        pytest.skip("this machine has a syslog of its own")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        listener.bind(str(path))
        listener.settimeout(5)
        start("--syslog", "--syslog-facility", "LOG_LOCAL3", "--no-stdout-log")
        client_of(lab).allocate()
        message = ""
        while "allocation_begin" not in message:
            message = listener.recv(10000).decode()
        priority = 19 * 8 + 6  # local3.info
        assert re.match(rf"<{priority}>.* turnpike-control\[\d+\]: allocation_begin session=.* user=alice ", message), message
        assert not message.endswith("\n") and "Z turnpike-control" not in message
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def test_a_log_that_cannot_be_written_is_refused(lab):
    with pytest.raises(AssertionError, match="log-file=/nonexistent/log: cannot be opened"):
        Relay(lab, "--log-file", "/nonexistent/log", kind="socket")
    with pytest.raises(AssertionError, match="give log-file or syslog"):
        Relay(lab, "--no-stdout-log", kind="socket")
