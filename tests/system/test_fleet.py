# SPDX-License-Identifier: BSD-3-Clause
"""Servers that share a secret take each other's nonces (--fleet-key-file)."""

from netns import Lab
from relay import PEERS, USERS, Relay, port_kinds
import stun
from turn_client import TurnClient


@port_kinds("xdp")
def test_the_next_server_takes_the_nonce(lab, port_kind, tmp_path):
    """Challenged by a worker of the one on its NIC, granted by the other one, on kernel sockets."""
    key = tmp_path / "key"
    key.write_text("a secret of this fleet, long enough\n")
    first = Relay(lab, "--fleet-key-file", key, kind=port_kind)
    try:
        second = Relay(lab, "--fleet-key-file", key, "--instance", "second", "--no-tcp",
                       base=("--port", f"socket:{Lab.LISTEN}:3500", "--relay-ip", Lab.RELAY, "--min-port", "40000", "--max-port", "41000", *USERS, *PEERS))
        try:
            client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
            client.request(stun.REFRESH, check=False)
            nonce = client.nonce
            client.server = (Lab.LISTEN, 3500)
            client.allocate()
            assert client.nonce == nonce
            client.refresh(0)
            client.close()
        finally:
            second.stop()
    finally:
        first.stop()
