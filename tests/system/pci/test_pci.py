# SPDX-License-Identifier: BSD-3-Clause
"""PCI ports for real: a QEMU guest with an e1000 and a virtio NIC behind an IOMMU, both bound to vfio-pci.

Client and peer are on the host's taps; relay and kernel twins are in the guest, on hugepages.
"""

import contextlib
import json
import re
import shlex
import socket
import subprocess
import time
import urllib.request

import pytest

from coturn import call, echo_peer
from guest import Guest, GuestError
from netns import ROOT, Lab, inside
from pcap import Capture
from relay import ADDRESSES, PEERS, PRESET, USERS
import stun
from turn_client import Arrival, Messages, TurnClient

IMAGE = ROOT / "build/system/pci"
PROGRAMS = ("turnpike-dataplane", "turnpike-control", "turnpikectl", "turnpike-load")
# kind, tap (renamed to the lab's device), role, MAC, addresses of the kernel twin, addresses of the host's end
NICS = (
    ("e1000", "c0", "client", "02:00:00:00:01:01", (f"{Lab.LISTEN}/24", f"{Lab.LISTEN6}/64"),
     (f"{Lab.CLIENT}/24", f"{Lab.CLIENT6}/64")),
    ("virtio", "p0", "peer", "02:00:00:00:02:01", (f"{Lab.RELAY}/24", f"{Lab.RELAY6}/64"),
     (f"{Lab.PEER}/24", f"{Lab.PEER6}/64")),
)
# Two more, on a hub of their own: for a relay and for turnpike-load.
HUB = (("e1000", "02:00:00:00:03:01"), ("virtio", "02:00:00:00:04:01"))


