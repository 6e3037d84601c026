#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seed files of the fuzz targets of the codec and the packet path from tests/vectors/*.hex; run it after a vector was added."""

import ipaddress
import pathlib
import re
import struct

HERE = pathlib.Path(__file__).resolve().parent


def vectors():
    for path in sorted((HERE.parent / "vectors").glob("*.hex")):
        text = re.sub(r"#.*", "", path.read_text())
        yield path.stem, bytes.fromhex("".join(text.split()))


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"vector-{name}.bin").write_bytes(data)


def frame(source, destination, body, protocol=17, fragment=0, vlan=None):
    """An Ethernet frame; the target repairs the checksums (flag 2)."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    link = bytes(12) + (struct.pack("!HH", 0x8100, vlan) if vlan else b"")
    if source.version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, fragment, 64, protocol, 0)
        return link + b"\x08\x00" + ip + source.packed + destination.packed + body
    ip = struct.pack("!IHBB", 6 << 28, len(body), protocol, 64)
    return link + b"\x86\xdd" + ip + source.packed + destination.packed + body


def udp(source_port, destination_port, payload, checksum=0):
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), checksum) + payload


def packets(whole):
    """(name, port, frame) for the relay of tests/stages/stage_fixture.hpp."""
    client = lambda payload, **more: frame("10.0.1.2", "10.0.1.1", udp(40000, 3478, payload), **more)
    peer = lambda payload, **more: frame("10.0.2.2", "10.0.2.1", udp(5000, 50000, payload), **more)
    six = lambda payload: frame("fd00:2::2", "fd00:2::1", udp(5000, 50000, payload, 1))
    # XOR-PEER-ADDRESS 10.0.2.2:5000, DATA "hello".
    send = bytes.fromhex("00160018 2112a442 e0e1e2e3e4e5e6e7e8e9eaeb 00120008 0001329a 2b12a640 00130005 68656c6c6f000000")
    quoted = frame("10.0.2.1", "10.0.2.2", udp(50000, 5000, b""))[14:]
    yield "channel", 0, client(bytes.fromhex("4001000568656c6c6f"))
    yield "channel-vlan", 0, client(bytes.fromhex("4002000568656c6c6f"), vlan=12)
    yield "channel-loop", 0, client(bytes.fromhex("4003000568656c6c6f"))
    yield "send", 0, client(send)
    yield "binding", 0, client(whole["o-01"])
    yield "allocate", 0, client(whole["o-07"])
    yield "peer", 1, peer(b"hello")
    yield "peer-six", 1, six(b"hello")
    yield "fragment-1", 0, frame("10.0.1.2", "10.0.1.1", udp(40000, 3478, bytes.fromhex("40010020") + bytes(32))[:24], fragment=0x2000)
    yield "fragment-2", 0, frame("10.0.1.2", "10.0.1.1", bytes(20), fragment=3)
    yield "icmp", 1, frame("10.0.2.9", "10.0.2.1", bytes([3, 4, 0, 0, 0, 0, 5, 120]) + quoted, protocol=1)
    yield "too-big", 1, peer(bytes(1472))


def write_packets(whole):
    records = b""
    for name, port, data in packets(whole):
        record = struct.pack("!BH", port | 2, len(data)) + data
        write("packet_path", name, record)
        records += record
    write("packet_path", "all", records)


def main():
    whole = dict(vectors())
    for name, data in whole.items():
        write("channel_data" if data[0] >= 0x40 else "stun_message", name, data)
    # The framer's input: size limit (0: none), seed of the chunk sizes, stream.
    stream = b"".join(data for name, data in whole.items() if len(data) % 4 == 0)
    for chunks in (0, 1, 7, 255):
        write("stream_framer", f"all-{chunks}", bytes([0, chunks]) + stream)
    for name in ("o-01", "o-07", "o-23", "o-24"):
        write("stream_framer", name, bytes([16, 3]) + whole[name] * 2)
    write_packets(whole)


if __name__ == "__main__":
    main()
