# SPDX-License-Identifier: BSD-3-Clause
"""Users in SQLite, PostgreSQL and Redis: added, used, changed and deleted while clients are on; a server that dies and returns."""

import re
import subprocess
import threading
import time

import pytest

from coturn import call, echo_peer
from databases import KINDS, REALM, Sqlite
from netns import ROOT, Lab
from relay import ADDRESSES, PEERS, PORTS, PRESET, Relay
import stun
from turn_client import Messages, TurnClient, TurnError

PORT_KINDS = ("socket",)
SERVER = (Lab.LISTEN, 3478)
BASE = PORTS["socket"] + ADDRESSES + PEERS + ("--realm", REALM)
CHANNEL = 0x4000


@pytest.fixture(name="open_database")
def fixture_open_database(lab):
    """Makes databases; their servers are stopped after the test."""
    made = []

    def make(kind):
        made.append(KINDS[kind](lab))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture(name="start")
def fixture_start(lab):
    """Starts relays with users from a database; what is believed of it is believed for a second."""
    relays = []

    def make(database, *options, lifetime=1):
        relays.append(Relay(lab, *options, base=BASE + tuple(database.option) + ("--user-cache-lifetime", lifetime),
                            kind="socket"))
        return relays[-1]

    yield make
    for relay in relays:
        relay.stop()


def client_of(lab, user="alice", password="secret", timeout=3.0):
    return TurnClient(lab.udp("client", Lab.CLIENT), SERVER, user, password, timeout=timeout)


def error_of(action):
    """The error code that the action gets, None for success."""
    try:
        action()
    except TurnError as error:
        return error.code
    return None


def wait_for(condition, timeout=15):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def wait_for_error(make, code, timeout=15):
    wait_for(lambda: error_of(make) == code, timeout)


def store(relay):
    return relay.ctl("status")["user_store"]


@pytest.mark.parametrize("kind", KINDS)
def test_users_come_and_go_while_clients_are_on(lab, open_database, start, kind):
    database = open_database(kind)
    database.edit("user", "add", "bob", "hidden")
    relay = start(database)
    bob = client_of(lab, "bob", "hidden")
    bob.allocate()

    assert error_of(client_of(lab).allocate) == 401
    database.edit("user", "add", "alice", stdin="secret\n")
    wait_for_error(client_of(lab).allocate, None)
    alice = client_of(lab)
    alice.allocate()

    database.edit("user", "add", "alice", "changed")
    wait_for_error(alice.refresh, 401)
    assert client_of(lab, password="changed").allocate()

    database.edit("user", "delete", "alice")
    wait_for_error(client_of(lab, password="changed").allocate, 401)
    assert bob.refresh() == 600, "nobody else is concerned"
    assert store(relay)["up"] and store(relay)["counters"]["store_outages"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_both_keys_serve_both_algorithms(lab, open_database, start, kind):
    """Where the database can tell that all users have a SHA-256 key it is offered; Redis cannot."""
    database = open_database(kind)
    database.edit("user", "add", "alice", "secret")
    start(database)
    client = client_of(lab)
    client.algorithm = stun.SHA256
    client.allocate()
    assert (client.algorithms is None) == (kind == "redis")
    assert client_of(lab).allocate()


@pytest.mark.parametrize("kind", ("postgres", "redis"))
def test_server_killed_and_restarted_under_load(lab, open_database, start, kind):
    database = open_database(kind)
    for number in range(8):
        database.edit("user", "add", f"user{number}", "pw")
    relay = start(database)
    codes, stop = [[] for _ in range(4)], threading.Event()

    def load(worker):
        """Allocates and deletes, always as somebody else."""
        number = worker
        while not stop.is_set():
            client = client_of(lab, f"user{number % 8}", "pw", timeout=10)
            code = error_of(client.allocate)
            codes[worker].append((time.monotonic(), code))
            if code is None:
                error_of(lambda: client.refresh(0))  # pylint: disable=cell-var-from-loop
            client.close()
            number += 3

    talker, peer = client_of(lab, "user0", "pw"), lab.udp("peer", Lab.PEER)
    talker.allocate()
    talker.bind(CHANNEL, peer.getsockname())
    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: all(len(each) > 5 for each in codes))
        killed = time.monotonic()
        database.kill()
        wait_for(lambda: not store(relay)["up"])
        wait_for(lambda: all(any(code == 500 for _, code in each) for each in codes))
        for _ in range(20):
            talker.send_channel(CHANNEL, b"media")
            assert peer.recv(100) == b"media"
        database.start()
        wait_for(lambda: store(relay)["up"])
        back = time.monotonic()
        wait_for(lambda: all(sum(when > back and code is None for when, code in each) > 5 for each in codes))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    everything = [entry for each in codes for entry in each]
    assert {code for _, code in everything} == {None, 500}
    assert all(code is None for when, code in everything if when < killed)
    counters = store(relay)["counters"]
    assert counters["store_outages"] >= 1 and counters["lookups_failed"] >= 4
    assert counters["requests_waiting"] == 0
    assert "is down" in relay.log() and "is back" in relay.log()
    assert talker.refresh() == 600


