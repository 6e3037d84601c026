# SPDX-License-Identifier: BSD-3-Clause
"""What only kernel-socket ports have: any user, taken ports, descriptors that run out, a kernel that refuses."""

import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

from coturn import call, echo_peer
from netns import ROOT, Lab, inside
from relay import PRESET, Relay
import stun
from turn_client import Arrival, TurnClient, TurnError

CHANNEL = 0x4000
SERVER = (Lab.LISTEN, 3478)
UDP_SEGMENT = 103
NOBODY = 65534


@pytest.fixture
def start(lab):
    """Starts relays on kernel sockets; they are stopped after the test."""
    relays = []

    def make(*options, **named):
        relays.append(Relay(lab, *options, kind="socket", **named))
        return relays[-1]

    yield make
    for relay in relays:
        relay.stop()


def client_of(lab):
    return TurnClient(lab.udp("client", Lab.CLIENT), SERVER)


def io(relay):
    return {entry["counter"]: entry["total"] for entry in relay.ctl("io")["io"]}


def refusals(relay):
    return relay.ctl("status")["server"]


def preload(tmp_path, monkeypatch, fault):
    shim = tmp_path / "faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, ROOT / "tests/system/faults.c", "-ldl"], check=True)
    monkeypatch.setattr("relay.ENVIRONMENT", {**os.environ, "LD_PRELOAD": str(shim), "TURNPIKE_FAULT": fault})


def test_any_user_serves_without_options(lab, tmp_path):
    """No root, no capability, no hugepages, no options: a user is made, and coturn's client relays over loopback."""
    for part in ("scripts/run", *(f"build/{PRESET}/bin/{name}" for name in
                                  ("turnpike-dataplane", "turnpike-control", "turnpikectl"))):
        target = tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / part, target)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == 0 and folder != pathlib.Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    log = home / "log"
    with open(log, "wb") as output:
        process = lab.start("relay", "setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups",
                            "--inh-caps=-all", "--bounding-set=-all", tmp_path / "scripts/run", "--no-build",
                            "--preset", PRESET, "--allowed-peer-ip", "127.0.0.0/8", "--rfc5766-channel-numbers",
                            stdout=output, stderr=output, env={"HOME": str(home), "PATH": os.environ["PATH"]})
    try:
        deadline = time.monotonic() + 60
        while not re.search(r"^ready: turn:", log.read_text(), re.MULTILINE):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        password = re.search(r"user turnpike, password ([0-9a-f]{24}) ", log.read_text()).group(1)
        with inside(lab.namespace("relay")):
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.bind(("127.0.0.1", 0))
            own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            own.bind(("127.0.0.1", 0))
        peer.settimeout(3)
        client = TurnClient(own, ("127.0.0.1", 3478), user="turnpike", password=password)
        client.allocate()
        client.bind(CHANNEL, peer.getsockname())
        client.send_channel(CHANNEL, b"hello")
        payload, source = peer.recvfrom(100)
        assert payload == b"hello"
        peer.sendto(b"back", source)
        assert client.receive() == Arrival("channel", CHANNEL, b"back")
        with pytest.raises(TurnError, match="403"):  # the listening endpoint is no peer, whatever is allowed
            client.bind(CHANNEL + 1, ("127.0.0.1", 3478))
        mode = (home / ".local/state/turnpike/generated-user.conf").stat().st_mode
        assert mode & 0o077 == 0
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 0, log.read_text()


def test_taken_port_is_replaced(lab, start):
    """Three of four relay ports belong to another program: the fourth is found; then there is none."""
    relay = start("--min-port", "50000", "--max-port", "50003")
    with inside(lab.namespace("relay")):
        others = []
        for port in (50000, 50001, 50003):
            others.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            others[-1].bind((Lab.RELAY, port))
    first, second = client_of(lab), client_of(lab)
    assert first.allocate()[1] == 50002
    with pytest.raises(TurnError, match="508"):
        second.allocate()
    assert refusals(relay)["ports_taken"] >= 1 and len(relay.sessions()) == 1
    for other in others:
        other.close()


def test_descriptors_run_out(lab, start):
    """Beyond the descriptor limit clients hear 508; those before go on, and leavers make room."""
    relay = start(prefix=("prlimit", "--nofile=64:64"))
    clients = []
    with pytest.raises(TurnError, match="508"):
        for _ in range(64):
            clients.append(client_of(lab))
            clients[-1].allocate()
    assert refusals(relay)["no_descriptor"] >= 1 and io(relay)["io_sockets_refused"] >= 1
    assert 8 <= len(relay.sessions()) == len(clients) - 1
    peer = lab.udp("peer", Lab.PEER)
    clients[0].bind(CHANNEL, peer.getsockname())
    clients[0].send_channel(CHANNEL, b"alive")
    assert peer.recv(100) == b"alive"
    clients[1].refresh(0)
    client_of(lab).allocate()


@pytest.mark.parametrize("fault", ("gso", "full"))
def test_kernel_refuses(lab, start, tmp_path, monkeypatch, fault):
    """GSO refused: switched off for the socket, nothing lost. Send buffer full: dropped and counted, never blocked."""
    preload(tmp_path, monkeypatch, fault)
    relay = start()
    client, peer = client_of(lab), lab.udp("peer", Lab.PEER)
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    message = struct.pack(">HH", CHANNEL, 100) + bytes(100)
    before = relay.drops()["socket_tx_dropped"]  # answers may meet the fault as well; the client asks again
    for _ in range(5):
        train(client.socket, message, 20)
        time.sleep(0.05)
    arrived = drain(peer)
    if fault == "gso":
        assert arrived == 100 and io(relay)["io_gso_refused"] == 1
        time.sleep(0.2)
        assert ["GSO was refused" in error["text"] for error in relay.ctl("status")["errors"]] == [True]
    else:
        dropped = relay.drops()["socket_tx_dropped"] - before
        assert 0 < dropped and arrived == 100 - dropped and io(relay)["io_tx_would_block"] > 0
    assert relay.counters()["channel_to_peer"] == 100


