# SPDX-License-Identifier: BSD-3-Clause
"""Stream clients where they are not served."""

import pytest

from netns import Lab
from relay import Relay
from turn_client import Messages


def test_tls_without_certificate_is_closed_and_counted(lab, port_kind):
    relay = Relay(lab, kind=port_kind)
    sock = lab.tcp("client", Lab.CLIENT, (Lab.LISTEN, 3478))
    sock.sendall(b"\x16\x03\x01\x00\x05hello")
    assert Messages(sock).receive(5) == b""
    assert relay.ctl("status")["clients"]["tls_not_served"] == 1
    relay.stop()


def test_no_tcp(lab, port_kind):
    relay = Relay(lab, "--no-tcp", kind=port_kind)
    with pytest.raises(ConnectionRefusedError):
        lab.tcp("client", Lab.CLIENT, (Lab.LISTEN, 3478))
    relay.stop()
