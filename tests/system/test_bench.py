# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-load over kernel sockets against our relay, and the front of scripts/bench."""

import json
import random
import re
import subprocess
import sys

import pytest

from load import assert_whole, load, run_load
from netns import ROOT

sys.path.append(str(ROOT / "bench/scenarios"))
from flatness import trend  # pylint: disable=wrong-import-position,import-error

SESSIONS, RATE, SECONDS = 8, 4000, 1


def assert_latencies(result, *directions):
    latencies = [result["latency_us"][direction] for direction in directions]
    assert sum(latency["count"] for latency in latencies) == result["delivered"]
    for latency in latencies:
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]


@pytest.mark.parametrize("framing", ((), ("--indications",)), ids=("channels", "indications"))
@pytest.mark.parametrize("train", ((), ("--train", 16), ("--train", 16, "--no-gso", "--receiver-threads", 1)),
                         ids=("interleaved", "gso", "sendmmsg"))
def test_media_is_relayed_whole(lab, relay, framing, train):
    result = load(lab, "--sessions", SESSIONS, "--rate", RATE, "--warmup", 1, "--seconds", SECONDS,
                  "--direction", "both", *framing, *train)
    assert_whole(result)
    assert_latencies(result, "to_peer", "to_client")
    assert result["sent"] + result["late"] == pytest.approx(RATE * result["seconds"], rel=0.02)


@pytest.mark.parametrize("profile, pps, mean_size", (("imix", 2400, 344), ("g711", SESSIONS * 50, 172),
                                                     ("video", SESSIONS * 210, 8048 / 7)),
                         ids=("imix", "g711", "video"))
def test_profiles_have_their_rate_and_sizes(lab, relay, profile, pps, mean_size):
    rate = ("--rate", pps) if profile == "imix" else ()
    result = load(lab, "--sessions", SESSIONS, "--profile", profile, "--seconds", 2, *rate)
    assert_whole(result)
    assert_latencies(result, "to_peer")
    assert result["sent"] + result["late"] == pytest.approx(pps * 2, rel=0.02)
    assert result["delivered_mbps"] == pytest.approx(result["delivered_pps"] * mean_size * 8 / 1e6, rel=0.02)


def test_every_second_is_told(lab, relay):
    result, said = run_load(lab, "--sessions", SESSIONS, "--rate", RATE, "--seconds", 2, "--sweep", 0)
    lines = re.findall(r"^ *(\d) s +(\d+) pps +([\d.]+) Mbit/s  lost (\d+)  p99 ([\d.]+) us$", said, re.MULTILINE)
    assert [int(second) for second, *_ in lines] == [1, 2], said
    for _, pps, mbps, lost, p99 in lines:
        assert float(mbps) == pytest.approx(int(pps) * result["payload"] * 8 / 1e6, rel=0.05, abs=0.06)  # one decimal
        assert int(lost) == 0 and 0 < float(p99) <= result["latency_us"]["to_peer"]["max"]


def test_generator_says_that_it_was_the_limit(lab, relay):
    result = load(lab, "--sessions", SESSIONS, "--rate", 20_000_000, "--seconds", 1)
    assert result["limited_by"] == "generator" and re.search(r"\d+ late", result["limited_by_reason"])


@pytest.mark.parametrize("options", ((), ("--allocate-only", "--open-sockets", 10)), ids=("channels", "allocations"))
def test_hold(lab, relay, options):
    result = load(lab, "--mode", "alloc", "--sessions", 200, "--seconds", 1, *options)
    assert result["allocated"] == result["torn_down"] == 200 and not result["failures"]
    assert not relay.sessions()


# Every scenario of bench/micro, with a rival in each.
MICRO_SCENARIOS = {
    "checksum-carried-over", "checksum-full", "classify", "integrity-sha1", "integrity-sha256", "lookup-hit", "lookup-miss",
    "nonce-check", "nonce-issue", "parse-binding", "parse-refresh", "parse-send", "rewrite", "ring", "stages-binding",
    "stages-channel-to-peer", "stages-fragmented", "stages-hairpin", "stages-limited", "stages-peer-to-channel",
    "stages-peer-to-data", "stages-request-to-control", "stages-send-to-peer", "write-allocate-response",
    "write-data-indication"}


def micro(*options):
    return subprocess.run([ROOT / "scripts/bench", "micro", "--no-build", "--quick", *map(str, options)], capture_output=True,
                          text=True, check=False, timeout=60)


