# SPDX-License-Identifier: BSD-3-Clause
"""STUN messages and ChannelData for tests: written from the RFCs, not from the relay, so that both must agree."""

import hashlib
import hmac
import ipaddress
import os
import struct
import zlib

COOKIE = 0x2112A442

# Methods (RFC 8489, RFC 8656)
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
# Classes
REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3

# Attributes
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
CHANNEL_NUMBER = 0x000C
LIFETIME = 0x000D
XOR_PEER_ADDRESS = 0x0012
DATA_ATTRIBUTE = 0x0013
REALM = 0x0014
NONCE = 0x0015
XOR_RELAYED_ADDRESS = 0x0016
REQUESTED_ADDRESS_FAMILY = 0x0017
EVEN_PORT = 0x0018
REQUESTED_TRANSPORT = 0x0019
DONT_FRAGMENT = 0x001A
MESSAGE_INTEGRITY_SHA256 = 0x001C
PASSWORD_ALGORITHM = 0x001D
USERHASH = 0x001E
XOR_MAPPED_ADDRESS = 0x0020
RESERVATION_TOKEN = 0x0022
ADDITIONAL_ADDRESS_FAMILY = 0x8000
ADDRESS_ERROR_CODE = 0x8001
PASSWORD_ALGORITHMS = 0x8002
ICMP = 0x8004
SOFTWARE = 0x8022
ALTERNATE_SERVER = 0x8023
FINGERPRINT = 0x8028
ORIGIN = 0x802F

MD5, SHA256 = 1, 2  # password algorithms
IPV4, IPV6 = 1, 2  # address families


class Malformed(ValueError):
    """Bytes that are not the message they should be."""


def long_term_key(user, realm, password, algorithm=MD5):
    text = f"{user}:{realm}:{password}".encode()
    return (hashlib.md5 if algorithm == MD5 else hashlib.sha256)(text).digest()


def encode_address(endpoint, transaction):
    """XOR-*-ADDRESS value of (host, port)."""
    host = ipaddress.ip_address(endpoint[0]).packed
    mask = struct.pack(">I", COOKIE) + transaction
    return (struct.pack(">BBH", 0, IPV4 if len(host) == 4 else IPV6, endpoint[1] ^ (COOKIE >> 16))
            + bytes(a ^ b for a, b in zip(host, mask)))


def decode_plain_address(value):
    """(host, port) of an address attribute that is not XORed."""
    return str(ipaddress.ip_address(value[4:])), struct.unpack_from(">H", value, 2)[0]


def decode_address(value, transaction):
    size = {IPV4: 4, IPV6: 16}.get(value[1] if len(value) >= 4 else 0)
    if size is None or len(value) != 4 + size:
        raise Malformed(f"address attribute {value.hex()}")
    mask = struct.pack(">I", COOKIE) + transaction
    host = bytes(a ^ b for a, b in zip(value[4:], mask))
    return str(ipaddress.ip_address(host)), struct.unpack_from(">H", value, 2)[0] ^ (COOKIE >> 16)


class Message:
    """One STUN message; `attributes` is a list of (type, value) in the order of the wire."""

    def __init__(self, method, kind, attributes=(), transaction=None):
        self.method = method
        self.kind = kind
        self.transaction = transaction or os.urandom(12)
        self.attributes = list(attributes)
        self.raw = b""

    def add(self, attribute, value=b""):
        self.attributes.append((attribute, value))
        return self

    def add_address(self, attribute, endpoint):
        return self.add(attribute, encode_address(endpoint, self.transaction))

    def get(self, attribute):
        return next((value for kind, value in self.attributes if kind == attribute), None)

    def get_all(self, attribute):
        return [value for kind, value in self.attributes if kind == attribute]

    def address(self, attribute):
        value = self.get(attribute)
        return None if value is None else decode_address(value, self.transaction)

    def addresses(self, attribute):
        return [decode_address(value, self.transaction) for value in self.get_all(attribute)]

    def number(self, attribute):
        value = self.get(attribute)
        return None if value is None else int.from_bytes(value[:4], "big")

    @property
    def error(self):
        value = self.get(ERROR_CODE)
        return None if value is None else (value[2] & 7) * 100 + value[3]

    def encode(self, key=None, sha256=False, fingerprint=False):
        """The bytes; with a key, MESSAGE-INTEGRITY (or its SHA-256 form) is added, then FINGERPRINT if wanted."""
        body = b"".join(struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)
                        for kind, value in self.attributes)
        if key is not None:
            kind, size, digest = ((MESSAGE_INTEGRITY_SHA256, 32, "sha256") if sha256
                                  else (MESSAGE_INTEGRITY, 20, "sha1"))
            mac = hmac.new(key, self._header(len(body) + 4 + size) + body, digest).digest()
            body += struct.pack(">HH", kind, size) + mac
        if fingerprint:
            crc = zlib.crc32(self._header(len(body) + 8) + body) ^ 0x5354554E
            body += struct.pack(">HHI", FINGERPRINT, 4, crc)
        return self._header(len(body)) + body

    def _header(self, length):
        method, kind = self.method, self.kind
        bits = (method & 0xF) | (method & 0x70) << 1 | (method & 0xF80) << 2 | (kind & 1) << 4 | (kind & 2) << 7
        return struct.pack(">HHI", bits, length, COOKIE) + self.transaction

    @classmethod
    def decode(cls, raw):
        if len(raw) < 20:
            raise Malformed("shorter than a header")
        bits, length, cookie = struct.unpack_from(">HHI", raw)
        if bits >> 14 or cookie != COOKIE or length % 4 or 20 + length != len(raw):
            raise Malformed("not a STUN header")
        method = (bits & 0xF) | (bits >> 1 & 0x70) | (bits >> 2 & 0xF80)
        message = cls(method, (bits >> 4 & 1) | (bits >> 7 & 2), transaction=raw[8:20])
        message.raw = raw
        offset = 20
        while offset < len(raw):
            kind, size = struct.unpack_from(">HH", raw, offset)
            if offset + 4 + size > len(raw):
                raise Malformed("attribute beyond the message")
            message.add(kind, raw[offset + 4: offset + 4 + size])
            offset += 4 + size + -size % 4
        return message

    def verify(self, key):
        """True if the received message carries a right integrity attribute for this key."""
        offset = 20
        for kind, value in self.attributes:
            if kind in (MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256):
                digest = "sha1" if kind == MESSAGE_INTEGRITY else "sha256"
                header = struct.pack(">HH", *struct.unpack_from(">H", self.raw),
                                     offset - 20 + 4 + len(value)) + self.raw[4:20]
                mac = hmac.new(key, header + self.raw[20:offset], digest).digest()
                return hmac.compare_digest(mac, value)
            offset += 4 + len(value) + -len(value) % 4
        return False


def encode_channel(number, payload):
    return struct.pack(">HH", number, len(payload)) + payload


def decode_channel(raw):
    if len(raw) < 4:
        raise Malformed("shorter than a ChannelData header")
    number, length = struct.unpack_from(">HH", raw)
    if 4 + length > len(raw):
        raise Malformed("ChannelData longer than its datagram")
    return number, raw[4: 4 + length]
