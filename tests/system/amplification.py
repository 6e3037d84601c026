# SPDX-License-Identifier: BSD-3-Clause
"""What requests of strangers get back, in bytes of IP packets as tcpdump sees them. Used by tests and by scripts/bench p6."""

import dataclasses
import os
import socket

import stun
from pcap import Capture

HEADERS = {4: 28, 6: 48}  # IP and UDP
UDP = stun.REQUESTED_TRANSPORT, bytes((17, 0, 0, 0))
WRONG_KEY = bytes(16)


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One request and what came back for it; `answer` is what that says, or "nothing"."""
    name: str
    family: int
    request: int  # bytes of IP
    answers: int
    answer: str

    @property
    def factor(self):
        return self.answers / self.request


def requests(challenge):
    """The messages by name. `challenge` is the 401 that a request of the same client got."""
    credentials = [(stun.USERNAME, b"alice"), (stun.REALM, challenge.get(stun.REALM)), (stun.NONCE, challenge.get(stun.NONCE))]
    stale = [*credentials[:2], (stun.NONCE, bytes(reversed(credentials[2][1])))]
    key = stun.long_term_key("alice", challenge.get(stun.REALM).decode(), "secret")

    def message(method, attributes=(), key=None, kind=stun.REQUEST):
        return stun.Message(method, kind, attributes).encode(key)

    return {"binding": message(stun.BINDING),
            "allocate": message(stun.ALLOCATE, [UDP]),
            "allocate, bare": message(stun.ALLOCATE),
            "refresh": message(stun.REFRESH),
            "stale nonce": message(stun.ALLOCATE, [UDP, *stale], WRONG_KEY),
            "wrong password": message(stun.ALLOCATE, [UDP, *credentials], WRONG_KEY),
            "refresh without allocation": message(stun.REFRESH, credentials, key),
            "permission without allocation": message(stun.CREATE_PERMISSION, credentials, key),
            "indication": message(stun.BINDING, kind=stun.INDICATION),
            "response": message(stun.BINDING, kind=stun.SUCCESS),
            "channel data": stun.encode_channel(0x4000, bytes(40)),
            "garbage": bytes((0x80,)) + os.urandom(99)}


def _ask(sock, server, raw, timeout):
    sock.settimeout(timeout)
    sock.sendto(raw, server)
    try:
        return sock.recvfrom(2000)[0]
    except socket.timeout:
        return None


def said(raw):
    if raw is None:
        return "nothing"
    message = stun.Message.decode(raw)
    return "success" if message.kind == stun.SUCCESS else str(message.error)


def measure(lab, path, family):
    """An Exchange for each of requests(), sent one by one from a new socket; `path` is for the capture."""
    host, listen = ((lab.CLIENT, lab.LISTEN) if family == 4 else (lab.CLIENT6, lab.LISTEN6))
    sock = lab.udp("client", host)
    challenge = stun.Message.decode(_ask(sock, (listen, 3478), stun.Message(stun.ALLOCATE, stun.REQUEST, [UDP]).encode(), 2))
    asked = requests(challenge)
    got = {}
    with Capture(lab, "client", "c0", path, direction="inout") as capture:
        for name, raw in asked.items():
            got[name] = _ask(sock, (listen, 3478), raw, 0.3)
    port = sock.getsockname()[1]
    sock.close()
    sizes, current = {}, None
    names = {raw: name for name, raw in asked.items()}
    for packet in capture.packets():
        if packet.source[1] == port:
            current = names[packet.payload]
            sizes[current] = [len(packet.payload) + HEADERS[family], 0]
        elif packet.destination[1] == port and current:
            sizes[current][1] += len(packet.payload) + HEADERS[family]
    return [Exchange(name, family, *sizes[name], said(got[name])) for name in asked]
