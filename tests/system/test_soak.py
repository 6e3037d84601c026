# SPDX-License-Identifier: BSD-3-Clause
"""Half a minute of the soak, under ASan and UBSan where that build is there; soak.py by itself runs for longer."""

from netns import ROOT
from relay import PRESET
from soak import run_soak


def test_soak_half_a_minute(lab):
    sanitized = (ROOT / "build/asan/bin/turnpike-dataplane").exists()
    totals = run_soak(lab, 30, preset="asan" if sanitized else PRESET)
    print(totals)
    assert totals["joined"] >= 100 and totals["received"] >= 10000 and totals["garbage"] >= 300
