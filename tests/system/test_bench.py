# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-load over kernel sockets against our relay, and the front of scripts/bench."""

import json
import subprocess

import pytest

from netns import ROOT, Lab

SESSIONS, RATE, SECONDS = 8, 4000, 1


def load(lab, relay, *options):
    """turnpike-load as clients and peers; gives its report."""
    command = [relay.binaries / "turnpike-load", "--sockets", "--json", "--client-netns", f"{lab.prefix}-client",
               "--peer-netns", f"{lab.prefix}-peer", "--server", f"{Lab.LISTEN}:3478", "--client-ip", Lab.CLIENT,
               "--peer-ip", Lab.PEER, "--user", "alice", "--password", "secret", *options]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("framing", ((), ("--indications",)), ids=("channels", "indications"))
@pytest.mark.parametrize("train", ((), ("--train", 16), ("--train", 16, "--no-gso", "--threads", 2)),
                         ids=("interleaved", "gso", "sendmmsg"))
def test_media_is_relayed_whole(lab, relay, framing, train):
    result = load(lab, relay, "--sessions", SESSIONS, "--rate", RATE, "--warmup", 1, "--seconds", SECONDS,
                  "--direction", "both", *framing, *train)
    print(result)
    assert result["sent"] + result["late"] == pytest.approx(RATE * SECONDS, rel=0.02)
    assert result["delivered"] + result["dropped_by_generator"] == result["sent"] and result["loss"] == 0
    assert not any(result[fault] for fault in ("duplicate", "corrupt", "untrusted", "refused"))


@pytest.mark.parametrize("options", ((), ("--allocate-only", "--open-sockets", 10)), ids=("channels", "allocations"))
def test_hold(lab, relay, options):
    result = load(lab, relay, "--hold", "--sessions", 200, "--seconds", 1, *options)
    assert result["allocated"] == result["torn_down"] == 200 and not result["failures"]
    assert not relay.sessions()


@pytest.mark.parametrize("bench", ("p1", "p4"))
def test_bench_explains_itself(bench):
    done = subprocess.run([ROOT / "scripts/bench", bench, "--help"], capture_output=True, text=True, check=True,
                          timeout=30)
    assert "--seconds" in done.stdout
