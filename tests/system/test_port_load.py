# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-load on an AF_XDP port of its own: the kernel is not there any more, so it asks and answers for MAC addresses itself."""

import json

import pytest

from netns import Lab

PORT_KINDS = ("xdp",)
SESSIONS = 20
# In the client's network, where the generator is the only one. The kernel of the relay looks for their MAC addresses.
FAMILIES = {"v4": (f"{Lab.LISTEN}:3478", "10.0.1.50", "10.0.1.60"), "v6": (f"[{Lab.LISTEN6}]:3478", "fd00:1::50", "fd00:1::60")}


@pytest.mark.parametrize("family", FAMILIES)
def test_xdp_port_finds_the_relay_and_is_found(lab, relay, family):
    server, client, peer = FAMILIES[family]
    command = [relay.binaries / "turnpike-load", "--port", "xdp:c0", "--no-huge", "--json", "--server", server,
               "--client-ip", client, "--peer-ip", peer, "--sessions", SESSIONS, "--rate", 2000, "--seconds", 2]
    output = lab.run("client", *command)
    result = json.loads(output[output.index("{"):])
    assert min(result["sent"].values()) > 1000
    assert result["received"] == result["sent"] and result["lost"] == 0
    assert result["verified"] == sum(result["received"].values())
    assert not any(result[fault] for fault in ("reordered", "duplicate", "corrupt", "checksum", "address", "untrusted"))


def test_who_answers_for_nobody_is_told_what_to_do(lab, relay):
    command = [relay.binaries / "turnpike-load", "--port", "xdp:c0", "--no-huge", "--server", "10.0.1.77:3478",
               "--client-ip", "10.0.1.50", "--peer-ip", "10.0.1.60", "--rate", 1000]
    assert "server=10.0.1.77: nobody answers for it; give --relay-mac" in lab.run("client", *command, check=False)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("flood, sources, answer", (("binding", 500, "success"), ("allocate", 500, "401"), ("wrong-password", 8, "401"), ("garbage", 500, None)))
def test_a_flood_of_frames_from_many_sources(lab, relay, family, flood, sources, answer):
    """Slow enough for every budget: all of it is answered, at addresses that nobody has."""
    server, _, _ = FAMILIES[family]
    first = "10.0.1.100" if family == "v4" else "fd00:1::100"
    level = relay.counters()["mbufs_in_use"]
    neighbours = len(lab.run("relay", "ip", "neighbour", "show", "dev", "s0").splitlines())
    command = [relay.binaries / "turnpike-load", "--port", "xdp:c0", "--no-huge", "--json", "--mode", "invalid", "--flood", flood, "--sources", sources,
               "--server", server, "--client-ip", first, "--rate", 3000, "--seconds", 1]
    output = lab.run("client", *command)
    result = json.loads(output[output.index("{"):])
    assert result["server_answers"] and result["sent"] > 1000
    if answer:
        assert result["answers"] == {answer: pytest.approx(result["sent"], abs=2 * 12)}  # ports that reflect are among them
        size = {"success": 1.6 if family == "v4" else 2.2, "401": 92 / 28}.get(answer if flood != "wrong-password" else None)
        assert size is None or result["amplification"] == pytest.approx(size, rel=0.02)
    else:
        assert result["answers"] == {}
    relay.wait_buffers(level)
    assert len(lab.run("relay", "ip", "neighbour", "show", "dev", "s0").splitlines()) <= neighbours + 1
