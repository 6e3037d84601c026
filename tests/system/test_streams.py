# SPDX-License-Identifier: BSD-3-Clause
"""Clients on TCP and TLS: real ones, our own for the details, and bad ones."""

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from certificate import Certificate
from coturn import call, echo_peer
from netns import Lab
from relay import Relay
import stun
from test_aioice import turn_session
from turn_client import Arrival, Messages, TurnClient

PROXY_PORT, TLS_PORT = 3500, 5349
CHANNEL = 0x4000
ROADS = {"tcp": ("-t",), "tls": ("-t", "-S", "-p", TLS_PORT), "tls_on_the_plain_port": ("-t", "-S", "-p", 3478),
         "dtls": ("-S", "-p", TLS_PORT), "dtls_on_the_plain_port": ("-S", "-p", 3478)}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def relay(lab, port_kind, certificate):
    relay = Relay(lab, "--rfc5766-channel-numbers", "--tcp-proxy-port", PROXY_PORT, "--max-connections-per-ip", 40,
                  *certificate.options(), kind=port_kind)
    yield relay
    relay.stop()


def connect(lab, port=3478, tls=False, host=Lab.CLIENT, certificate=None, **rules):
    """A connection in the client namespace."""
    sock = lab.tcp("client", host, (Lab.LISTEN6 if ":" in host else Lab.LISTEN, port))
    if not tls:
        return sock
    context = ssl.create_default_context(cafile=certificate.cert if certificate else None)
    if certificate is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(rules.pop("alpn", ["stun.turn"]))
    for name, value in rules.items():
        setattr(context, name, value)
    return context.wrap_socket(sock, server_hostname="turn.example.org")


@pytest.fixture
def make_stream(lab, relay):  # pylint: disable=unused-argument
    """TURN clients on connections; closing them ends their allocations."""
    clients = []

    def make(**options):
        clients.append(TurnClient(Messages(connect(lab, **options)), None))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def status(relay):
    return relay.ctl("status")["clients"]


def wait_until(true, timeout=5):
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("road,method", [*((road, "channels") for road in ROADS), ("tcp", "indications"),
                                         ("dtls", "indications")])
def test_c008_c188_c189_uclient_relays_without_loss(lab, relay, road, method):
    with echo_peer(lab, Lab.PEER):
        sent, received, lost = call(lab, *ROADS[road], *(["-s"] if method == "indications" else []), "-m", 3)
    assert (received, lost) == (sent, 0) and sent >= 150
    kind = "dtls" if "dtls" in road else "tls" if "tls" in road else "tcp"
    assert status(relay)[f"{kind}_accepted"] >= 3


@pytest.mark.parametrize("road", ["tcp", "tls", "dtls"])
def test_uclient_over_ipv6(lab, relay, road):  # pylint: disable=unused-argument
    with echo_peer(lab, Lab.PEER6):
        sent, received, lost = call(lab, *ROADS[road], "-x", server=Lab.LISTEN6, peer=Lab.PEER6)
    assert (received, lost) == (sent, 0) and sent >= 50


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_aioice_turn_transport(lab, relay, certificate, tls):  # pylint: disable=unused-argument
    transport = {"transport": "tcp"}
    if tls:
        transport["ssl"] = ssl.create_default_context(cafile=certificate.cert)
    session = turn_session(lab, Lab.LISTEN, Lab.PEER, transport, TLS_PORT if tls else 3478)
    assert asyncio.run(asyncio.wait_for(session, 20))[0] == Lab.RELAY


def test_uclient_calls_itself(lab, relay):  # pylint: disable=unused-argument
    """Two stream clients whose peers are each other's relayed address."""
    sent, received, lost = call(lab, "-t", "-y")
    assert (received, lost) == (sent, 0) and sent >= 50


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_c150_c158_c181_payload_unmodified_and_padded(make_stream, make_peer, tls):
    client, peer = make_stream(tls=tls), make_peer()
    relayed = client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    for length in [*range(0, 18), 511, 1199, 1200, 1201, 1400]:
        payload = bytes((length + i) & 0xFF for i in range(length))
        client.send_channel(CHANNEL, payload)
        assert peer.recvfrom(2000) == (payload, relayed)
        peer.sendto(payload[::-1], relayed)
        assert client.receive() == Arrival("channel", CHANNEL, payload[::-1])


