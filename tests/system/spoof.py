# SPDX-License-Identifier: BSD-3-Clause
"""UDP frames from whatever address and port, past the sender's IP stack, and what comes back."""

import ipaddress
import socket
import struct
import time

from netns import inside
from pcap import ones_sum, parse_udp

ETH_P_ALL = 3


def checksum(data):
    return ~ones_sum(data) & 0xFFFF


def udp_frame(macs, source, destination, payload):
    """`macs` are destination and source."""
    here, there = (ipaddress.ip_address(host).packed for host, _ in (source, destination))
    size = 8 + len(payload)
    udp = struct.pack(">HHHH", source[1], destination[1], size, 0) + payload
    sum_ = checksum(here + there + struct.pack(">HH", 17, size) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack(">H", sum_) + payload
    if len(here) == 16:
        return b"".join(macs) + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, size, 17, 64) + here + there + udp
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, 17, 0) + here + there
    return b"".join(macs) + b"\x08\x00" + head[:10] + struct.pack(">H", checksum(head)) + head[12:] + udp


class Wire:
    """One end of a cable of a lab, `device` of `role`; the other end is the neighbour's."""

    def __init__(self, lab, role, device, neighbour, neighbour_device):
        self.macs = tuple(bytes.fromhex(lab.run(who, "cat", f"/sys/class/net/{what}/address").strip().replace(":", ""))
                          for who, what in ((neighbour, neighbour_device), (role, device)))
        with inside(lab.namespace(role)):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((device, ETH_P_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, source, destination, payload):
        self.socket.send(udp_frame(self.macs, source, destination, payload))

    def until(self, last, seconds=5):
        """The UDP packets that come in, up to the one that is the last."""
        found, deadline = [], time.monotonic() + seconds
        while not found or not last(found[-1]):
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            frame, about = self.socket.recvfrom(65535)
            if about[2] == socket.PACKET_OUTGOING:
                continue
            if packet := parse_udp(time.time(), frame):
                found.append(packet)
        return found
