# SPDX-License-Identifier: BSD-3-Clause
"""What is not relay traffic stays with the kernel of a netdev that an xdp port shares."""

import socket
import threading

import pytest

from netns import Lab, inside
from silence import assert_silent

PORT_KINDS = ("xdp",)
ADDRESSES = [("client", Lab.CLIENT, Lab.LISTEN), ("client", Lab.CLIENT6, Lab.LISTEN6),
             ("peer", Lab.PEER, Lab.RELAY), ("peer", Lab.PEER6, Lab.RELAY6)]


@pytest.mark.parametrize("role,_,host", ADDRESSES)
def test_ping_arp_nd_answered(lab, relay, role, _, host):
    lab.run(role, "ip", "neigh", "flush", "all")
    report = lab.run(role, "ping", "-n", "-c", 3, "-i", "0.2", "-W", 2, host)
    assert " 0% packet loss" in report, report


@pytest.mark.parametrize("port", [22, 50000])
@pytest.mark.parametrize("role,_,host", ADDRESSES)
def test_tcp_reaches_the_kernel(lab, relay, role, _, host, port):
    """Even in the relay range: our UDP ports are no TCP ports. On the listening port control itself serves TCP."""
    sent = bytes(range(256)) * 1000
    with inside(lab.namespace("relay")):
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    with inside(lab.namespace(role)):
        sock = socket.create_connection((host, port), timeout=3)
    accepted, _ = listener.accept()
    accepted.settimeout(5)
    writer = threading.Thread(target=lambda: (sock.sendall(sent), sock.close()))
    writer.start()
    received = b""
    while chunk := accepted.recv(65536):
        received += chunk
    writer.join()
    accepted.close()
    listener.close()
    assert received == sent


@pytest.mark.parametrize("role,source,host", ADDRESSES)
def test_other_udp_reaches_the_kernel(lab, relay, role, source, host):
    service, asker = lab.udp("relay", host, 5353), lab.udp(role, source)
    asker.sendto(b"question", (host, 5353))
    payload, address = service.recvfrom(100)
    assert payload == b"question"
    service.sendto(b"answer", address)
    assert asker.recv(100) == b"answer"
    service.close()
    asker.close()


def test_relay_range_never_reaches_the_kernel(lab, relay):
    """A socket of the relay's own kernel in the relay range hears nothing: those ports are ours."""
    service, asker = lab.udp("relay", Lab.RELAY, 60000), lab.udp("peer", Lab.PEER)
    asker.sendto(b"for nobody", (Lab.RELAY, 60000))
    assert_silent(service)
    assert_silent(asker, 0.1)  # and no ICMP error says whether the port is in use
    service.close()
    asker.close()


def test_kernel_reserves_the_relay_range(lab, relay):
    assert lab.run("relay", "sysctl", "-n", "net.ipv4.ip_local_reserved_ports").strip() == "49152-65535"