def test_every_message_is_a_tls_record_of_its_own(make_stream, make_peer):
    """turnutils_uclient takes what one record brings for one message and loses the rest."""
    client, peer = make_stream(tls=True), make_peer()
    relayed = client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    payloads = [bytes((i,)) * (96 + i) for i in range(40)]
    for payload in payloads:
        peer.sendto(payload, relayed)
    connection = client.socket.connection
    connection.settimeout(2)
    for payload in payloads:
        message = struct.pack(">HH", CHANNEL, len(payload)) + payload
        assert connection.recv(65536) == message + bytes(-len(message) % 4)


def test_udp_and_stream_clients_meet(make_stream, make_client):
    stream, udp = make_stream(), make_client()
    here, there = stream.allocate(), udp.allocate()
    stream.permit(there[0])
    udp.permit(here[0])
    stream.send(there, b"from the stream")
    assert udp.receive() == Arrival("data", here, b"from the stream")
    udp.send(here, b"from UDP")
    assert stream.receive() == Arrival("data", there, b"from UDP")


def test_c184_tcp_loss_frees_allocation(lab, relay):
    sock = connect(lab)
    client = TurnClient(Messages(sock), None)
    client.allocate()
    client.permit(Lab.PEER)
    name = ":".join(map(str, sock.getsockname()))
    assert [session["transport"] for session in relay.sessions() if session["client"] == name] == ["tcp"]
    sock.close()
    wait_until(lambda: all(session["client"] != name for session in relay.sessions()))


def test_c179_many_messages_in_one_segment_and_one_message_in_many(lab, relay, make_peer):  # pylint: disable=unused-argument
    peer = make_peer()
    sock = connect(lab)
    client = TurnClient(Messages(sock), None)
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    message = stun.encode_channel(CHANNEL, b"abcde") + bytes(3)
    sock.sendall(message * 20)
    assert [peer.recv(100) for _ in range(20)] == [b"abcde"] * 20
    for byte in message:
        sock.sendall(bytes([byte]))
        time.sleep(0.01)
    assert peer.recv(100) == b"abcde"
    sock.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_c190_alpn_and_tls_versions(lab, relay, certificate, version):  # pylint: disable=unused-argument
    """RFC 7443; the certificate is checked by the client."""
    for protocol in ("stun.turn", "stun.nat-discovery"):
        sock = connect(lab, TLS_PORT, True, certificate=certificate, alpn=["http/1.1", protocol], minimum_version=version,
                       maximum_version=version)
        assert sock.selected_alpn_protocol() == protocol
        assert TurnClient(Messages(sock), None).binding() == sock.getsockname()
        sock.close()


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"])
def test_c186_tls_suites(lab, relay, suite):  # pylint: disable=unused-argument
    """TLS 1.2 with forward secrecy and without compression."""
    report = lab.run("client", "openssl", "s_client", "-connect", f"{Lab.LISTEN}:{TLS_PORT}", "-tls1_2", "-cipher", suite)
    assert f"Cipher    : {suite}" in report and "Compression: NONE" in report, report


@pytest.mark.parametrize("suite", ["DES-CBC3-SHA", "RC4-SHA", "NULL-SHA256"])
def test_c186_weak_suites_are_refused(lab, relay, suite):  # pylint: disable=unused-argument
    report = lab.run("client", "openssl", "s_client", "-connect", f"{Lab.LISTEN}:{TLS_PORT}", "-tls1_2",
                     "-cipher", f"{suite}:@SECLEVEL=0", check=False)
    assert f"Cipher    : {suite}" not in report, report


