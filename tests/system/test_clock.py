# SPDX-License-Identifier: BSD-3-Clause
"""The wall clock jumps; nothing but times in the log and the end of ephemeral credentials hangs on it."""

import subprocess
import time

import pytest

from media import Media
from netns import ROOT, Lab
from relay import Relay
from turn_client import TurnClient, TurnError


def preload(tmp_path):
    shim = tmp_path / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, ROOT / "tests/system/clock.c", "-ldl"], check=True)
    return shim


def test_clock_jumps(lab, port_kind, tmp_path):
    """No session ends earlier or later by it."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    relay = Relay(lab, kind=port_kind, prefix=("env", f"LD_PRELOAD={preload(tmp_path)}", f"TURNPIKE_CLOCK={offset}"))
    try:
        client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478)), lab.udp("peer", Lab.PEER)
        asking = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478))  # responses on the call's socket are media's
        for each in (client, asking):
            each.allocate()
        with Media(client, peer) as media:
            for jump in ("864000", "-864000", "0"):
                offset.write_text(jump)
                time.sleep(0.5)
                asking.permit(Lab.PEER)
                with pytest.raises(TurnError):
                    TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478), password="wrong").allocate()
                left = [session["expires_in_s"] for session in relay.sessions()]
                assert len(left) == 2 and all(590 <= one <= 600 for one in left)
        assert media.lost("peer") == 0 and media.lost("client") == 0
        for each in (client, asking):
            each.refresh(0)
            each.close()
        days = {line[:10] for line in relay.log().splitlines() if "authentication_failure" in line}
        assert len(days) == 3, "the clock did jump"
    finally:
        relay.stop()
