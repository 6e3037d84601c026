# SPDX-License-Identifier: BSD-3-Clause
"""What turnpike-load can do over kernel sockets, against our relay and against coturn."""

import time

import pytest

from certificate import Certificate
from coturn import turnserver
from load import assert_rate, assert_whole, load, report, run_load, running, said
from netns import Lab
from relay import ADDRESSES, PEERS, PORTS, Relay

PORT_KINDS = ("socket",)  # the load is the same whatever port the relay has
RATE, SECONDS = 2000, 1
SECRET = "north"


@pytest.fixture(scope="module", name="relay")
def secure_relay(lab, port_kind, tmp_path_factory):
    """The usual relay, with a certificate."""
    relay = Relay(lab, *Certificate(tmp_path_factory.mktemp("certificate")).options(), kind=port_kind)
    yield relay
    relay.stop()


def goodbyes(relay):
    return relay.ctl("status")["clients"]["closed_by_client"]


@pytest.mark.parametrize("transport", ("udp", "tcp", "tls", "dtls"))
@pytest.mark.parametrize("client, peer", ((4, 4), (6, 6), (4, 6), (6, 4)), ids=("v4", "v6", "v4-to-v6", "v6-to-v4"))
def test_every_transport_and_family(lab, relay, transport, client, peer):
    """Nothing of a client stays in the relay: a DTLS session that idles says so a minute later, to whoever has the port then."""
    expected = goodbyes(relay) + (4 if transport != "udp" else 0)
    result = load(lab, "--transport", transport, "--sessions", 4, "--rate", RATE, "--seconds", SECONDS, "--direction", "both",
                  client=client, peer=peer)
    assert_whole(result)
    assert_rate(result, RATE, SECONDS)
    assert result["transport"] == transport
    assert (result["client_family"], result["peer_family"]) == (f"ipv{client}", f"ipv{peer}")
    deadline = time.monotonic() + 5
    while goodbyes(relay) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert goodbyes(relay) == expected


def test_even_ports_only_when_asked(lab, relay):
    ports = []
    for first_port, option in ((11000, "--even-port"), (12000, "--no-even-port")):
        load(lab, "--mode", "alloc", "--sessions", 40, "--seconds", 1, "--leave", "--first-port", first_port, option)
        relayed = [relayed for session in relay.sessions() if f":{str(first_port)[:2]}" in session["client"] for relayed in session["relays"]]
        assert len(relayed) == 40
        ports.append({int(endpoint.rpartition(":")[2]) % 2 for endpoint in relayed})
    assert ports == [{0}, {0, 1}]


@pytest.mark.parametrize("framing", ((), ("--indications",)), ids=("channels", "indications"))
def test_clients_have_several_peers(lab, relay, framing):
    before = len(relay.sessions())
    with running(lab, "--sessions", 3, "--peers-per-client", 5, "--rate", RATE, "--seconds", 2, "--direction", "both", *framing) as process:
        said(process, "measuring")
        assert len(relay.sessions()) == before + 3
        result = report(process)
    assert_whole(result)
    assert result["peers_per_client"] == 5


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("threads", ((1, 1), (2, 1), (2, 2), (3, 2)))
def test_threads_share_the_work(lab, threads):
    senders, receivers = threads
    result = load(lab, "--sessions", 7, "--rate", RATE, "--seconds", SECONDS, "--direction", "both", "--train", 4,
                  "--sender-threads", senders, "--receiver-threads", receivers)
    assert_whole(result)
    assert_rate(result, RATE, SECONDS, 0.1)
    assert (result["sender_threads"], result["receiver_threads"]) == threads


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("options", ((), ("--train", 16), ("--transport", "tls"), ("--peers-per-client", 3)),
                         ids=("plain", "trains", "tls", "peers"))