@pytest.fixture(scope="module")
def lab():
    """The lab's three namespaces; the guest's taps take the place of its cables."""
    lab = Lab()
    lab.run("relay", "ip", "link", "delete", "s0")
    lab.run("relay", "ip", "link", "delete", "s1")
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def guest(lab):
    """A guest whose NICs are bound to vfio-pci, with hugepages; its cables end in the client and peer namespaces."""
    binaries = [ROOT / "build" / PRESET / "bin" / program for program in PROGRAMS]
    subprocess.run([ROOT / "tests/system/pci/make-initramfs", IMAGE, *binaries], check=True, timeout=300)
    guest = Guest(lab.namespace("relay"), IMAGE, [*((kind, device, mac) for kind, device, _, mac, _, _ in NICS),
                                                         *((kind, None, mac) for kind, mac in HUB)])
    try:
        for _, device, role, _, _, addresses in NICS:
            lab.run("relay", "ip", "link", "set", device, "netns", lab.namespace(role))
            lab.run(role, "ip", "link", "set", device, "up")
            for address in addresses:
                lab.run(role, "ip", "address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        addresses = guest.bind_vfio(len(NICS) + len(HUB))
        guest.addresses, guest.hub = addresses[:len(NICS)], addresses[len(NICS):]
        yield guest
    finally:
        guest.stop()


@pytest.fixture(scope="module")
def relay(lab, guest):
    """Both programs in the guest, its kernel twins with addresses."""
    options = [*ADDRESSES, *USERS, *PEERS, "--rfc5766-channel-numbers"]  # for uclient's sake
    for address in guest.addresses:
        options += ["--port", f"pci:{address}"]
    options = shlex.join(options)
    guest.start_dataplane = f"turnpike-dataplane {options} >>/tmp/dataplane.log 2>&1 & echo $! >/tmp/dataplane.pid"
    try:
        guest.run(guest.start_dataplane)
        for _, _, _, mac, addresses, _ in NICS:
            twin = guest.wait_for(f"basename $(dirname $(grep -l {mac} /sys/class/net/*/address))", 30).strip()
            guest.run(f"ip link set {twin} up")
            for address in addresses:
                guest.run(f"ip address add {address} dev {twin}")
        lab.acquaint("client", Lab.LISTEN, Lab.LISTEN6)
        lab.acquaint("peer", Lab.RELAY, Lab.RELAY6)
        guest.run(f"turnpike-control {options} >/tmp/control.log 2>&1 & echo $! >/tmp/control.pid")
        guest.wait_for("grep '^ready: ' /tmp/control.log", 30)
    except GuestError as error:
        raise AssertionError(f"{error}\n{logs(guest)}") from error
    yield guest
    print(logs(guest))
    for program in ("control", "dataplane"):
        guest.run(f"kill $(cat /tmp/{program}.pid)")
        guest.wait_for(f"! kill -0 $(cat /tmp/{program}.pid) 2>/dev/null", 20)


def logs(guest):
    return guest.run("head -n 200 /tmp/dataplane.log /tmp/control.log", check=False)


FAMILIES = {
    "v4": (Lab.CLIENT, Lab.LISTEN, Lab.PEER, stun.IPV4),
    "v6": (Lab.CLIENT6, Lab.LISTEN6, Lab.PEER6, stun.IPV6),
    "v4_to_v6": (Lab.CLIENT, Lab.LISTEN, Lab.PEER6, stun.IPV6),
}


def test_pci_doctor_finds_nothing_wrong(guest):
    """Before the relay starts; the fixture has bound the NICs and reserved hugepages."""
    ports = " ".join(f"--port pci:{address}" for address in guest.addresses)
    report = guest.run(f"turnpike-dataplane --doctor {ports}", check=False)
    assert "FAIL" not in report and guest.addresses[0] in report, report


def test_ports_are_driven_by_vfio_with_iommu(relay):
    """Every NIC's IOMMU group is open, and the dataplane's packet memory is hugepages."""
    pid = relay.run("cat /tmp/dataplane.pid").strip()
    files = relay.run(f"ls -l /proc/{pid}/fd")
    for address in relay.addresses:
        group = relay.run(f"basename $(readlink /sys/bus/pci/devices/{address}/iommu_group)").strip()
        assert re.search(rf"/dev/vfio/{group}\n", files), files
    assert re.search(r"KernelPageSize: +2048 kB", relay.run(f"cat /proc/{pid}/smaps"))


@pytest.mark.parametrize("family", FAMILIES)
def test_pci_relays_a_call(lab, relay, tmp_path, family):
    client_ip, server, peer_ip, number = FAMILIES[family]
    client, peer = TurnClient(lab.udp("client", client_ip), (server, 3478)), lab.udp("peer", peer_ip)
    relayed = client.allocate(family=number)
    target = peer.getsockname()[:2]
    payloads = [bytes([length & 0xFF]) * length for length in (0, 1, 18, 100, 1200, 1400)]
    with Capture(lab, "peer", "p0", tmp_path / "peer.pcap") as at_peer, \
            Capture(lab, "client", "c0", tmp_path / "client.pcap") as at_client:
        client.permit(peer_ip)
        for payload in payloads[:-1]:  # the longest does not fit the link with an indication around it
            client.send(target, payload)
            assert peer.recvfrom(2000)[0] == payload
            peer.sendto(payload, relayed)
            assert client.receive() == Arrival("data", target, payload)
        client.bind(0x4000, target)
        for payload in payloads:
            client.send_channel(0x4000, payload)
            assert peer.recvfrom(2000)[0] == payload
            peer.sendto(payload, relayed)
            assert client.receive() == Arrival("channel", 0x4000, payload)
    arrived = at_peer.packets() + at_client.packets()
    assert len(arrived) >= 4 * len(payloads) - 2 and all(packet.intact for packet in arrived), arrived
    assert client.refresh(0) == 0
    client.close()
    peer.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_c174_frag_reassembly(lab, relay, family):
    """A NIC delivers fragments too: they are reassembled, relayed, and fragmented again, both ways."""
    client_ip, server, peer_ip, number = FAMILIES[family]
    client, peer = TurnClient(lab.udp("client", client_ip), (server, 3478)), lab.udp("peer", peer_ip)
    for sock in (client.socket, peer):
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
    relayed = client.allocate(family=number)
    client.bind(0x4000, peer.getsockname()[:2])
    for length in (1500, 2000, 4000):
        payload = bytes(i * length & 0xFF for i in range(length))
        client.send_channel(0x4000, payload)
        assert peer.recv(65535) == payload
        peer.sendto(payload, relayed)
        assert client.receive().payload == payload
    client.refresh(0)
    client.close()
    peer.close()


@pytest.mark.parametrize("method", [(), ("-s",)])
def test_pci_uclient(lab, relay, method):
    with echo_peer(lab, Lab.PEER):
        sent, received, lost = call(lab, *method)
    assert (received, lost) == (sent, 0) and sent >= 50


def test_pci_stunclient(lab, relay):
    assert f"{Lab.CLIENT}:" in lab.run("client", "turnutils_stunclient", Lab.LISTEN)


def test_pci_turn_over_tcp(lab, relay):  # pylint: disable=unused-argument
    """The connection goes through the kernel twin to control, its media through the NIC's queues."""
    client, peer = TurnClient(Messages(lab.tcp("client", Lab.CLIENT, (Lab.LISTEN, 3478))), None), lab.udp("peer", Lab.PEER)
    relayed = client.allocate()
    client.bind(0x4000, peer.getsockname())
    for number in range(20):
        payload = b"over TCP %d" % number
        client.send_channel(0x4000, payload)
        assert peer.recvfrom(100) == (payload, relayed)
        peer.sendto(payload[::-1], relayed)
        assert client.receive() == Arrival("channel", 0x4000, payload[::-1])
    client.close()
    peer.close()


@pytest.mark.parametrize("role,host", [("client", Lab.LISTEN), ("client", Lab.LISTEN6), ("peer", Lab.RELAY),
                                       ("peer", Lab.RELAY6)])
def test_pci_tcp_reaches_the_kernel(lab, relay, role, host):
    """To the listening address as to the relay's: by the twin of an e1000 and of a virtio NIC."""
    relay.run("mkdir -p /tmp/www && seq 100000 >/tmp/www/numbers && (netstat -ltn | grep -q :8080 || httpd -p 8080 -h /tmp/www)")
    wanted = "".join(f"{number}\n" for number in range(1, 100001)).encode()
    with inside(lab.namespace(role)):
        url = f"http://[{host}]:8080/numbers" if ":" in host else f"http://{host}:8080/numbers"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            assert answer.read() == wanted


@pytest.mark.parametrize("role,device,host,mac", [
    ("client", "c0", Lab.LISTEN, NICS[0][3]), ("client", "c0", Lab.LISTEN6, NICS[0][3]),
    ("peer", "p0", Lab.RELAY, NICS[1][3]), ("peer", "p0", Lab.RELAY6, NICS[1][3]),
])
def test_pci_arp_nd_and_ping_answered(lab, relay, role, device, host, mac):
    lab.run(role, "ip", "neigh", "flush", "dev", device)
    report = lab.run(role, "ping", "-n", "-c", 3, "-i", "0.2", "-W", 5, host)
    assert " 0% packet loss" in report, report
    assert mac in lab.run(role, "ip", "neigh", "show", host, "dev", device)


def test_pci_other_udp_reaches_the_kernel(lab, relay):
    """A port outside the relay range is not ours: the guest's kernel says that it is closed."""
    sock = lab.udp("peer", Lab.PEER)
    sock.connect((Lab.RELAY, 999))
    sock.send(b"?")
    with pytest.raises(ConnectionRefusedError):
        sock.recv(10)
    sock.close()


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_pci_dataplane_is_replaced(lab, relay, signal):
    """The next one drives the same NICs, finds the twins with their addresses, and goes on with the call."""
    client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)), lab.udp("peer", Lab.PEER)
    client.allocate()
    client.bind(0x4000, peer.getsockname())
    addresses = "ip -o address show | grep -oE 'inet6? [0-9a-f.:/]+'"
    before = relay.run(addresses)
    told = relay.run("cat /tmp/control.log").count("being installed again")
    relay.run(f"kill -{signal} $(cat /tmp/dataplane.pid)")
    relay.wait_for("! kill -0 $(cat /tmp/dataplane.pid) 2>/dev/null", 20)
    assert relay.run(addresses) == before
    relay.run(relay.start_dataplane)
    relay.wait_for(f"test $(grep -c 'being installed again' /tmp/control.log) -gt {told}", 60)
    deadline = time.monotonic() + 10
    while True:
        client.send_channel(0x4000, b"after it")
        with contextlib.suppress(TimeoutError):
            assert peer.recv(100) == b"after it"
            break
        assert time.monotonic() < deadline, logs(relay)
    assert client.refresh() == 600
    client.refresh(0)
    client.close()
    peer.close()


