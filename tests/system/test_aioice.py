# SPDX-License-Identifier: BSD-3-Clause
"""aioice, an ICE agent that nobody here wrote: its TURN transport, and a whole ICE session that must go through us."""

import asyncio

import aioice
import aioice.turn
import pytest

from netns import Lab, inside

TIMEOUT = 20


class Inbox(asyncio.DatagramProtocol):
    def __init__(self):
        self.arrived = asyncio.Queue()

    def datagram_received(self, data, addr):
        self.arrived.put_nowait((data, addr[:2]))


async def turn_session(lab, server, host, transport, port=3478):
    with inside(lab.namespace("peer")):
        peer, peer_inbox = await asyncio.get_running_loop().create_datagram_endpoint(Inbox, local_addr=(host, 0))
    with inside(lab.namespace("client")):
        client, client_inbox = await aioice.turn.create_turn_endpoint(
            Inbox, server_addr=(server, port), username="alice", password="secret", **transport)
    relayed = client.get_extra_info("sockname")[:2]
    target = peer.get_extra_info("sockname")[:2]
    for number in range(100):
        payload = b"media %d " % number * (1 + number % 90)
        client.sendto(payload, target)
        assert await peer_inbox.arrived.get() == (payload, relayed)
        peer.sendto(payload[::-1], relayed)
        assert await client_inbox.arrived.get() == (payload[::-1], target)
    client.close()
    peer.close()
    await asyncio.sleep(0.2)
    return relayed


@pytest.mark.parametrize("server", [Lab.LISTEN, Lab.LISTEN6])
def test_aioice_turn_transport(lab, relay, server):
    before = relay.kernel_udp()
    relayed = asyncio.run(asyncio.wait_for(turn_session(lab, server, Lab.PEER, {}), TIMEOUT))
    assert relayed[0] == Lab.RELAY and 49152 <= relayed[1] <= 65535
    assert relay.kernel_udp() == before


async def ice_session(lab):
    caller = aioice.Connection(ice_controlling=True, turn_server=(Lab.LISTEN, 3478), turn_username="alice",
                               turn_password="secret", use_ipv6=False)
    callee = aioice.Connection(ice_controlling=False, use_ipv6=False)
    with inside(lab.namespace("client")):
        await caller.gather_candidates()
    with inside(lab.namespace("peer")):
        await callee.gather_candidates()
    for here, there in ((caller, callee), (callee, caller)):
        here.remote_username, here.remote_password = there.local_username, there.local_password
        for candidate in there.local_candidates:
            await here.add_remote_candidate(candidate)
        await here.add_remote_candidate(None)
    await asyncio.gather(caller.connect(), callee.connect())
    for number in range(50):
        await caller.sendto(b"to callee %d" % number, 1)
        assert await callee.recvfrom() == (b"to callee %d" % number, 1)
        await callee.sendto(b"to caller %d" % number, 1)
        assert await caller.recvfrom() == (b"to caller %d" % number, 1)
    await asyncio.gather(caller.close(), callee.close())


def test_aioice_ice_session(lab, relay):
    """Client and peer have no route to each other: only the pair with the relayed candidate can succeed."""
    asyncio.run(asyncio.wait_for(ice_session(lab), TIMEOUT))