def test_echo_is_measured_as_round_trips(lab, options):
    result = load(lab, "--sessions", 4, "--rate", RATE, "--seconds", SECONDS, "--echo", *options)
    assert_whole(result)
    assert result["returned"] == result["sent"] and result["latency_us"]["round_trip"]["count"] == result["sent"]


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("options", (("--transport", "udp"), ("--transport", "tls"), ("--indications",),
                                     ("--peers-per-client", 2, "--receiver-threads", 1)), ids=("udp", "tls", "indications", "peers"))
def test_refreshes_while_media_flows(lab, options):
    result = load(lab, "--sessions", 6, "--rate", RATE, "--seconds", 4, "--refresh", 1, "--direction", "both", *options)
    assert_whole(result)
    assert 6 * 3 <= result["refreshes"] <= 6 * 4 and not result["refresh_failures"]


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("transport", ("udp", "dtls"))
def test_clients_and_peers_in_two_processes(lab, transport):
    """Echo, sink, and one way in both directions."""
    shape = ("--sessions", 3, "--peers-per-client", 2, "--rate", RATE)
    client = (*shape, "--role", "client", "--transport", transport, "--seconds", 2)
    for direction in ("to-peer", "to-client", "both"):
        with running(lab, *shape, "--role", "peer", "--direction", direction) as peers:
            said(peers, "measuring")
            clients = load(lab, *client, "--direction", direction)
            peers.terminate()
            found = report(peers)
        receivers = {"to-peer": [found], "to-client": [clients], "both": [clients, found]}[direction]
        for receiver in receivers:
            assert receiver["delivered"] > RATE and not receiver["lost_in_relay"]
            assert not receiver["corrupt"] and not receiver["duplicate"]
        # Peers learn from a greeting a second where clients are that do not send.
        assert (clients["sent"] < 100) == (direction == "to-client")
        assert (found["sent"] == 0) == (direction == "to-peer")
        if direction == "to-peer":
            assert found["delivered"] == clients["sent"] and clients["loss"] is None
    with running(lab, *shape, "--role", "peer", "--echo") as peers:
        said(peers, "measuring")
        clients = load(lab, *client, "--echo")
        peers.terminate()
        assert report(peers)["returned"] == clients["sent"] == clients["delivered"]


def test_allocations_and_what_they_cost(lab, relay):
    pids = [option for pid in lab.pids("relay") for option in ("--server-pid", pid)]
    result = load(lab, "--mode", "alloc", "--sessions", 500, "--seconds", 2, "--refresh", 1, "--open-sockets", 10, "--first-port", 14000, *pids)
    assert result["allocated"] == result["torn_down"] == 500 and not result["failures"]
    assert result["refreshes"] >= 500 and not result["refresh_failures"]
    memory = result["server_memory_kib"]
    assert memory["allocated"] >= memory["before"] > 1000
    assert memory["per_allocation"] == pytest.approx((memory["allocated"] - memory["before"]) / 500)
    _, complaint = run_load(lab, "--mode", "alloc", "--server-pid", 4_000_000, check=False)
    assert "no process" in complaint


@pytest.mark.parametrize("transport", ("udp", "tcp", "dtls"))
def test_soak_replaces_sessions(lab, relay, transport):
    before = len(relay.sessions())
    result = load(lab, "--mode", "soak", "--transport", transport, "--sessions", 8, "--life", 1, "--rate", RATE, "--seconds", 5,
                  "--direction", "both", "--seed", 7)
    assert_whole(result)
    assert result["sessions_begun"] > 16 and result["sessions_ended"] >= result["sessions_begun"] - 8
    assert not result["failures"] and not result["sessions_failed"]
    assert result["delivered"] > RATE * 3
    assert len(relay.sessions()) == before


@pytest.mark.parametrize("flood, answer", (("damaged", "400"), ("garbage", None), ("binding", "success"), ("allocate", "401"),
                                           ("wrong-password", "401")))
def test_invalid_messages_leave_the_server_whole(lab, relay, flood, answer):
    result = load(lab, "--mode", "invalid", "--flood", flood, "--sessions", 4, "--rate", 20000, "--seconds", 1, "--first-port", 15100)
    assert result["server_answers"] and result["sent"] > 10000
    assert answer is None or result["answers"][answer] > 0
    assert result["answered"] == sum(result["answers"].values())
    # A STUN header alone is the least that is answered.
    assert result["amplification"] == pytest.approx(result["answered_bytes"] / result["sent_bytes"])
    assert not [drop for drop in relay.sessions() if drop["client"].endswith(":15100")]


