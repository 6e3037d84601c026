# SPDX-License-Identifier: BSD-3-Clause
"""The relay as the client of a memif."""

import contextlib
import pathlib
import tempfile
import time

import pytest

from test_memif import MemifRelay, assert_perfect, result_of


@pytest.fixture(scope="module", name="relay")
def memif_relay(lab):
    with tempfile.TemporaryDirectory(prefix="turnpike-memif-") as directory:
        relay = MemifRelay(lab, pathlib.Path(directory, "load.sock"), role="client")
        yield relay
        relay.stop()


def test_what_it_relays_is_whole(relay):
    drops = relay.drops()
    assert_perfect(result_of(relay.load()))
    assert relay.drops() == drops


def test_it_survives_servers_that_are_killed(relay):
    """kill -9 in the middle of traffic: the next server finds it as it was."""
    for host in range(2):
        process = relay.load(client=f"10.0.1.{100 + host}", rate=0, seconds=60)
        with contextlib.closing(process.stdout), contextlib.closing(process.stderr):
            before, deadline = relay.counters()["rx_packets"], time.monotonic() + 30
            while relay.counters()["rx_packets"] < before + 20000:
                assert time.monotonic() < deadline and process.poll() is None, process.stderr.read()
                time.sleep(0.05)
            process.kill()
            process.wait()
        relay.socket.unlink()  # net_memif binds no path that is there
        assert relay.process.poll() is None, relay.log()
    assert_perfect(result_of(relay.load(client="10.0.1.110")))