@pytest.mark.parametrize("kind", ("postgres", "redis"))
def test_a_hanging_server_holds_nobody_else(lab, open_database, start, kind):
    """Who is known already and who has no credentials yet is answered at once; the others get 500 in bounded time."""
    database = open_database(kind)
    for user in ("alice", "bob"):
        database.edit("user", "add", user, "secret")
    relay = start(database, lifetime=60)
    alice = client_of(lab)
    alice.allocate()
    database.freeze()
    try:
        waiting = client_of(lab, "bob", timeout=15)
        result = []
        thread = threading.Thread(target=lambda: result.append(error_of(waiting.allocate)))
        began = time.monotonic()
        thread.start()
        time.sleep(0.5)
        for _ in range(10):
            begin = time.monotonic()
            assert alice.refresh() == 600
            assert error_of(lambda: TurnClient(lab.udp("client", Lab.CLIENT), SERVER).transact(  # pylint: disable=cell-var-from-loop
                stun.Message(stun.ALLOCATE, stun.REQUEST))) is None  # the challenge
            assert time.monotonic() - begin < 0.3
        thread.join()
        assert result == [500] and time.monotonic() - began < 13
    finally:
        database.thaw()
    wait_for(lambda: store(relay)["up"])
    wait_for_error(client_of(lab, "bob").allocate, None)


def test_clients_on_connections_wait_for_their_user_too(lab, open_database, start):
    """And one that hangs up while it waits leaves nothing behind."""
    database = open_database("postgres")
    for user in ("alice", "bob"):
        database.edit("user", "add", user, "secret")
    relay = start(database)
    peer = lab.udp("peer", Lab.PEER)
    client = TurnClient(Messages(lab.tcp("client", Lab.CLIENT, SERVER)), None)
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    client.send_channel(CHANNEL, b"over TCP")
    assert peer.recv(100) == b"over TCP"

    database.freeze()
    try:
        gone = TurnClient(Messages(lab.tcp("client", Lab.CLIENT, SERVER)), None, "bob", timeout=0.7)
        with pytest.raises(TimeoutError):
            gone.allocate()
        assert store(relay)["counters"]["requests_waiting"] >= 1
        gone.close()
    finally:
        database.thaw()
    wait_for(lambda: store(relay)["counters"]["requests_waiting"] == 0)
    assert [session["user"] for session in relay.sessions()] == ["alice"]


def test_sqlite_file_taken_away_and_put_back(lab, open_database, start):
    database = open_database("sqlite")
    database.edit("user", "add", "alice", "secret")
    relay = start(database)
    away = database.path / "away.db"
    database.file.rename(away)
    wait_for_error(client_of(lab).allocate, 500)
    assert not store(relay)["up"] and "users.db" in store(relay)["trouble"]
    away.rename(database.file)
    wait_for_error(client_of(lab).allocate, None)


def turnadmin(*words):
    """coturn's tool; gives its output, without the log file that it leaves behind."""
    done = subprocess.run(["turnadmin", *map(str, words)], check=True, capture_output=True, text=True, timeout=30)
    for name in re.findall(r"log file opened: (/var/log/turn_\S+)", done.stdout + done.stderr):
        subprocess.run(["rm", "-f", name], check=True)
    return done.stdout


def test_turnadmins_database_serves_unchanged(lab, open_database, start):
    """Users, secrets, origins and realm options as Debian's turnadmin writes them; the file stays as it was but for nothing."""
    database = open_database("sqlite")
    turnadmin("-a", "-b", database.file, "-u", "alice", "-p", "secret", "-r", REALM)
    turnadmin("-a", "-b", database.file, "-u", "dora", "-p", "other", "-r", "other.net")
    turnadmin("-O", "-b", database.file, "-r", "other.net", "--origin", "https://other.net")
    turnadmin("-g", "-b", database.file, "-r", "other.net", "--user-quota=1")
    before = database.file.read_bytes()
    start(database, "--rfc5766-channel-numbers")
    with echo_peer(lab, Lab.PEER):
        sent, received, lost = call(lab)
    assert sent == received > 0 and lost == 0
    origin = (stun.ORIGIN, b"https://OTHER.net")
    dora = client_of(lab, "dora", "other")
    dora.allocate(origin)
    assert dora.realm == "other.net"
    second = client_of(lab, "dora", "other")
    assert error_of(lambda: second.allocate(origin)) == 486
    assert error_of(client_of(lab, "dora", "other").allocate) == 401, "of another realm"
    assert database.file.read_bytes() == before


def test_user_of_turnadmin_comes_while_sha256_is_offered(lab, open_database, start):
    """He has no such key: the offer is withdrawn with the very answer that refuses it, not at the next snapshot."""
    database = open_database("sqlite")
    start(database, lifetime=60)
    turnadmin("-a", "-b", database.file, "-u", "alice", "-p", "secret", "-r", REALM)
    client = client_of(lab)
    client.algorithm = stun.SHA256
    client.allocate()
    assert client.algorithms is None