def test_a_session_is_resumed_by_its_ticket(lab, relay, tmp_path):  # pylint: disable=unused-argument
    session = tmp_path / "session"
    connect_to = ("openssl", "s_client", "-connect", f"{Lab.LISTEN}:{TLS_PORT}", "-tls1_2")
    assert "New, TLS" in lab.run("client", *connect_to, "-sess_out", session)
    assert "Reused, TLS" in lab.run("client", *connect_to, "-sess_in", session)


def test_tls_1_1_is_refused(lab, relay):
    before = status(relay)["tls_failed"]
    report = lab.run("client", "openssl", "s_client", "-connect", f"{Lab.LISTEN}:{TLS_PORT}", "-tls1_1",
                     "-cipher", "DEFAULT@SECLEVEL=0", check=False)
    assert "alert protocol version" in report or "no protocols available" in report, report
    wait_until(lambda: status(relay)["tls_failed"] > before or "no protocols available" in report)


@pytest.mark.parametrize("version", [1, 2])
def test_proxy_header_names_the_client(lab, relay, version):  # pylint: disable=unused-argument
    sock = connect(lab, PROXY_PORT)
    if version == 1:
        sock.sendall(b"PROXY TCP4 198.51.100.7 10.0.1.1 40")
        time.sleep(0.2)
        sock.sendall(b"00 3478\r\n")
    else:
        addresses = socket.inet_aton("198.51.100.7") + socket.inet_aton("10.0.1.1") + struct.pack(">HH", 4000, 3478)
        sock.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(addresses)) + addresses)
    assert TurnClient(Messages(sock), None).binding() == ("198.51.100.7", 4000)
    sock.close()


def test_a_proxy_port_wants_its_header(lab, relay):
    before = status(relay)["closed_proxy"]
    sock = connect(lab, PROXY_PORT)
    sock.sendall(stun.Message(stun.BINDING, stun.REQUEST).encode())
    assert Messages(sock).receive(5) == b""
    wait_until(lambda: status(relay)["closed_proxy"] == before + 1)


def test_http_is_no_turn(lab, relay):
    """Its first bytes look like ChannelData, but longer than anything that a client without allocation may send."""
    before = status(relay)["closed_stream"]
    sock = connect(lab)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
    assert Messages(sock).receive(5) == b""
    wait_until(lambda: status(relay)["closed_stream"] == before + 1)


