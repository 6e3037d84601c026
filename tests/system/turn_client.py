# SPDX-License-Identifier: BSD-3-Clause
"""A small blocking TURN client over one UDP socket, for the system tests and the soak."""

import collections
import select
import ssl
import struct
import time

import stun

# What can arrive besides responses.
Arrival = collections.namedtuple("Arrival", "kind source payload")  # kind: "channel", "data" or "icmp"


class TurnError(Exception):
    """An error response; `code` is its number, `response` the message."""

    def __init__(self, response):
        super().__init__(f"error {response.error} to method {response.method}")
        self.code = response.error
        self.response = response


class Messages:
    """A TCP or TLS connection in the place of a UDP socket: whole messages, framed as RFC 8656 section 12.5 says."""

    def __init__(self, connection):
        self.connection = connection
        self.bytes = b""

    def sendto(self, raw, _server):
        self.connection.sendall(raw + bytes(-len(raw) % 4))

    def receive(self, timeout):
        """The next message; None when there is none in time; an empty one when the server has closed."""
        deadline = time.monotonic() + timeout
        while (message := self._take()) is None:
            self.connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                more = self.connection.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                return None
            except ConnectionError:
                return b""
            if not more:
                return b""
            self.bytes += more
        return message

    def _take(self):
        if len(self.bytes) < 4:
            return None
        length = int.from_bytes(self.bytes[2:4], "big")
        channel = self.bytes[0] >= 0x40
        size = length + (4 if channel else 20)
        padded = size + -size % 4
        if len(self.bytes) < padded:
            return None
        message, self.bytes = self.bytes[:size], self.bytes[padded:]
        return message

    def close(self):
        self.connection.close()