def test_coturn_reads_what_turnpikectl_wrote(lab, open_database):
    """The longer key text with SHA-256 in it means nothing to coturn's server, and harms it no more."""
    database = open_database("sqlite")
    database.edit("user", "add", "alice", "secret")
    process = lab.start("relay", "turnserver", "-n", "-b", database.file, "--lt-cred-mech", "-r", REALM, "-L", Lab.LISTEN, "-E",
                        Lab.RELAY, "-p", 3478, "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--pidfile",
                        database.path / "pid", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: ":0D96 " in lab.run("relay", "cat", "/proc/net/udp"))
        with echo_peer(lab, Lab.PEER):
            sent, received, _ = call(lab)
        assert sent == received > 0
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.parametrize("kind", KINDS)
def test_realms_with_quotas_and_peers_of_their_own(lab, open_database, start, kind):
    database = open_database(kind)
    database.edit("user", "add", "alice", "secret")
    database.edit("user", "add", "dora", "other", realm="other.net")
    database.edit("peer-ip", "add", "denied", "10.0.2.0/24", realm="other.net")
    origins = {"sqlite": lambda: turnadmin("-O", "-b", database.file, "-r", "other.net", "--origin", "https://other.net"),
               "postgres": lambda: database.sql("insert into turn_origin_to_realm values ('https://other.net:443','other.net');"
                                                "insert into turn_realm_option values ('other.net','user-quota','1')"),
               "redis": lambda: database.command("mset", "turn/origin/https://other.net:443", "other.net",
                                                 "turn/realm/other.net/user-quota", "1")}
    origins[kind]()
    if kind == "sqlite":
        turnadmin("-g", "-b", database.file, "-r", "other.net", "--user-quota=1")
    relay = start(database)
    alice, dora = client_of(lab), client_of(lab, "dora", "other")
    origin = (stun.ORIGIN, b"https://other.net")
    alice.allocate()
    dora.allocate(origin)
    assert {(each["user"], each["realm"]) for each in relay.sessions()} == {("alice", REALM), ("dora", "other.net")}
    alice.permit(Lab.PEER)
    assert error_of(lambda: dora.permit(Lab.PEER)) == 403
    assert error_of(lambda: client_of(lab, "dora", "other").allocate(origin)) == 486
    database.edit("peer-ip", "delete", "denied", "10.0.2.0-10.0.2.255", realm="other.net")
    wait_for_error(lambda: dora.permit(Lab.PEER), None)
    database.edit("--every-realm", "peer-ip", "add", "denied", Lab.PEER)
    wait_for_error(lambda: dora.permit(Lab.PEER), 403)
    wait_for_error(lambda: alice.permit(Lab.PEER), 403)


REFUSED = {
    "of another program": ("create table songs (title text)", "turnusers_lt.*turnpikectl schema"),
    "of an older coturn": ("create table turnusers_lt (name text, hmackey text)", "no such column: realm.*another version"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_database_of_another_schema_is_refused(lab, open_database, case):
    database = open_database("sqlite")
    statements, expected = REFUSED[case]
    subprocess.run(["/usr/bin/python3", "-c", "import sqlite3,sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])",
                    database.file, statements], check=True)
    assert re.search(expected, refusal(lab, database))


def test_postgres_without_tables_is_refused(lab, open_database):
    database = open_database("postgres")
    database.sql("drop table turnusers_lt")
    assert re.search("turnusers_lt.*does not exist.*turnpikectl schema", refusal(lab, database))


def refusal(lab, database):
    """What scripts/run says to a database that cannot work."""
    process = lab.start("relay", ROOT / "scripts/run", "--no-build", "--preset", PRESET, *BASE, *database.option, "--no-huge",
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        report, _ = process.communicate(timeout=40)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    assert process.returncode != 0 and "ready:" not in report, report
    return report


def test_server_that_is_down_at_start_comes_later(lab, open_database, start):
    database = open_database("redis")
    database.edit("user", "add", "alice", "secret")
    database.kill()
    relay = start(database)
    assert error_of(client_of(lab).allocate) == 500
    assert "is down" in relay.log()
    database.start()
    wait_for_error(client_of(lab).allocate, None)


def test_passwords_show_nowhere(lab, open_database, start):
    """Neither in the arguments that everybody may read nor in the log; the new file is for its owner alone."""
    database = open_database("postgres")
    relay = start(database, "--static-auth-secret", "Top-Secret", "--lt-cred-mech")
    shown = " ".join(command for command in lab.pids("relay").values() if "/turnpike-" in command)
    assert "connect_timeout=2" in shown and database.PASSWORD not in shown and "Top-Secret" not in shown
    assert database.PASSWORD not in relay.log() and "Top-Secret" not in relay.log()


def test_new_sqlite_file_is_private(lab, start):
    database = Sqlite(lab)
    start(database)
    assert database.file.stat().st_mode & 0o777 == 0o600
    database.close()
