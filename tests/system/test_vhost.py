# SPDX-License-Identifier: BSD-3-Clause
"""The relay as a virtual machine's neighbour: behind a vhost-user socket, or as the virtio side of one. turnpike-load is the other side."""

import time

import pytest

from deaths import kill_program, wait_back
from relay import ending
from test_memif import LOAD_MAC, RELAY_MAC, SESSIONS, PairedRelay, assert_perfect, result_of, start_load
from test_privileges import NET_ADMIN, NOBODY, assert_rights, pid_of

NET_RAW = 1 << 13
USERS = pytest.mark.parametrize("user", (None, "nobody"))


def wait_for_file(path, timeout=10):
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)


def running(lab, user, *arguments):
    return ending(PairedRelay(lab, *arguments, *(("--run-as", user) if user else ())))


@USERS
def test_vhost(lab, tmp_path, user):
    """Guests come and go; a dataplane that is killed leaves its socket, which the next one takes the place of."""
    socket = tmp_path / "relay.sock"
    with running(lab, user, f"vhost:{socket}", f"vdev:net_virtio_user0,path={socket},mac={LOAD_MAC}") as relay:
        if user:
            assert_rights(pid_of(lab, "turnpike-dataplane"), 0, NOBODY.pw_uid)
        buffers = relay.counters()["mbufs_in_use"]
        for family in ("v4", "v6"):
            assert_perfect(result_of(relay.load(family=family, seconds=1)))
        relay.wait_buffers(buffers)
        kill_program(lab, "turnpike-dataplane")
        wait_back(relay, lab, 0, not_before=0.5)
        assert_perfect(result_of(relay.load(seconds=1)))
    assert socket.exists() == bool(user)  # who is not root removes nothing from a directory of root's


@USERS
def test_virtio_at_a_switch_that_listens(lab, tmp_path, user):
    socket = tmp_path / "switch.sock"
    load = start_load(lab, f"vhost:{socket}", seconds=2)
    try:
        wait_for_file(socket)
        with running(lab, user, f"vdev:net_virtio_user0,path={socket}", "") as relay:
            if user:
                assert_rights(pid_of(lab, "turnpike-dataplane"), NET_ADMIN | NET_RAW, NOBODY.pw_uid)
            assert {port["mac"] for port in relay.ctl("status")["ports"]} == {RELAY_MAC}
            assert_perfect(result_of(load))
    finally:
        load.kill()
        load.wait()


def test_virtio_at_a_switch_that_connects(lab, tmp_path):
    """DPDK waits for it in EAL's start. The relay ends first: DPDK 22.11's virtio-user panics once a switch has come and gone."""
    socket = tmp_path / "relay.sock"
    load = start_load(lab, f"vhost:{socket},client=1", seconds=60)
    try:
        with running(lab, None, f"vdev:net_virtio_user0,path={socket},server=1", "") as relay:
            relay.wait_sessions(lambda sessions: len(sessions) == SESSIONS and min(session["to_client"]["packets"] for session in sessions) > 100)
    finally:
        load.kill()
        load.wait()