def train(sock, message, count):
    """`count` datagrams at once, as one segmented message."""
    sock.sendmsg([message * count], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", len(message)))], 0, SERVER)


def drain(sock):
    arrived = 0
    sock.settimeout(0.5)
    try:
        while sock.recv(2000):
            arrived += 1
    except TimeoutError:
        return arrived
    return arrived


def test_trains_stay_trains(lab, start):
    """What arrives coalesced is cut into packets for the stages and leaves coalesced."""
    relay = start()
    client, peer = client_of(lab), lab.udp("peer", Lab.PEER)
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    before = io(relay)
    message = struct.pack(">HH", CHANNEL, 100) + bytes(100)
    for _ in range(10):
        train(client.socket, message, 20)
    assert drain(peer) == 200
    after = {name: count - before[name] for name, count in io(relay).items()}
    assert after["io_rx_datagrams"] == after["io_rx_gro"] == after["io_tx_datagrams"] == 200
    assert after["io_tx_messages"] <= 40 and after["io_gso_9_16"] + after["io_gso_17_32"] + after["io_gso_33_64"] > 0


@pytest.mark.parametrize("options", (("--udp-recvmmsg", "0"), ("--udp-sendmmsg", "0"), ("--udp-gso", "0"),
                                     ("--udp-recvmmsg", "0", "--udp-sendmmsg", "0", "--udp-gso", "0")))
def test_without_batching(lab, start, options):
    relay = start(*options, "--rfc5766-channel-numbers")
    with echo_peer(lab, Lab.PEER):
        sent, received, lost = call(lab, "-m", 4, messages=50)
    assert (received, lost) == (sent, 0) and sent >= 200
    counters = io(relay)
    if "--udp-gso" in options:
        assert counters["io_tx_messages"] == counters["io_tx_datagrams"]
    if "--udp-sendmmsg" in options:
        assert counters["io_tx_messages"] <= counters["io_tx_calls"]


def test_icmp_error_reaches_the_client(lab, start):
    """The peer's port is closed: its kernel's ICMP comes by the socket's error queue."""
    relay = start()
    client, peer = client_of(lab), lab.udp("peer", Lab.PEER)
    closed = peer.getsockname()
    client.allocate()
    client.permit(Lab.PEER)
    peer.close()
    client.send(closed, b"anybody?")
    client.receive(1)
    deadline = time.monotonic() + 3
    while relay.counters()["icmp_to_client"] == 0:
        assert time.monotonic() < deadline, relay.drops()
        time.sleep(0.05)
    assert io(relay)["io_rx_errors"] >= 1


def test_quiet_relay_sleeps(lab, start):
    """A served but quiet relay uses under 1 % of a core; the first packet after that is relayed all the same."""
    relay = start()
    client, peer = client_of(lab), lab.udp("peer", Lab.PEER)
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    pid = relay.ctl("status")["dataplane"]["pid"]
    before = cpu_ticks(pid)
    time.sleep(5)
    assert cpu_ticks(pid) - before <= 5 * os.sysconf("SC_CLK_TCK") // 100
    client.send_channel(CHANNEL, b"awake")
    assert peer.recv(100) == b"awake"


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("options,words", (
    (("--port", "xdp:s0"), "do not go together"),
    (("--port", "socket:10.0.1.1:3479"), "one port number"),
    (("--listening-port", "5000"), "leave listening-port out"),
    (("--port", "socket:192.0.2.99:3478"), "no netdev of this machine carries"),
    (("--port", "socket:nowhere"), "is no address and port")))
def test_bad_ports_are_refused(lab, options, words):
    with pytest.raises(AssertionError, match="no ready line") as refused:
        Relay(lab, *options, kind="socket")
    assert words in str(refused.value)


def test_listening_port_in_use(lab):
    with inside(lab.namespace("relay")):
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.bind(SERVER)
    with pytest.raises(AssertionError, match="no ready line") as refused:
        Relay(lab, kind="socket")
    other.close()
    assert "another process has it" in str(refused.value)


def test_multiplexed_peers(lab, start):
    """All allocations on one relay port; peers are told apart by their endpoint."""
    relay = start("--multiplex-peer")
    clients, peers = [client_of(lab) for _ in range(4)], [lab.udp("peer", Lab.PEER) for _ in range(4)]
    assert {client.allocate()[1] for client in clients} == {3480}
    for client, peer in zip(clients, peers):
        client.bind(CHANNEL, peer.getsockname())
    for number, (client, peer) in enumerate(zip(clients, peers)):
        client.send_channel(CHANNEL, b"to %d" % number)
        payload, source = peer.recvfrom(100)
        assert (payload, source) == (b"to %d" % number, (Lab.RELAY, 3480))
        peer.sendto(b"from %d" % number, source)
        assert client.receive() == Arrival("channel", CHANNEL, b"from %d" % number)
    with pytest.raises(TurnError, match="508"):
        clients[0].bind(CHANNEL + 1, peers[1].getsockname())
    with pytest.raises(TurnError, match="400"):
        client_of(lab).allocate((stun.EVEN_PORT, b"\x80"))
    assert len(relay.sessions()) == 4
