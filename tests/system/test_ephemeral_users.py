# SPDX-License-Identifier: BSD-3-Clause
"""Ephemeral credentials (the TURN REST API), and the modes without users: what each lets through, and until when."""

import base64
import hashlib
import hmac
import time

import pytest

from coturn import call, echo_peer
from databases import REALM, Sqlite
from netns import Lab
from relay import ADDRESSES, PEERS, PORTS, Relay
import stun
from test_user_databases import client_of, error_of, wait_for_error
from turn_client import TurnClient, TurnError

PORT_KINDS = ("socket",)
BASE = PORTS["socket"] + ADDRESSES + PEERS + ("--realm", REALM)


@pytest.fixture(name="start")
def fixture_start(lab):
    relays = []

    def make(*options, base=BASE, kind="socket"):
        relays.append(Relay(lab, *options, base=base, kind=kind))
        return relays[-1]

    yield make
    for relay in relays:
        relay.stop()


def ephemeral(lab, secret, lifetime=600, account="dave", separator=":"):
    """A client whose name says until when it is good."""
    name = f"{int(time.time()) + lifetime}{separator}{account}"
    password = base64.b64encode(hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()).decode()
    return client_of(lab, name, password)


def test_c227_either_secret_serves(lab, start):
    start("--use-auth-secret", "--static-auth-secret", "old", "--static-auth-secret", "new", "--user", "alice:secret")
    for secret in ("old", "new"):
        client = ephemeral(lab, secret)
        client.algorithm = stun.SHA256
        client.allocate()
        assert client.algorithms is not None, "SHA-256 beside MD5"
    assert error_of(ephemeral(lab, "older").allocate) == 401
    assert client_of(lab).allocate(), "users of options stay"


def test_c227_coturns_client(lab, start):
    start("--static-auth-secret", "north", "--rfc5766-channel-numbers")
    with echo_peer(lab, Lab.PEER):
        sent, received, lost = call(lab, "-W", "north")
    assert sent == received > 0 and lost == 0


def test_c228_expired_or_garbage_401(lab, start):
    start("--static-auth-secret", "north")
    assert error_of(ephemeral(lab, "north", -1).allocate) == 401
    for name in ("dave", "+17:dave", "99999999999999999999:dave", ":"):
        password = base64.b64encode(hmac.new(b"north", name.encode(), hashlib.sha1).digest()).decode()
        assert error_of(client_of(lab, name, password).allocate) == 401


def test_expiry_ends_the_right_to_refresh(lab, start):
    """The allocation goes with its credential, whatever lifetime was asked for."""
    relay = start("--static-auth-secret", "north")
    client = ephemeral(lab, "north", 4)
    client.allocate(lifetime=3600)
    assert 1 <= client.allocation.number(stun.LIFETIME) <= 4
    assert client.refresh(3600) <= 4
    end = time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(0.2)
    assert error_of(client.refresh) == 401
    assert relay.sessions() == []


def test_c229_quota_counts_the_account(lab, start):
    start("--static-auth-secret", "north", "--user-quota", "2")
    for lifetime in (600, 601):
        ephemeral(lab, "north", lifetime).allocate()
    assert error_of(ephemeral(lab, "north", 602).allocate) == 486
    assert ephemeral(lab, "north", 602, "erin").allocate()


def test_secrets_of_the_database(lab, start):
    database = Sqlite(lab)
    database.edit("secret", "add", stdin="north\n")
    database.edit("user", "add", "alice", "secret")
    start("--use-auth-secret", "--rest-api-separator", "#", "--user-cache-lifetime", "1", *database.option)
    assert ephemeral(lab, "north", separator="#").allocate()
    assert error_of(ephemeral(lab, "south", separator="#").allocate) == 401
    assert error_of(client_of(lab).allocate) == 401, "long-term users count only with lt-cred-mech"
    database.edit("secret", "add", "south")
    wait_for_error(lambda: ephemeral(lab, "south", separator="#").allocate(), None)
    database.edit("secret", "delete", "north")
    wait_for_error(lambda: ephemeral(lab, "north", separator="#").allocate(), 401)
    database.close()


@pytest.mark.parametrize("kind", PORTS)
def test_secure_stun(lab, start, kind):
    """Binding wants credentials too, so it is not the dataplane that answers."""
    start("--user", "alice:secret", "--secure-stun", base=PORTS[kind] + ADDRESSES + PEERS + ("--realm", REALM), kind=kind)
    client = client_of(lab)
    bare = client.transact(stun.Message(stun.BINDING, stun.REQUEST))
    assert bare.error == 401 and bare.get(stun.XOR_MAPPED_ADDRESS) is None
    assert client.request(stun.BINDING).address(stun.XOR_MAPPED_ADDRESS) == client.socket.getsockname()[:2]
    with pytest.raises(TurnError, match="401"):
        client_of(lab, password="wrong").request(stun.BINDING)
    client.allocate()


def test_stun_only(lab, start):
    relay = start("--stun-only", base=PORTS["socket"] + ADDRESSES)
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478), timeout=1.2)
    assert client.binding() == client.socket.getsockname()[:2]
    with pytest.raises(TimeoutError):
        client.allocate()
    assert relay.ctl("status")["server"]["dropped_stun_only"] >= 1


def test_no_auth(lab, start):
    start("--no-auth", base=PORTS["socket"] + ADDRESSES + PEERS)
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))
    response = client.transact(stun.Message(stun.ALLOCATE, stun.REQUEST, [(stun.REQUESTED_TRANSPORT, bytes([17, 0, 0, 0]))]))
    assert response.error is None and response.address(stun.XOR_RELAYED_ADDRESS)
