# SPDX-License-Identifier: BSD-3-Clause
"""Media of one call, numbered, while a test does something to the relay or its network."""

import contextlib
import threading
import time

import stun


class Media:
    """Numbered packets both ways between a client with a channel and a peer, while something happens."""

    INTERVAL = 0.002

    def __init__(self, client, peer):
        self.client, self.peer = client, peer
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"first")
        _, self.relayed = peer.recvfrom(100)
        self.sent = 0
        self.arrived = {"peer": [], "client": []}
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=each) for each in (self._send, self._hear_peer, self._hear_client)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        time.sleep(0.2)
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _send(self):
        while not self.stopping.wait(self.INTERVAL):
            self.sent += 1
            with contextlib.suppress(OSError):  # a cable without its other end
                self.client.send_channel(0x4000, b"%d" % self.sent)
                self.peer.sendto(b"%d" % self.sent, self.relayed)
        time.sleep(0.2)

    def _hear(self, sock, side, number):
        sock.settimeout(0.1)
        while not self.stopping.is_set() or self.threads[0].is_alive():
            with contextlib.suppress(OSError):
                self.arrived[side].append((number(sock.recv(2000)), time.monotonic()))

    def _hear_peer(self):
        self._hear(self.peer, "peer", int)

    def _hear_client(self):
        self._hear(self.client.socket, "client", lambda raw: int(stun.decode_channel(raw)[1]))

    def lost(self, side, until=None):
        """Of all that was sent, or of the packets up to this number."""
        until = self.sent if until is None else until
        return until - len({number for number, _ in self.arrived[side] if number <= until})

    def goes_on(self, side, seconds=0.2):
        """Whether something arrives from now on, for so long."""
        before = len(self.arrived[side])
        time.sleep(seconds)
        return len(self.arrived[side]) > before + seconds / self.INTERVAL / 4

    def wait(self, timeout=15):
        """Until both directions work again."""
        deadline = time.monotonic() + timeout
        while not (self.goes_on("peer") and self.goes_on("client")):
            assert time.monotonic() < deadline, f"no media: the last of {self.sent} were {self.last()}"

    def last(self):
        return {side: arrived[-1][0] if arrived else 0 for side, arrived in self.arrived.items()}

    def gap(self, side):
        """The longest silence, in seconds."""
        times = [when for _, when in self.arrived[side]]
        return max(later - earlier for earlier, later in zip(times, times[1:]))
