# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-load on ports without a relay, and the scenarios of scripts/bench that run on memif."""

import json
import subprocess

import pytest

from netns import ROOT
from relay import PRESET

LOAD = ROOT / "build" / PRESET / "bin/turnpike-load"


def run(*command, timeout=150):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bench(name, tmp_path, *options):
    """The report of a short run with ordinary memory."""
    report = tmp_path / "report.json"
    run(ROOT / "scripts/bench", name, "--no-build", "--preset", PRESET, "--no-huge", "--json", report, *options)
    return json.loads(report.read_text())


# Whatever else the machine does meanwhile.
SLICES = ("--undisturbed", 0, "--seconds", 0.2, "--sessions", 20, "--slices")


def null_port(*options):
    return json.loads(run(LOAD, "--port", "null", "--no-huge", "--file-prefix", "test-null", "--seconds", 1, "--json", *options))


def assert_right(result):
    assert result["lost"] == 0 and result["sent"] == result["received"]
    assert not any(result[fault] for fault in ("reordered", "duplicate", "corrupt", "checksum", "address", "foreign"))


def test_null_port_states_the_generators_own_ceiling():
    result = null_port("--sessions", 1000)
    assert_right(result)
    assert result["mode"] == "null" and result["limited_by"] == "generator" and result["mpps_in"] > 0.1
    assert 0 < result["verified"] < sum(result["received"].values())


def test_null_port_loops_every_framing_and_family_whole():
    for addresses in ((), ("--server", "[fd00:1::1]:3478", "--client-ip", "fd00:1::2", "--peer-ip", "fd00:2::2")):
        for framing in ((), ("--indications",)):
            result = null_port("--rate", 20000, *addresses, *framing)
            assert_right(result)
            assert result["verified"] == sum(result["received"].values()) > 10000


def test_p1_measures_in_slices(tmp_path):
    report = bench("p1", tmp_path, *SLICES, 3, "--payload", 64, "--family", "4,6")
    assert [row["family"] for row in report["results"]] == [4, 6] and report["memory"] == "ordinary memory"
    for row in report["results"]:
        assert row["flows"] == 20 and row["payload"] == 64 and row["slices"] == len(row["ratios"]) == 3
        assert row["loss"] == row["lost"] == row["baseline_lost"] == 0
        assert row["mpps"] > 0 and row["ratio_quartiles"][0] <= row["ratio"] <= row["ratio_quartiles"][1]


def test_p2_measures_latency_in_slices(tmp_path):
    report = bench("p2", tmp_path, *SLICES, 2, "--shares", "10")
    (row,) = report["results"]
    assert row["share_percent"] == 10 and row["mpps"] * 10.001 >= min(report["capacity_mpps"].values())
    for name in ("", "baseline_"):
        assert 0 < row[f"{name}p50_us"] <= row[f"{name}p99_us"] <= row[f"{name}p99.9_us"]
    assert abs(row["added_p99_us"] - (row["p99_us"] - row["baseline_p99_us"])) < 1e-6


def test_p5_watches_passes_beside_calls(tmp_path):
    report = bench("p5", tmp_path, "--expiry", 500, "--parts", "nothing", "--watch", 1, "--call-rate", 2000, "--calls", 5)
    (row,) = report["results"]
    assert row["scenario"] == "p5-expiry-nothing" and row["windows"] > 300 and 0.001 < row["mpps"] < 0.003
    for count in ("over_us", "own_over_us"):
        assert list(row[count].values()) == sorted(row[count].values(), reverse=True)
    assert row["own_us"] <= row["longest_us"] == max(one["longest_us"] for one in row["worst"]) > 0


def test_p7_sets_two_workers_against_one(tmp_path):
    report = bench("p7", tmp_path, *SLICES, 2)
    (row,) = report["results"]
    assert row["cpus_shared"] == ("caveat" in report)
    assert row["baseline_handoff_share"] == 0 < row["handoff_share"] < 1.5
    for prefix in ("", "baseline_"):
        assert row[f"{prefix}mpps"] > 0 and row[f"{prefix}cpu_mpps"] > 0 and row[f"{prefix}busy_ns_per_packet"] > 0
    assert row["ratio"] > 0 and row["clock_ratio_quartiles"][0] <= row["clock_ratio"] <= row["clock_ratio_quartiles"][1]


def test_reports_become_plots(tmp_path):
    pytest.importorskip("matplotlib", reason="python3-matplotlib is only for scripts/bench report")
    head = {"date": "2026-01-01", "commit": "0123456789ab", "machine": {"cpu": "a CPU", "cpus": 2, "load_at_start": 0.0}}
    row = {"mode": "channels", "family": 4, "payload": 120, "mpps": 4.0, "baseline": "rival", "baseline_mpps": 5.0, "ratio": 0.8, "loss": 0,
           "scenario": "p1"}
    reports = {"p1": [{**row, "flows": flows} for flows in (1000, 100_000)], "p4": [{**row, "flows": 8}], "p5": []}
    paths = []
    for name, results in reports.items():
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps({**head, "command": ["scripts/bench", name], "results": results}))
    run(ROOT / "scripts/bench", "report", "--output", tmp_path / "plots", *paths)
    made = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert set(made) == {"p1-flows.svg", "p4-ratio.svg"} and all(b"<svg" in plot for plot in made.values())
    run(ROOT / "scripts/bench", "report", "--output", tmp_path / "plots", *paths)
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}


def test_report_names_the_file_that_is_none(tmp_path):
    pytest.importorskip("matplotlib", reason="python3-matplotlib is only for scripts/bench report")
    head = {"command": ["scripts/bench", "p4"], "machine": {}, "commit": ""}
    for odd, why in (([], "no object with command"), ({**head, "results": [{"scenario": "p4", "mode": "gso"}]}, "row 0 has no flows")):
        (tmp_path / "odd.json").write_text(json.dumps(odd))
        done = subprocess.run([ROOT / "scripts/bench", "report", tmp_path / "odd.json"], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1 and f"{tmp_path}/odd.json is no report" in done.stderr and why in done.stderr
