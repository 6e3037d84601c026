#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that join, talk, refresh and leave at random, with garbage among them, for as long as told.

Every payload comes back through the relay from an echoing peer and must be the one that was sent. At the end the
programs must stop cleanly, without sanitizer report, and all packet buffers must be back.
"""

import argparse
import collections
import os
import random
import select
import struct
import sys
import threading
import time
import traceback
import zlib

import stun
from netns import Lab
from relay import PRESET, Relay
from turn_client import TurnClient, TurnError

CHANNEL = 0x4000
STRAY = b"stray "
LIFETIME = 600.0  # of an allocation that nobody refreshes
LONGEST_VISIT = 120.0
LOST_AFTER = 10.0  # a busy machine may be slow
HOSTS = {stun.IPV4: (Lab.CLIENT, Lab.LISTEN, Lab.PEER), stun.IPV6: (Lab.CLIENT6, Lab.LISTEN6, Lab.PEER6)}


class Soak:
    def __init__(self, lab, seconds, clients, garbage, seed):
        self.lab = lab
        self.end = time.monotonic() + seconds
        self.clients = clients
        self.garbage = garbage
        self.seed = seed
        self.lock = threading.Lock()
        self.totals = collections.Counter()
        self.vanished = {}  # address of a client that went without a word -> when
        self.failures = []
        self.done = threading.Event()

    def count(self, **what):
        with self.lock:
            self.totals.update(what)

    def vanish(self, address):
        """A client went without a word: its allocation lives until it expires."""
        with self.lock:
            self.vanished[address] = time.monotonic()
        self.count(vanished=1)

    def return_to(self, address):
        """Somebody got the port of one that had vanished, and ended its allocation."""
        with self.lock:
            del self.vanished[address]
        self.count(returned=1)

    def alive(self, seconds):
        """How many vanished during the last `seconds`."""
        now = time.monotonic()
        return sum(now - when < seconds for when in self.vanished.values())

    def run(self):
        """Gives the totals; raises if anything went wrong."""
        echoes = {family: self.lab.udp("peer", hosts[2]) for family, hosts in HOSTS.items()}
        self.peers = {family: sock.getsockname()[:2] for family, sock in echoes.items()}
        threads = [threading.Thread(target=self._guard, args=(self._echo, list(echoes.values())))]
        for number in range(self.clients):
            threads.append(threading.Thread(target=self._guard, args=(self._client, number)))
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
        self.done.set()
        threads[0].join()
        for sock in echoes.values():
            sock.close()
        if self.failures:
            raise AssertionError("\n".join(self.failures[:5]))
        assert self.totals["lost"] <= self.totals["sent"] / 1000, dict(self.totals)
        return dict(self.totals)

    def _guard(self, work, argument):
        try:
            work(argument)
        except Exception:  # pylint: disable=broad-except
            self.failures.append(traceback.format_exc())

    def _echo(self, sockets):
        while not self.done.is_set():
            for sock in select.select(sockets, [], [], 0.2)[0]:
                payload, source = sock.recvfrom(65535)
                sock.sendto(payload, source)

    def _client(self, number):
        choice = random.Random(self.seed * 1000 + number)
        time.sleep(choice.uniform(0, 2))
        while time.monotonic() < self.end and not self.failures:
            _Visit(self, choice).run()


class _Visit:
    """One client's stay: allocate, talk, leave (or vanish)."""

    def __init__(self, soak, choice):
        self.soak = soak
        self.choice = choice
        side, self.family = choice.choice(list(HOSTS)), choice.choice(list(HOSTS))
        host, server, _ = HOSTS[side]
        self.client = TurnClient(soak.lab.udp("client", host), (server, 3478), timeout=8.0,
                                 algorithm=choice.choice([stun.MD5, stun.SHA256]))
        self.peer = soak.peers[self.family]
        self.outstanding = set()

    def run(self):
        try:
            self._allocate()
            self.channel = self.choice.random() < 0.6
            self._authorize()
            self.soak.count(joined=1)
            self._talk(min(time.monotonic() + self.choice.expovariate(1 / 8), self.soak.end))
            self._settle()
            if self.choice.random() < 0.9:
                assert self.client.refresh(0) == 0
                self.soak.count(left=1)
            else:
                self.soak.vanish(self.client.socket.getsockname()[:2])
        finally:
            self.client.close()

    def _allocate(self):
        try:
            self.client.allocate(family=self.family)
        except TurnError as error:
            if error.code != 437:
                raise
            self.client.refresh(0)  # somebody who vanished had this port before: its allocation still lives
            self.soak.return_to(self.client.socket.getsockname()[:2])
            self.client.allocate(family=self.family)

    def _authorize(self):
        if self.channel:
            self.client.bind(CHANNEL, self.peer)
        else:
            self.client.permit(self.peer[0])

    def _talk(self, until):
        renew = time.monotonic() + 2
        while (now := time.monotonic()) < until:
            if now > renew:
                self._renew()
                renew = now + self.choice.uniform(1, 5)
            if self.choice.random() < self.soak.garbage:
                self._garbage()
            else:
                self._say()
            self._listen(self.choice.uniform(0.02, 0.06))
        self._listen(0)

    def _renew(self):
        if self.choice.random() < 0.5:
            assert self.client.refresh() == 600
        else:
            self._authorize()
        self.soak.count(renewed=1)

    def _say(self):
        body = os.urandom(8) + self.choice.randbytes(self.choice.choice([0, 1, 40, 159, 160, 900, 1150]))
        payload = struct.pack(">I", zlib.crc32(body)) + body
        self.outstanding.add(payload)
        if self.channel:
            self.client.send_channel(CHANNEL, payload)
        else:
            self.client.send(self.peer, payload)
        self.soak.count(sent=1)

    def _listen(self, seconds):
        end = time.monotonic() + seconds
        while (arrival := self.client.receive(max(end - time.monotonic(), 0))) is not None:
            if arrival.payload.startswith(STRAY):
                self.soak.count(strays=1)
                continue
            wanted = ("channel", CHANNEL) if self.channel else ("data", self.peer)
            assert arrival[:2] == wanted, arrival
            assert arrival.payload in self.outstanding, f"never sent, or twice here: {arrival}"
            self.outstanding.remove(arrival.payload)
            self.soak.count(received=1)

    def _settle(self):
        """What is still under way may arrive; the rest is lost."""
        end = time.monotonic() + LOST_AFTER
        while self.outstanding and time.monotonic() < end:
            self._listen(0.05)
        self.soak.count(lost=len(self.outstanding))

    def _garbage(self):
        """Nothing of this may be relayed, answered wrongly or disturb a session."""
        kind = self.choice.randrange(6)
        random_bytes = self.choice.randbytes(self.choice.randrange(1, 1400))
        client = self.client
        if kind == 0:  # no protocol at all
            raw = bytes([self.choice.choice([*range(4, 64), *range(80, 256)])]) + random_bytes
        elif kind == 1:  # ChannelData cut short, or of a number never bound
            raw = stun.encode_channel(CHANNEL, random_bytes)[:-1] if self.channel else stun.encode_channel(0x4ABC, b"?")
        elif kind == 2:  # a request whose bits are flipped after signing
            message = stun.Message(stun.REFRESH, stun.REQUEST, [(stun.LIFETIME, bytes(4))])
            flipped = bytearray(message.encode(**client._sign(message)))  # pylint: disable=protected-access
            flipped[self.choice.randrange(20, len(flipped))] ^= 1 << self.choice.randrange(8)
            raw = bytes(flipped)
        elif kind == 3:  # a header with noise for attributes
            noise = random_bytes[: len(random_bytes) & ~3]
            raw = struct.pack(">HHI12s", self.choice.randrange(0x4000), len(noise), stun.COOKIE, os.urandom(12)) + noise
            if raw[0] == 0 and raw[1] in (0x16, 0x17):  # indications with random peers are fine, our own are not
                return
        elif kind == 4:  # a stray datagram to the relayed address, from a permitted host
            with self.soak.lab.udp("peer", self.peer[0]) as sock:
                sock.sendto(STRAY + random_bytes, client.relayed[0])
            raw = b""
        else:  # a datagram to a relay port that belongs to nobody (or to somebody without permission for it)
            with self.soak.lab.udp("peer", self.peer[0]) as sock:
                sock.sendto(STRAY, (client.relayed[0][0], self.choice.randrange(49152, 65536)))
            raw = b""
        if raw:
            client.socket.sendto(raw, client.server)
        self.soak.count(garbage=1)


