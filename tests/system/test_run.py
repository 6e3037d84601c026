# SPDX-License-Identifier: BSD-3-Clause
"""scripts/run and the programs behind it: start, refusal of what cannot work, clean stop, instances side by side."""

import contextlib
import os
import pathlib
import re
import signal
import time

import pytest

from netns import ROOT, Lab
from relay import ADDRESSES, PEERS, PORTS, PRESET, USERS, Relay
from turn_client import TurnClient

BINARIES = ROOT / "build" / PRESET / "bin"


def relays_a_packet(lab, port=3478):
    client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, port)), lab.udp("peer", Lab.PEER)
    client.allocate()
    client.bind(0x4000, peer.getsockname())
    client.send_channel(0x4000, b"call")
    arrived = peer.recv(100) == b"call"
    client.refresh(0)
    client.close()
    peer.close()
    return arrived


def refusal(lab, *options, base=PORTS["xdp"] + ADDRESSES + USERS + PEERS):
    """Runs scripts/run with options that cannot work; gives what it says. It must end with a code that is not 0."""
    process = lab.start("relay", ROOT / "scripts/run", "--no-build", "--preset", PRESET, *base, *options,
                        stdout=-1, stderr=-2, text=True)
    try:
        report, _ = process.communicate(timeout=40)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    assert process.returncode != 0 and "ready:" not in report, report
    return report


REFUSED = {
    "unknown option": (("--no-such-option", "1"), "no-such-option"),
    "value out of range": (("--listening-port", "70000"), "listening-port"),
    "not a number": (("--min-port", "many"), "min-port"),
    "unknown kind of port": (("--port", "carrier-pigeon:1"), "carrier-pigeon"),
    "missing NIC": (("--port", "xdp:nope0"), "nope0"),
    "relay range upside down": (("--min-port", "60000", "--max-port", "50000"), "min-port|max-port"),
    "bad address": (("--relay-ip", "10.0.2.1.5"), "10.0.2.1.5"),
    "bad peer range": (("--allowed-peer-ip", "10.0.0.0/99"), "10.0.0.0/99"),
    "user without password": (("--user", "carol"), "carol|user"),
    "missing configuration file": (("--config", "/nonexistent/turnpike.conf"), "/nonexistent/turnpike.conf"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_clear_line(lab, case):
    options, named = REFUSED[case]
    report = refusal(lab, *options)
    assert re.search(named, report), report


def test_port_options_want_a_name(lab):
    """Without any port option kernel sockets serve (test_socket_port.py)."""
    for option in ("--iface", "--pci"):
        assert f"{option} wants a" in refusal(lab, option, base=())


def test_program_not_built_names_the_command(lab):
    assert "scripts/build" in refusal(lab, "--preset", "nonexistent")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_stop_leaves_nothing(lab, number):
    """Exit code 0, no XDP program on the devices; and it can start again at once."""
    relay = Relay(lab)
    assert relay.ready == f"turn:{Lab.LISTEN}:3478"
    assert "xdp" in lab.run("relay", "ip", "link", "show", "s0")
    assert relays_a_packet(lab)
    relay.process.send_signal(number)
    assert relay.process.wait(timeout=30) == 0
    for device in ("s0", "s1"):
        assert "xdp" not in lab.run("relay", "ip", "link", "show", device)
    relay.work.cleanup()


def test_memory_is_found_by_itself(lab):
    """With hugepages or without: no option is needed, and ordinary memory is mentioned with the remedy."""
    relay = Relay(lab, memory=())
    assert relays_a_packet(lab)
    if "HugePages_Total:       0" in pathlib.Path("/proc/meminfo").read_text(encoding="ascii"):
        assert "nr_hugepages" in relay.log()
    relay.stop()


def test_second_start_is_refused_first_goes_on(lab):
    relay = Relay(lab)
    try:
        for program in ("turnpike-control", "turnpike-dataplane"):
            report = lab.run("relay", "sh", "-c", '"$0" "$@"; echo code=$?', BINARIES / program, *PORTS["xdp"], *ADDRESSES, *USERS,
                             *PEERS, timeout=40)
            assert "code=0" not in report and "ready:" not in report, report
            assert relays_a_packet(lab)
    finally:
        relay.stop()


def test_other_listening_port(lab):
    relay = Relay(lab, "--listening-port", "5000")
    assert relay.ready == f"turn:{Lab.LISTEN}:5000"
    assert relays_a_packet(lab, port=5000)
    relay.stop()


def test_configuration_file(lab, tmp_path):
    file = tmp_path / "turnpike.conf"
    options = [*PORTS["xdp"], *ADDRESSES, *USERS, *PEERS]
    file.write_text("# a relay\n" + "".join(f"{key[2:]}={value}\n" for key, value in zip(options[::2], options[1::2])))
    relay = Relay(lab, base=("--config", file))
    assert relays_a_packet(lab)
    relay.stop()


def test_two_instances_on_one_host(lab):
    """Each in a namespace of its own; stopping one leaves the other alone."""
    other = Lab()
    try:
        first, second = Relay(lab), Relay(other)
        assert relays_a_packet(lab) and relays_a_packet(other)
        first.stop()
        assert relays_a_packet(other)
        second.stop()
    finally:
        other.down()


@pytest.mark.parametrize("program", ["turnpike-control", "turnpike-dataplane"])
def test_a_program_that_keeps_dying_ends_the_run(lab, program):
    """One that is killed is started again (test_survival.py), but not for ever: half a relay must not stay behind."""
    relay = Relay(lab, kind="socket", base=PORTS["socket"] + USERS)
    deadline = time.monotonic() + 40
    while relay.process.poll() is None:
        assert time.monotonic() < deadline, relay.log()
        for pid, command in lab.pids("relay").items():
            if f"/{program} " in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    assert relay.process.returncode == 128 + signal.SIGKILL
    assert relay.log().count(f"{program} was killed by SIGKILL; starting it again") == 5
    assert lab.pids("relay") == {}
    relay.work.cleanup()


def test_doctor_finds_what_is_wrong(lab):
    doctor = (ROOT / "scripts/doctor", "--preset", PRESET)
    report = lab.run("relay", *doctor, *PORTS["xdp"])
    assert "FAIL" not in report and "xdp:s0" in report and "hugepages" in report, report
    report = lab.run("relay", *doctor, "--port", "xdp:nope0", check=False)
    assert re.search("^FAIL.*nope0.*\n +-> ", report, re.MULTILINE), report