class TurnClient:
    """Requests block until answered; what arrives in between is kept for receive()."""

    def __init__(self, sock, server, user="alice", password="secret", algorithm=stun.MD5, timeout=3.0):
        self.socket = sock
        self.server = server
        self.user = user
        self.password = password
        self.algorithm = algorithm
        self.timeout = timeout
        self.realm = self.nonce = self.algorithms = None
        self.arrived = collections.deque()
        self.retransmissions = 0
        self.relayed = []
        self.mapped = None

    # Requests

    def transact(self, message, key=None, sha256=False, raw=None):
        """Sends a request (again after 0.5, 1 … s) until its response is here; gives the response."""
        raw = message.encode(key, sha256) if raw is None else raw
        deadline, wait = time.monotonic() + self.timeout, 0.5
        while True:
            self.socket.sendto(raw, self.server)
            response = self._await(message.transaction, min(time.monotonic() + wait, deadline))
            if response is not None:
                return response
            if time.monotonic() >= deadline:
                raise TimeoutError(f"no answer to method {message.method}")
            self.retransmissions += 1
            wait *= 2

    def _await(self, transaction, deadline):
        while (raw := self._datagram(deadline)) is not None:
            message = self._sort(raw)
            if message is not None and message.transaction == transaction:
                return message
        return None

    def _datagram(self, deadline):
        remaining = deadline - time.monotonic()
        if isinstance(self.socket, Messages):
            return self.socket.receive(max(remaining, 0))
        readable, _, _ = select.select([self.socket], [], [], max(remaining, 0))
        return self.socket.recv(65535) if readable else None

    def _sort(self, raw):
        """Gives a response; queues everything else."""
        if raw and 0x40 <= raw[0] <= 0x4F:
            self.arrived.append(Arrival("channel", *stun.decode_channel(raw)))
            return None
        message = stun.Message.decode(raw)
        if message.kind != stun.INDICATION:
            return message
        icmp = message.get(stun.ICMP)
        payload = message.get(stun.DATA_ATTRIBUTE) if icmp is None else icmp
        self.arrived.append(Arrival("data" if icmp is None else "icmp", message.address(stun.XOR_PEER_ADDRESS), payload))
        return None

    def request(self, method, attributes=(), addresses=(), check=True):
        """One authenticated request, with the 401 and 438 round trips; gives the success response."""
        response = None
        for _ in range(3):
            message = stun.Message(method, stun.REQUEST, attributes)
            for attribute, endpoint in addresses:
                message.add_address(attribute, endpoint)
            response = self.transact(message, **self._sign(message))
            if response.error not in (401, 438) or response.get(stun.NONCE) in (None, self.nonce):
                break
            self._learn(response)
        if check and response.kind == stun.ERROR:
            raise TurnError(response)
        if response.kind == stun.SUCCESS and not response.verify(self.key()):
            raise AssertionError("the success response has no valid integrity")
        return response

    def _learn(self, response):
        self.realm, self.nonce = response.get(stun.REALM).decode(), response.get(stun.NONCE)
        self.algorithms = response.get(stun.PASSWORD_ALGORITHMS)

    def key(self):
        algorithm = stun.MD5 if self.algorithms is None else self.algorithm
        return stun.long_term_key(self.user, self.realm, self.password, algorithm)

    def _sign(self, message):
        if self.nonce is None:
            return {}
        message.add(stun.USERNAME, self.user.encode()).add(stun.REALM, self.realm.encode()).add(stun.NONCE, self.nonce)
        modern = self.algorithms is not None
        if modern:  # RFC 8489 9.2.3: the list comes back unchanged, beside the choice
            message.add(stun.PASSWORD_ALGORITHMS, self.algorithms)
            message.add(stun.PASSWORD_ALGORITHM, struct.pack(">HH", self.algorithm, 0))
        return {"key": self.key(), "sha256": modern}

    # TURN

    def binding(self):
        return self.transact(stun.Message(stun.BINDING, stun.REQUEST)).address(stun.XOR_MAPPED_ADDRESS)

    def allocate(self, *attributes, family=None, lifetime=None):
        """Gives the relayed endpoint (the first one when two families are allocated)."""
        wanted = [(stun.REQUESTED_TRANSPORT, bytes([17, 0, 0, 0])), *attributes]
        if family is not None:
            wanted.append((stun.REQUESTED_ADDRESS_FAMILY, bytes([family, 0, 0, 0])))
        if lifetime is not None:
            wanted.append((stun.LIFETIME, struct.pack(">I", lifetime)))
        response = self.request(stun.ALLOCATE, wanted)
        self.relayed = response.addresses(stun.XOR_RELAYED_ADDRESS)
        self.mapped = response.address(stun.XOR_MAPPED_ADDRESS)
        self.allocation = response
        return self.relayed[0]

    def refresh(self, lifetime=None):
        attributes = [] if lifetime is None else [(stun.LIFETIME, struct.pack(">I", lifetime))]
        return self.request(stun.REFRESH, attributes).number(stun.LIFETIME)

    def permit(self, *hosts):
        return self.request(stun.CREATE_PERMISSION, addresses=[(stun.XOR_PEER_ADDRESS, (host, 0)) for host in hosts])

    def bind(self, number, peer):
        return self.request(stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, struct.pack(">HH", number, 0))],
                            [(stun.XOR_PEER_ADDRESS, peer)])

    def send(self, peer, payload, *attributes):
        message = stun.Message(stun.SEND, stun.INDICATION, attributes)
        message.add_address(stun.XOR_PEER_ADDRESS, peer).add(stun.DATA_ATTRIBUTE, payload)
        self.socket.sendto(message.encode(), self.server)

    def send_channel(self, number, payload):
        self.socket.sendto(stun.encode_channel(number, payload), self.server)

    def receive(self, timeout=2.0):
        """The next arrival that is no response, or None."""
        deadline = time.monotonic() + timeout
        while not self.arrived:
            raw = self._datagram(deadline)
            if raw is None:
                return None
            self._sort(raw)
        return self.arrived.popleft()

    def close(self):
        self.socket.close()