GARBAGE = {
    "binary": bytes(range(128, 255)),
    "stun_length": stun.Message(stun.BINDING, stun.REQUEST).encode()[:2] + b"\0\x03" + bytes(40),
    "cookie": b"\0\1\0\0" + bytes(16),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_c180_garbage_ends_the_connection_and_nothing_else(lab, relay, make_stream, make_peer, garbage):
    bystander, peer = make_stream(), make_peer()
    relayed = bystander.allocate()
    bystander.permit(Lab.PEER)
    before = status(relay)["closed_stream"]
    for tls in (False, True):
        sock = connect(lab, tls=tls)
        client = TurnClient(Messages(sock), None)
        client.allocate()  # known and trusted so far
        sock.sendall(GARBAGE[garbage])
        assert client.socket.receive(5) == b""
    wait_until(lambda: status(relay)["closed_stream"] == before + 2)
    peer.sendto(b"still here", relayed)
    assert bystander.receive().payload == b"still here"


def test_a_datagram_too_large_is_counted(make_stream, make_peer, relay):
    client, peer = make_stream(), make_peer()
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    before = relay.drops()["too_big"]
    client.send_channel(CHANNEL, bytes(60000))
    client.send_channel(CHANNEL, b"small")
    assert peer.recv(100) == b"small"
    assert relay.drops()["too_big"] == before + 1


def test_connections_of_one_address_are_capped(lab, relay):
    before = status(relay)
    socks = [connect(lab) for _ in range(45)]
    wait_until(lambda: status(relay)["refused_source"] >= before["refused_source"] + 5)
    assert sum(sock.recv(1) == b"" for sock in socks[40:]) == 5
    for sock in socks:
        sock.close()
    wait_until(lambda: status(relay)["connections"] <= before["connections"])


def test_renegotiation_is_refused(lab, relay, make_stream, make_peer):
    """TLS 1.2 could; the connection ends, and nothing else."""
    bystander, peer = make_stream(tls=True), make_peer()
    relayed = bystander.allocate()
    bystander.permit(Lab.PEER)
    before = status(relay)
    process = lab.start("client", "openssl", "s_client", "-connect", f"{Lab.LISTEN}:{TLS_PORT}", "-tls1_2",
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:  # up to here the handshake is done
            if "Verify return code" in line:
                break
        process.stdin.write("R\n")
        process.stdin.flush()
        report = process.stdout.read()
        process.wait(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert "RENEGOTIATING" in report and "no renegotiation" in report, report
    wait_until(lambda: status(relay)["connections"] == before["connections"])
    assert status(relay)["closed_by_client"] + status(relay)["closed_stream"] > (
        before["closed_by_client"] + before["closed_stream"])
    peer.sendto(b"still here", relayed)
    assert bystander.receive().payload == b"still here"


def test_a_flood_of_handshakes_harms_nobody(lab, relay, make_stream, make_client, make_peer):
    """Hundreds that are begun and left, or done and left; a TLS and a UDP client go on with their calls meanwhile."""
    peer, clients = make_peer(), (make_stream(tls=True), make_client())
    relayed = [client.allocate() for client in clients]
    for client in clients:
        client.bind(CHANNEL, peer.getsockname())
    before = status(relay)
    over = threading.Event()

    def flood():
        while not over.is_set():
            with contextlib.suppress(OSError):
                begun = [connect(lab) for _ in range(20)]
                for sock in begun:
                    sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # the beginning of a ClientHello
                connect(lab, tls=True).close()
                for sock in begun:
                    sock.close()

    flooders = [threading.Thread(target=flood) for _ in range(2)]
    for flooder in flooders:
        flooder.start()
    try:
        for number in range(100):
            for client, address in zip(clients, relayed):
                client.send_channel(CHANNEL, b"%d" % number)
                assert peer.recvfrom(100) == (b"%d" % number, address)
                peer.sendto(b"%d" % number, address)
                assert client.receive() == Arrival("channel", CHANNEL, b"%d" % number)
            time.sleep(0.02)
    finally:
        over.set()
        for flooder in flooders:
            flooder.join()
    wait_until(lambda: status(relay)["connections"] == before["connections"])
    assert status(relay)["tcp_accepted"] + status(relay)["refused_source"] > (
        before["tcp_accepted"] + before["refused_source"] + 200)


def test_c185_a_slow_reader_loses_whole_media_and_holds_no_memory(lab, relay, make_peer):
    """It reads nothing while ten times what may wait for it arrives; then it is served again."""
    sock = connect(lab)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client, peer = TurnClient(Messages(sock), None), make_peer()
    relayed = client.allocate()
    client.permit(Lab.PEER)
    for _ in range(60):
        for _ in range(100):
            peer.sendto(bytes(1000), relayed)
        time.sleep(0.02)
    name = ":".join(map(str, sock.getsockname()))
    session = next(session for session in relay.sessions() if session["client"] == name)
    assert session["media_dropped"] > 1000
    backlog = read_until(client, b"again", lambda: peer.sendto(b"again", relayed))
    assert set(backlog) == {bytes(1000)} and len(backlog) < 1000
    sock.close()


def read_until(client, marker, send_marker):
    """What comes before the marker. It is sent in every silence, for silence does not tell that nothing waits: segments
    that overran the small receive buffer come when TCP's retransmission timer says, which has doubled meanwhile."""
    before, deadline = [], time.monotonic() + 60
    while time.monotonic() < deadline:
        arrival = client.receive(1)
        if arrival is None:
            send_marker()
        elif arrival.payload == marker:
            return before
        else:
            before.append(arrival.payload)
    raise AssertionError(f"{marker} has not come, {len(before)} others have")