@pytest.mark.usefixtures("relay")
def test_the_same_seed_floods_the_same(lab):
    found = [load(lab, "--mode", "invalid", "--sessions", 1, "--rate", 2000, "--seconds", 1, "--seed", seed, "--first-port", 15200)
             for seed in (5, 5, 6)]
    sizes = [result["sent_bytes"] / result["sent"] for result in found]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02) and found[0]["seed"] == 5


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("transport", ("udp", "tls"))
def test_ndr_searches_between_two_rates(lab, transport):
    """A machine that stalls may hold less than the maximum: then it says so."""
    found = load(lab, "--mode", "ndr", "--transport", transport, "--sessions", 4, "--direction", "both", "--seconds", 1,
                 "--min-rate", 1000, "--max-rate", 2000, "--max-loss", 1)
    assert found["mode"] == "ndr" and found["transport"] == transport and found["steps"][0]["pps"] == 2000
    assert found["ndr_pps"] == max((step["pps"] for step in found["steps"] if step["passed"]), default=0)
    assert (found["limited_by"] == "none") == (found["ndr_pps"] == 2000)


@pytest.mark.usefixtures("relay")
def test_ndr_says_that_no_rate_could_be_offered(lab):
    found = load(lab, "--mode", "ndr", "--sessions", 4, "--seconds", 1, "--min-rate", 15_000_000, "--max-rate", 15_000_000)
    assert found["ndr_pps"] == 0 and not found["steps"][0]["passed"] and found["limited_by"] == "generator"
    assert "late" in found["limited_by_reason"]


@pytest.mark.usefixtures("relay")
def test_probe_finds_a_rate(lab):
    result = load(lab, "--mode", "probe", "--seconds", 1)
    assert result["held_mbps"] > 50 and result["sessions"] == 1 and result["steps"]
    for step in result["steps"]:
        assert step["delivered"] + step["lost_in_relay"] + step["dropped_by_generator"] == step["sent"]
    assert result["limited_by"] in ("generator", "server")


def base(*users):
    """A relay's options with these instead of the usual users."""
    return PORTS["socket"] + ADDRESSES + PEERS + ("--realm", "example.org", *users)


@pytest.fixture(scope="module", name="other_lab")
def lab_of_other_servers():
    lab = Lab()
    yield lab
    lab.down()


def test_rest_credentials(other_lab):
    relay = Relay(other_lab, kind="socket", base=base("--use-auth-secret", "--static-auth-secret", SECRET))
    try:
        options = ("--rate", RATE, "--sessions", 2, "--seconds", 1)
        assert_whole(load(other_lab, *options, credentials=("--user", "carol", "--secret", SECRET)))
        _, complaint = run_load(other_lab, *options, check=False, credentials=("--user", "carol", "--secret", "south"))
        assert "refused with 401" in complaint
    finally:
        relay.stop()


def test_coturn_is_loaded_as_well(other_lab, tmp_path):
    with turnserver(other_lab, tmp_path):
        for transport in ("udp", "tcp", "tls", "dtls"):
            result = load(other_lab, "--transport", transport, "--sessions", 3, "--peers-per-client", 2, "--rate", RATE, "--seconds", 2,
                          "--direction", "both", "--refresh", 1)
            assert_whole(result)
            assert result["refreshes"] >= 3 and not result["refresh_failures"]
        soak = load(other_lab, "--mode", "soak", "--sessions", 4, "--life", 1, "--rate", RATE, "--seconds", 3, "--first-port", 14000)
        assert soak["sessions_ended"] >= 4 and not soak["failures"]
        flood = load(other_lab, "--mode", "invalid", "--sessions", 2, "--rate", 5000, "--seconds", 1, "--first-port", 15000)
        assert flood["server_answers"]