def test_pci_counters_live(lab, relay):
    """turnpikectl in the guest sees a session and its packets."""
    client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)), lab.udp("peer", Lab.PEER)
    client.allocate()
    client.bind(0x4000, peer.getsockname())
    for _ in range(10):
        client.send_channel(0x4000, b"counted")
        peer.recv(100)
    time.sleep(0.5)
    report = relay.run("turnpikectl sessions")
    assert f"{Lab.CLIENT}:{client.socket.getsockname()[1]}" in report, report
    client.refresh(0)
    client.close()
    peer.close()


@pytest.fixture
def relay_on_hub(guest):
    """A second relay, on the first NIC of the hub."""
    tables = (word for name in ("allocations", "permissions", "channels") for word in (f"--max-{name}", "100"))
    options = shlex.join(["--instance", "hub", "--port", f"pci:{guest.hub[0]},twin=hub0", "--listening-ip", "10.8.1.1",
                          "--relay-ip", "10.8.1.1", "--mbufs", "4096", *tables, *USERS, *PEERS])

    def start(program):
        guest.run(f"turnpike-{program} {options} >/tmp/hub-{program}.log 2>&1 & echo $! >/tmp/hub-{program}.pid")

    try:
        start("dataplane")
        guest.wait_for("ip link set hub0 up && ip address add 10.8.1.1/24 dev hub0", 30)
        start("control")
        guest.wait_for("grep '^ready: ' /tmp/hub-control.log", 30)
    except GuestError as error:
        raise AssertionError(f"{error}\n{guest.run('cat /tmp/hub-*.log', check=False)}") from error
    yield
    for program in ("control", "dataplane"):
        guest.run(f"kill $(cat /tmp/hub-{program}.pid)")
        guest.wait_for(f"! kill -0 $(cat /tmp/hub-{program}.pid) 2>/dev/null", 20)


@pytest.mark.usefixtures("relay_on_hub")
def test_pci_generator_drives_a_nic(guest):
    """turnpike-load on a PCI NIC of its own plays clients and peers of the relay on the other one."""
    output = guest.run(f"turnpike-load --port pci:{guest.hub[1]} --json --mac {HUB[1][1]} --server 10.8.1.1:3478 "
                       "--client-ip 10.8.1.2 --peer-ip 10.8.1.3 --sessions 10 --rate 1000 --seconds 1")
    result = json.loads(output[output.index("{"):output.rindex("}") + 1])
    assert result["verified"] == sum(result["received"].values()) > 700, result
    assert result["lost"] <= 0.01 * sum(result["sent"].values()), result
    assert not any(result[fault] for fault in ("reordered", "duplicate", "corrupt", "checksum", "address", "untrusted")), result
