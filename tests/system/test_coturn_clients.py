# SPDX-License-Identifier: BSD-3-Clause
"""coturn's own client programs relay through us; no packet is lost, none touches a kernel UDP socket of the relay."""

import pytest

from coturn import PORT, call, echo_peer
from netns import Lab
from pcap import Capture
from relay import Relay

# uclient picks any channel number from 0x4000 to 0x7FFF, as RFC 5766 had them.
OPTIONS = ("--rfc5766-channel-numbers",)
METHODS = {"channels": (), "indications": ("-s",)}
FAMILIES = {
    "v4": ((), Lab.LISTEN, Lab.PEER, Lab.RELAY),
    "v6": (("-x",), Lab.LISTEN6, Lab.PEER6, Lab.RELAY6),
    "v4_client_v6_peer": (("-x",), Lab.LISTEN, Lab.PEER6, Lab.RELAY6),
    "v6_client_v4_peer": ((), Lab.LISTEN6, Lab.PEER, Lab.RELAY),
}


@pytest.fixture(scope="module")
def relay(lab, port_kind):
    relay = Relay(lab, *OPTIONS, kind=port_kind)
    yield relay
    relay.stop()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_uclient_relays_without_loss(lab, relay, tmp_path, family, method):
    options, server, peer, relay_ip = FAMILIES[family]
    with echo_peer(lab, peer):
        before = relay.kernel_udp()
        with Capture(lab, "peer", "p0", tmp_path / "peer.pcap") as at_peer, \
                Capture(lab, "client", "c0", tmp_path / "client.pcap") as at_client:
            sent, received, lost = call(lab, *options, *METHODS[method], server=server, peer=peer)
        assert (received, lost) == (sent, 0) and sent >= 50
        assert relay.kernel_udp() == before
    if relay.sockets:
        return  # a veth capture shows the kernel's packets uncut and their checksums half done
    media = at_peer.packets()
    assert len(media) >= sent
    for packet in media:
        assert packet.intact, packet
        assert packet.source[0] == relay_ip and 49152 <= packet.source[1] <= 65535
        assert packet.destination in ((peer, PORT), (peer, PORT + 1))  # uclient's RTP and RTCP
    answers = at_client.packets()
    assert len(answers) >= received
    for packet in answers:
        assert packet.intact, packet
        assert packet.source == (server, 3478)


@pytest.mark.parametrize("method", METHODS)
def test_c007_udp_transport_uclient_20_clients(lab, relay, method):
    with echo_peer(lab, Lab.PEER):
        before = relay.kernel_udp()
        sent, received, lost = call(lab, "-m", 20, *METHODS[method], messages=100)
        assert (received, lost) == (sent, 0) and sent >= 2000
        assert relay.kernel_udp() == before


@pytest.mark.parametrize("method", METHODS)
def test_c151_hairpin_same_server(lab, relay, method):
    """Two clients whose peers are each other's relayed address."""
    before = relay.kernel_udp()
    sent, received, lost = call(lab, "-y", *METHODS[method])
    assert (received, lost) == (sent, 0) and sent >= 50
    assert relay.kernel_udp() == before


def test_uclient_even_port_pair(lab, relay):
    """C-235 habit_uclient_even_port_pair: RTP and RTCP on a reserved pair of ports is what uclient does by default."""
    with echo_peer(lab, Lab.PEER):
        sent, received, lost = call(lab)
        assert (received, lost) == (sent, 0) and sent >= 50


@pytest.mark.parametrize("server,mapped", [(Lab.LISTEN, Lab.CLIENT), (Lab.LISTEN6, Lab.CLIENT6)])
def test_stunclient_sees_its_address(lab, relay, server, mapped):
    before = relay.kernel_udp()
    report = lab.run("client", "turnutils_stunclient", server)
    assert f"{mapped}:" in report.replace("]", ""), report
    assert relay.kernel_udp() == before
