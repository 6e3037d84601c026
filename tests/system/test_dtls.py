# SPDX-License-Identifier: BSD-3-Clause
"""DTLS beyond what uclient does (test_streams.py): cookies, stray records, a client that begins anew."""

import signal
import struct
import subprocess
import time

import pytest

from certificate import Certificate
from netns import Lab
from relay import Relay

TLS_PORT = 5349


@pytest.fixture(scope="module")
def relay(lab, port_kind, tmp_path_factory):
    relay = Relay(lab, *Certificate(tmp_path_factory.mktemp("certificate")).options(), kind=port_kind)
    yield relay
    relay.stop()


def clients(relay):
    return relay.ctl("status")["clients"]


def record(kind, body, epoch=0):
    return bytes([kind]) + b"\xfe\xff" + struct.pack(">HIH", epoch, 0, 0) + struct.pack(">H", len(body)) + body


def client_hello(cookie=b""):
    body = b"\xfe\xfd" + bytes(32) + b"\0" + bytes([len(cookie)]) + cookie + b"\0\2\xc0\x2b" + b"\1\0"
    length = len(body).to_bytes(3, "big")
    return record(22, b"\1" + length + b"\0\0" + b"\0\0\0" + length + body)


def hello_verify(sock):
    """The cookie of a HelloVerifyRequest."""
    answer = sock.recv(2000)
    assert answer[0] == 22 and answer[13] == 3
    size = answer[27]
    return answer[28:28 + size]


@pytest.mark.parametrize("port", [3478, TLS_PORT])
def test_c187_no_state_before_the_cookie(lab, relay, port):
    """A thousand greetings leave nothing behind, and the answer is no larger than the question."""
    before = clients(relay)
    socks = [lab.udp("client", Lab.CLIENT) for _ in range(10)]
    hello = client_hello()
    for _ in range(100):
        for sock in socks:
            sock.sendto(hello, (Lab.LISTEN, port))
    cookies = {hello_verify(sock) for sock in socks}
    assert len(cookies) == 10, "each address has its own"
    deadline = time.monotonic() + 5
    while clients(relay)["dtls_challenged"] < before["dtls_challenged"] + 500 and time.monotonic() < deadline:
        time.sleep(0.1)
    after = clients(relay)
    assert after["dtls_challenged"] >= before["dtls_challenged"] + 500
    assert after["dtls_sessions"] == before["dtls_sessions"] == 0
    answer = None
    for sock in socks:
        sock.setblocking(False)
        try:
            while True:
                answer = sock.recv(2000)
        except BlockingIOError:
            pass
        sock.close()
    assert answer is None or len(answer) <= len(hello)


def test_a_cookie_of_another_address_is_worth_nothing(lab, relay):  # pylint: disable=unused-argument
    first, second = lab.udp("client", Lab.CLIENT), lab.udp("client", Lab.CLIENT)
    first.sendto(client_hello(), (Lab.LISTEN, TLS_PORT))
    cookie = hello_verify(first)
    second.sendto(client_hello(cookie), (Lab.LISTEN, TLS_PORT))
    assert hello_verify(second) != cookie
    assert clients(relay)["dtls_sessions"] == 0


@pytest.mark.parametrize("port", [3478, TLS_PORT])
def test_stray_records_are_counted(lab, relay, port):
    before = clients(relay)["dtls_stray"]
    sock = lab.udp("client", Lab.CLIENT)
    strays = [record(23, bytes(40), epoch=1), record(22, bytes(40)), record(21, b"\1\0"), b"\x16", b"\x17" + bytes(1400)]
    for stray in strays:
        sock.sendto(stray, (Lab.LISTEN, port))
    deadline = time.monotonic() + 5
    while clients(relay)["dtls_stray"] < before + len(strays):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start_client(lab):
    """An openssl client on a port of its own that stays connected."""
    process = subprocess.Popen(lab.command("client", "openssl", "s_client", "-dtls1_2", "-connect", f"{Lab.LISTEN}:{TLS_PORT}",
                                           "-bind", f"{Lab.CLIENT}:41234"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = b""
    while b"Verify return code" not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    return process, text


def test_a_client_that_lost_its_session_begins_anew(lab, relay):
    """RFC 6347 section 4.2.8: from the same port, without goodbye."""
    before = clients(relay)["dtls_accepted"]
    first, _ = start_client(lab)
    assert clients(relay)["dtls_sessions"] == 1
    first.send_signal(signal.SIGKILL)
    first.wait()
    second, text = start_client(lab)
    assert b"DTLSv1.2" in text
    after = clients(relay)
    assert (after["dtls_sessions"], after["dtls_accepted"]) == (1, before + 2)
    second.kill()
    second.wait()
