# SPDX-License-Identifier: BSD-3-Clause
"""A changed configuration in a running relay: applied by turnpikectl reload and by SIGHUP, without touching a session."""

import signal
import ssl
import subprocess
import time

import pytest

from certificate import Certificate
from netns import Lab
from relay import ADDRESSES, PORTS, Relay
from turn_client import Messages, TurnClient, TurnError

PORT_KINDS = ("socket",)  # control's business: the same on every port


class Configured:
    """A relay that has a configuration file."""

    def __init__(self, lab, directory, kind):
        self.lab = lab
        self.file = directory / "turnpike.conf"
        self.certificate = Certificate(directory / "first", name="first.example.org")
        self.lines = {"realm": "example.org", "user": "alice:secret", "allowed-peer-ip": "10.0.0.0/8",
                      "cert": self.certificate.cert, "pkey": self.certificate.key}
        self.write()
        self.relay = Relay(lab, "--config", self.file, kind=kind, base=PORTS[kind] + ADDRESSES)

    def write(self, **changes):
        self.lines.update({name.replace("_", "-"): value for name, value in changes.items()})
        self.file.write_text("".join(f"{name}={value}\n" for name, value in self.lines.items() if value is not None))

    def reload(self, check=True):
        """What turnpikectl says."""
        return self.lab.run("relay", self.relay.binaries / "turnpikectl", "reload", check=check)

    def client(self, user="alice", password="secret"):
        return TurnClient(self.lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478), user=user, password=password)


@pytest.fixture
def configured(lab, port_kind, tmp_path):
    configured = Configured(lab, tmp_path, port_kind)
    yield configured
    configured.relay.stop()


def refused(client):
    with pytest.raises(TurnError) as error:
        client.allocate()
    return error.value.code


def test_users(configured, make_plain_peer):
    """Who is new is let in, who is gone is not, and a call of his goes on."""
    alice, peer = configured.client(), make_plain_peer()
    relayed = alice.allocate()
    alice.permit(Lab.PEER)
    assert refused(configured.client("bob", "hidden")) == 401
    configured.write(user="bob:hidden")
    assert configured.reload() == "reloaded\n"
    assert configured.client("bob", "hidden").allocate()
    assert refused(configured.client()) == 401
    peer.sendto(b"still there", relayed)
    assert alice.receive().payload == b"still there"


@pytest.fixture
def make_plain_peer(lab):
    socks = []

    def make():
        socks.append(lab.udp("peer", Lab.PEER))
        return socks[-1]

    yield make
    for sock in socks:
        sock.close()


def test_peer_lists_and_quotas(configured):
    client = configured.client()
    client.allocate()
    client.permit(Lab.PEER)
    configured.write(denied_peer_ip="10.0.2.0/24", user_quota=1)
    configured.reload()
    with pytest.raises(TurnError) as error:
        client.permit(Lab.PEER)
    assert error.value.code == 403
    assert refused(configured.client()) == 486
    configured.write(denied_peer_ip=None, user_quota=None, total_quota=2)
    configured.reload()
    client.permit(Lab.PEER)
    assert configured.client().allocate()
    assert refused(configured.client()) == 486


def subject(lab, port=5349):
    text = lab.run("client", "sh", "-c", f"openssl s_client -connect {Lab.LISTEN}:{port} </dev/null 2>/dev/null")
    return next(line for line in text.splitlines() if line.startswith("subject="))


@pytest.mark.parametrize("by", ["turnpikectl", "SIGHUP"])
def test_certificate(configured, make_plain_peer, tmp_path, by):
    """New connections see the new one; an open TLS connection notices nothing."""
    context = ssl.create_default_context(cafile=configured.certificate.cert)
    raw = configured.lab.tcp("client", Lab.CLIENT, (Lab.LISTEN, 5349))
    client = TurnClient(Messages(context.wrap_socket(raw, server_hostname="first.example.org")), None)
    relayed, peer = client.allocate(), make_plain_peer()
    client.permit(Lab.PEER)
    assert "first.example.org" in subject(configured.lab)
    second = Certificate(tmp_path / "second", name="second.example.org")
    configured.write(cert=second.cert, pkey=second.key)
    if by == "SIGHUP":
        pid = next(pid for pid, command in configured.lab.pids("relay").items()
                   if "turnpike-control" in command.split()[0])
        subprocess.run(["kill", f"-{signal.SIGHUP.value}", str(pid)], check=True)
        deadline = time.monotonic() + 5
        while "reloaded" not in configured.relay.log():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    else:
        configured.reload()
    assert "second.example.org" in subject(configured.lab)
    peer.sendto(b"undisturbed", relayed)
    assert client.receive().payload == b"undisturbed"
    client.close()


WRONG = {
    "syntax": ({"realm": "example.org\nno such line"}, ":2: not a KEY=VALUE line"),
    "expired": ({}, "has expired"),
    "no_key": ({"pkey": "/nonexistent.pem"}, "pkey=/nonexistent.pem: "),
    "unknown_option": ({"relm": "x"}, "relm: unknown option"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_changes_nothing(configured, tmp_path, wrong):
    changes, text = WRONG[wrong]
    if wrong == "expired":
        old = Certificate(tmp_path / "old", name="old.example.org", days=-1)
        changes = {"cert": old.cert, "pkey": old.key}
    configured.write(user="mallory:secret", **changes)
    assert text in configured.reload(check=False)
    assert "everything stays as it was" in configured.relay.log()
    assert configured.client().allocate()
    assert refused(configured.client("mallory")) == 401
    assert "first.example.org" in subject(configured.lab)


def test_what_needs_a_restart_is_named(configured):
    configured.write(min_port=50000, log_level="debug", listening_port=3479)
    said = configured.reload()
    assert "need a restart: " in said and "min-port" in said and "listening-port" in said and "log-level" not in said
    assert configured.client().allocate()