def test_every_micro_bench_runs(tmp_path):
    done = micro("--json", tmp_path / "report.json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert {row["scenario"] for row in report["results"]} == MICRO_SCENARIOS
    for row in report["results"]:
        assert row["mode"] == "turnpike" != row["baseline"] and row["loss"] == 0
        assert row["mpps"] > 0 and row["ratio"] == pytest.approx(row["mpps"] / row["baseline_mpps"])
    assert report["machine"]["cpu"] and report["commit"]
    assert {(row["flows"]) for row in report["results"] if row["scenario"] == "lookup-hit"} == {1024}
    assert report["skipped"]["lookup-hit/turnpike/flows:4194304"] == "more than --max-flows 1024"


def test_micro_bench_wants_something_to_run():
    done = micro("--filter", "nothing-of-this-name")
    assert done.returncode == 1 and "--filter" in done.stderr


@pytest.mark.parametrize("bench", ("p1", "p3", "p4", "p5", "p6", "p7", "streams", "soak", "micro"))
def test_bench_explains_itself(bench):
    done = subprocess.run([ROOT / "scripts/bench", bench, "--help"], capture_output=True, text=True, check=True,
                          timeout=30)
    assert "--seconds" in done.stdout or "--turns" in done.stdout


def bench(name, report, *options):
    """The results of scripts/bench NAME, as short as it goes."""
    done = subprocess.run([ROOT / "scripts/bench", name, "--no-build", "--json", str(report), *map(str, options)], capture_output=True,
                          text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    return json.loads(report.read_text())["results"]


@pytest.mark.parametrize("rival, baseline", (("testpmd", "testpmd"), ("coturn", "turnserver")))
def test_p3_measures_in_slices(tmp_path, rival, baseline):
    for _ in range(3):  # whoever is taken off its CPU for a while loses packets, and a slice is short
        row = bench("p3", tmp_path / "p3.json", "--rivals", rival, "--slices", 2, "--slice", 0.2, "--flows", 2, "--payloads", 120)[0]
        assert row["baseline"] == baseline and row["slices"] == 2
        assert row["ratio"] > 0 and row["mpps"] > 0.001 < row["baseline_mpps"]
        if row["loss"] < 0.01 > row["baseline_loss"]:
            return
    raise AssertionError(f"packets are lost every time: {row}")


def test_p3_measures_at_a_rate_of_kernel_sockets(tmp_path):
    (row,) = bench("p3", tmp_path / "p3.json", "--generator", "sockets", "--rivals", "coturn", "--rate", 5000, "--turns", 1, "--seconds", 1,
                   "--flows", 2, "--payloads", 120)
    assert row["baseline"] == "turnserver" and row["ratio"] == pytest.approx(row["mpps"] / row["baseline_mpps"])
    assert row["mpps"] == pytest.approx(0.005, rel=0.5) == row["baseline_mpps"]


def test_p5_weighs_allocations(tmp_path):
    ours, theirs = bench("p5", tmp_path / "p5.json", "--turns", 1, "--allocations", 500, "--modes", "xdp,turnserver")
    assert ours["mode"] == "xdp" and theirs["mode"] == "turnserver"
    assert ours["allocated"] == theirs["allocated"] == 500 and not ours["failures"] and not theirs["failures"]
    assert 0 < ours["kib_per_allocation"] < theirs["kib_per_allocation"]
    assert set(ours["kib_by_program"]) <= {"turnpike-datapl", "turnpike-contro"}
    assert ours["baseline"] == "turnserver" and ours["ratio"] == pytest.approx(ours["setups_per_second"] / theirs["setups_per_second"])


def test_p6_floods_beside_calls(tmp_path):
    rows = bench("p6", tmp_path / "p6.json", "--modes", "memif,gso", "--floods", "none,allocate@500", "--seconds", 1, "--rate", 2000,
                 "--flood-rate", 5000, "--no-huge")
    for mode, quiet, flooded in (("memif", *rows[:2]), ("gso", *rows[2:])):
        assert quiet["mode"] == flooded["mode"] == mode
        assert quiet["flood_pps"] == 0 and quiet["mpps"] > 0.001
        assert flooded["flood_pps"] > 1000 and flooded["flood_answers"]["401"] > 500 and flooded["server_answers"]
        assert flooded["amplification"] > 1 and flooded["control_share"] is not None
        assert set(flooded["memory_growth_kib"]) == {"turnpike-datapl", "turnpike-contro"}


@pytest.mark.parametrize("growth, grows", ((lambda minute: 10 * minute, True), (lambda minute: 0, False),
                                           (lambda minute: 900 if minute > 8 else 0, False), (lambda minute: 2000 if minute == 55 else 0, False)),
                         ids=("leak", "level", "start", "peak"))
def test_what_grows_is_told_from_noise(growth, grows):
    """KiB over an hour, with the noise of an allocator."""
    chance = random.Random(1)
    times = [5 * number for number in range(720)]
    values = [20_000 + growth(time / 60) + chance.gauss(0, 50) for time in times]
    assert trend(times, values, tolerance=100).grows == grows


def test_soak_watches_both_programs(tmp_path):
    """Seconds say nothing of growth, nor of loss on a busy machine; everything else is as in an hour."""
    report = tmp_path / "soak.json"
    options = ("--seconds", 14, "--every", 1, "--life", 2, "--sessions", 40, "--rate", 1000)
    done = subprocess.run([ROOT / "scripts/bench", "soak", "--no-build", "--json", report, *map(str, options)], capture_output=True, text=True,
                          check=False, timeout=150)
    assert report.exists() and not re.search(r"left over|ended with code", done.stderr), done.stdout + done.stderr
    found = json.loads(report.read_text())
    loads = {row["mode"]: row["load"] for row in found["results"] if row["scenario"] == "soak-load"}
    assert set(loads) == {"udp", "indications", "tcp", "tls", "dtls"}
    assert all(load["sessions_ended"] > 0 and load["delivered"] > 0 for load in loads.values())
    assert min(map(len, found["series"].values())) >= 10 and max(found["series"]["sessions"]) > 20
    assert found["left"]["sessions"]["after"] == 0
