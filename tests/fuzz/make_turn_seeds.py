#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seed talks of turn_server_fuzz.cpp, in the bytes that it reads."""

import pathlib

TARGET = pathlib.Path(__file__).resolve().parent / "corpus" / "turn_server"

ALLOCATE, REFRESH, PERMIT, BIND, BINDING = range(5)
PEER, CHANNEL, LIFETIME, TRANSPORT, FAMILY, ADDITIONAL, EVEN, TOKEN = range(8)


def operation(kind, client):
    return bytes([kind | client << 3])


def attribute(which, value=None):
    if which == TOKEN:
        return bytes([which])
    if which == PEER:
        return bytes([which, value])
    return bytes([which, len(value)]) + value


def request(client, method, *attributes, kind=1, repeat=0):
    return operation(kind, client) + bytes([method, len(attributes)]) + b"".join(attributes) + bytes([repeat])


def udp():
    return attribute(TRANSPORT, b"\x11\0\0\0")


def start(client, *more):
    return request(client, ALLOCATE, kind=2) + request(client, ALLOCATE, udp(), *more) + settle()


def permit(client, *peers):
    return request(client, PERMIT, *(attribute(PEER, peer) for peer in peers))


def bind(client, channel, peer):
    return request(client, BIND, attribute(CHANNEL, bytes([0x40, channel, 0, 0])), attribute(PEER, peer))


def settle(amount=255):
    return operation(5, 0) + bytes([amount])


def refuse(client, amount):
    return operation(6, client) + bytes([amount])


def wait(amount):
    return operation(0, 0) + amount.to_bytes(2, "big")


def send(client, peer, data=b"hello"):
    return operation(7, client) + bytes([0, peer, len(data)]) + data


def channel_data(client, channel, data=b"hello"):
    return operation(7, client) + bytes([1, channel, len(data)]) + data


def peer_data(allocation, peer, data=b"hello"):
    return operation(4, 0) + bytes([allocation, peer, len(data)]) + data


TALKS = {
    "binding": request(0, BINDING, kind=2) + request(3, BINDING, kind=2),
    "call": start(0) + permit(0, 0, 1) + bind(0, 1, 2) + settle() + send(0, 0) + channel_data(0, 1)
    + peer_data(0, 0) + peer_data(0, 2) + request(0, REFRESH) + request(0, REFRESH, attribute(LIFETIME, bytes(4))),
    "dual": start(3, attribute(ADDITIONAL, b"\x02\0\0\0")) + permit(3, 0, 4) + bind(3, 1, 5) + settle()
    + send(3, 4) + peer_data(128, 5) + request(3, REFRESH, attribute(LIFETIME, bytes(4)), attribute(FAMILY, b"\x01\0\0\0"))
    + send(3, 0) + send(3, 4),
    "pair": start(0, attribute(EVEN, b"\x80")) + start(1, attribute(TOKEN)),
    "hairpin": start(0) + start(2) + b"".join(permit(0, peer) + permit(2, peer) for peer in (128, 140))
    + settle() + b"".join(send(0, peer) + peer_data(1, peer) for peer in range(128, 148)),
    "denied": start(0) + b"".join(permit(0, peer) + bind(0, peer, peer) for peer in (6, 7, 8, 128, 147)),
    "refused": start(0) + permit(0, 0) + settle() + permit(0, 0, 1, 2) + refuse(0, 2) + bind(0, 1, 0) + refuse(0, 1)
    + start(2) + refuse(2, 1) + settle(3) + refuse(0, 1) + settle(),
    "expiry": start(0) + bind(0, 1, 0) + settle() + wait(18000) + wait(18000) + send(0, 0) + channel_data(0, 1)
    + wait(18000) + wait(60000) + settle() + start(0),
    "again": start(0) + request(0, REFRESH) + request(0, REFRESH, repeat=1) + settle()
    + request(0, REFRESH, attribute(LIFETIME, bytes(4))) + settle() + request(0, REFRESH, repeat=1) + start(0)
    + request(0, REFRESH, repeat=1),
    "full": b"".join(start(client) for client in range(8)) + b"".join(permit(0, p) for p in range(6)),
    "intruder": start(0) + request(0, REFRESH, repeat=2) + request(0, ALLOCATE, udp(), repeat=2) + refuse(0, 245)
    + start(0) + refuse(0, 255) + start(1),
    "raw": operation(3, 0) + bytes([0, 20]) + bytes.fromhex("000100002112a442") + bytes(12)
    + operation(3, 1) + bytes([1, 4]) + b"\x40\x00\x00\x00",
}

TARGET.mkdir(parents=True, exist_ok=True)
for name, talk in TALKS.items():
    (TARGET / f"talk-{name}.bin").write_bytes(talk)
