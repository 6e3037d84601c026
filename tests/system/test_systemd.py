# SPDX-License-Identifier: BSD-3-Clause
"""The installed units under a systemd that runs them: their sandbox, restarts and watchdog, with a call going on."""

import pytest

from deaths import wait_back
from media import Media
from netns import Lab
from relay import ADDRESSES, PEERS, PORTS, USERS, port_kinds
from services import NAMES, Services
from turn_client import TurnClient

# docs/operations.md: what a dataplane on kernel sockets alone does with.
ON_SOCKETS = """[Service]
CapabilityBoundingSet=
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE
"""
# As short as the documentation allows.
WATCHDOG = "[Service]\nWatchdogSec=4\n"


def configuration(*options):
    """The lines of a turnpike.conf that say what these arguments do."""
    lines = " ".join(options).replace("--", "\n").split("\n")
    return "".join("=".join(line.split()) + "\n" for line in lines if line) + "no-huge\n"


@pytest.fixture(name="services")
def make_services(lab, port_kind):
    services = Services(lab, configuration(*PORTS[port_kind], *ADDRESSES, *USERS, *PEERS))
    if port_kind == "socket":
        services.write("etc/systemd/system/turnpike-dataplane.service.d/sockets.conf", ON_SOCKETS)
    services.write("etc/systemd/system/turnpike-dataplane.service.d/watchdog.conf", WATCHDOG)
    services.run("systemctl", "daemon-reload")
    try:
        yield services
    finally:
        services.end()


def test_a_call_outlives_what_systemd_restarts(lab, services, make_peer):
    """Starting control starts both; SIGKILL, a restart by hand of each, and a dataplane that hangs: the session is back each time."""
    services.run("systemctl", "enable", "--now", "turnpike-control")
    for name in NAMES:
        assert services.show(name, "ActiveState") == "active"
        assert services.of_process(name, "Seccomp") == ["2"] and services.of_process(name, "NoNewPrivs") == ["1"]
        assert services.of_process(name, "Uid")[0] != "0"
    assert services.of_process("turnpike-dataplane", "CapPrm") == ["0" * 16]
    assert services.show("turnpike-control", "StatusText").startswith("serving turn:")

    client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)), make_peer()
    client.allocate()
    with Media(client, peer) as media:
        services.run("systemctl", "kill", "-s", "KILL", "turnpike-control")
        wait_back(services, lab, 1, not_before=0.4)
        services.run("systemctl", "restart", "turnpike-control")
        wait_back(services, lab, 1)
    assert media.sent > 400 and media.lost("peer") == media.lost("client") == 0

    with Media(client, peer) as media:
        services.run("systemctl", "kill", "-s", "KILL", "turnpike-dataplane")
        wait_back(services, lab, 1, not_before=0.4)
        services.run("systemctl", "restart", "turnpike-dataplane")
        wait_back(services, lab, 1, not_before=0.4)
        services.run("systemctl", "kill", "-s", "STOP", "turnpike-dataplane")
        wait_back(services, lab, 1, not_before=5.5)
    last = media.arrived["peer"][-1][0], media.arrived["client"][-1][0]
    assert min(last) > media.sent - 50, f"media did not come back: {last} of {media.sent}\n{services.log()}"
    assert "Watchdog timeout" in services.run("journalctl", "--no-pager", "-u", "turnpike-dataplane")
    assert client.refresh() == 600

    services.run("systemctl", "stop", "turnpike-control")
    services.run("systemctl", "stop", "turnpike-dataplane")
    assert "1 session(s) of a turnpike-control that is gone end with it" in services.log()
    for name in NAMES:
        assert services.show(name, "Result") == "success", services.log()