def quiet_call(lab):
    """A few lone packets through both ports: a driver gives sent buffers back when it sends the next."""
    client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)), lab.udp("peer", Lab.PEER)
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    for _ in range(20):
        client.send_channel(CHANNEL, b"quiet")
        peer.sendto(*peer.recvfrom(100))
        assert client.receive() is not None
    client.refresh(0)
    client.close()
    peer.close()
    time.sleep(0.5)


def run_soak(lab, seconds, clients=50, garbage=0.05, seed=1, preset=PRESET):
    """A relay and a soak in a lab; gives the totals."""
    relay = Relay(lab, "--permission-lifetime", "30", "--channel-lifetime", "30", preset=preset)
    try:
        quiet_call(lab)
        level = relay.counters()["mbufs_in_use"]
        soak = Soak(lab, seconds, clients, garbage, seed)
        totals = soak.run()
        quiet_call(lab)
        relay.wait_buffers(level)
        # No allocation leaked: what is left are clients that vanished and have not expired yet. A client granted
        # LIFETIME that long before it vanished, so the bounds are a lifetime, and a lifetime less a visit.
        left = len(relay.sessions())
        assert soak.alive(LIFETIME - LONGEST_VISIT) <= left <= soak.alive(LIFETIME + 5), (left, totals)
    except BaseException:
        print(relay.log())
        relay.kill()
        raise
    relay.stop()
    return totals


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--garbage", type=float, default=0.05, help="share of datagrams that are garbage")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--preset", default="asan", help="build/PRESET/bin (default asan)")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    lab = Lab()
    try:
        totals = run_soak(lab, options.seconds, options.clients, options.garbage, options.seed, options.preset)
    finally:
        lab.down()
    print(" ".join(f"{name}={value}" for name, value in sorted(totals.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
