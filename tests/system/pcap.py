# SPDX-License-Identifier: BSD-3-Clause
"""Captures by tcpdump, read back without libraries; every checksum is verified, not trusted."""

import dataclasses
import ipaddress
import signal
import struct
import subprocess
import time


@dataclasses.dataclass
class Packet:
    """One UDP packet; `intact` says that lengths, the IPv4 header's and the UDP checksum are right."""

    time: float
    source: tuple
    destination: tuple
    payload: bytes
    intact: bool
    fault: str
    tos: int
    ttl: int
    dont_fragment: bool
    flow_label: int


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def parse_udp(when, frame):
    """The UDP packet in an Ethernet frame, or None if it is something else (or a fragment)."""
    offset, kind = 14, struct.unpack_from(">H", frame, 12)[0]
    while kind in (0x8100, 0x88A8):
        kind = struct.unpack_from(">H", frame, offset + 2)[0]
        offset += 4
    ip = frame[offset:]
    if kind == 0x0800 and len(ip) >= 20 and ip[9] == 17:
        return _parse_udp4(when, ip)
    if kind == 0x86DD and len(ip) >= 40 and ip[6] == 17:
        return _parse_udp6(when, ip)
    return None


def _parse_udp4(when, ip):
    header, total = (ip[0] & 15) * 4, struct.unpack_from(">H", ip, 2)[0]
    flags = struct.unpack_from(">H", ip, 6)[0]
    if flags & 0x3FFF:
        return None
    fault = "" if ones_sum(ip[:header]) == 0xFFFF else "IPv4 header checksum"
    pseudo = ip[12:20] + struct.pack(">HH", 17, total - header)
    return _parse_l4(when, ip[12:16], ip[16:20], ip[header:total], pseudo, fault,
                     {"tos": ip[1], "ttl": ip[8], "dont_fragment": bool(flags & 0x4000), "flow_label": 0})


def _parse_udp6(when, ip):
    word, length = struct.unpack_from(">IH", ip)
    pseudo = ip[8:40] + struct.pack(">II", length, 17)
    return _parse_l4(when, ip[8:24], ip[24:40], ip[40:40 + length], pseudo, "",
                     {"tos": word >> 20 & 0xFF, "ttl": ip[7], "dont_fragment": True, "flow_label": word & 0xFFFFF})


def _parse_l4(when, source, destination, udp, pseudo, fault, fields):
    source_port, destination_port, length, checksum = struct.unpack_from(">HHHH", udp)
    if length != len(udp):
        fault = fault or f"UDP length {length} in {len(udp)} bytes"
    elif checksum == 0:
        fault = fault or "UDP checksum zero"
    elif ones_sum(pseudo + udp) != 0xFFFF:
        fault = fault or f"UDP checksum {checksum:04x}"
    return Packet(when, (str(ipaddress.ip_address(source)), source_port),
                  (str(ipaddress.ip_address(destination)), destination_port), udp[8:length], not fault, fault, **fields)


def read(path):
    """All frames of a capture file as (time, bytes)."""
    with open(path, "rb") as file:
        raw = file.read()
    if len(raw) < 24:
        return []
    order = {0xA1B2C3D4: "<", 0xD4C3B2A1: ">"}[struct.unpack_from("<I", raw)[0]]
    frames, offset = [], 24
    while offset + 16 <= len(raw):
        seconds, micros, kept, _ = struct.unpack_from(f"{order}IIII", raw, offset)
        frames.append((seconds + micros / 1e6, raw[offset + 16: offset + 16 + kept]))
        offset += 16 + kept
    return frames


class Capture:
    """tcpdump on one device of a lab; use as a context manager, then look at packets(). `direction`: in, out or inout."""

    def __init__(self, lab, role, device, path, match="udp", direction="in"):
        self.path = path
        self.command = lab.command(role, "tcpdump", "-i", device, "-Q", direction, "-n", "-U", "-s", "0", "-B", "16384",
                                   "--immediate-mode", "-w", path, *match.split())

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        while "listening on" not in (line := self.process.stderr.readline()):
            assert line, "tcpdump did not start"
        return self

    def __exit__(self, *_):
        time.sleep(0.2)
        self.process.send_signal(signal.SIGINT)
        _, report = self.process.communicate(timeout=10)
        assert "0 packets dropped by kernel" in report, report

    def frames(self):
        return read(self.path)

    def packets(self):
        """The UDP packets of the capture."""
        parsed = (parse_udp(when, frame) for when, frame in self.frames())
        return [packet for packet in parsed if packet is not None]
