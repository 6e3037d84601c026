# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a report: what all of them have, and the one reader of what the scenarios write."""

import json

COMMON = ("scenario", "mode", "flows", "payload", "family", "mpps", "baseline", "baseline_mpps", "ratio", "loss")


def row(scenario, mode, **found):
    """`mpps` are millions of whatever the scenario counts (packets, as a rule), `ratio` says how much better than the `baseline` that is,
    unless the scenario knows it better; None is what there is not."""
    made = {**dict.fromkeys(COMMON), "scenario": scenario, "mode": mode, **found}
    if made["ratio"] is None and made["mpps"] is not None and made["baseline_mpps"]:
        made["ratio"] = made["mpps"] / made["baseline_mpps"]
    return made


def against(rows, rival):
    """Each row of one scenario but the rival's, next to that: rows again. Without the rival they are as they were."""
    theirs = next((one for one in rows if one["mode"] == rival), None)
    if theirs is None:
        return rows
    return [row(**{**one, "baseline": rival, "baseline_mpps": theirs["mpps"], "ratio": None}) if one is not theirs else one for one in rows]


def read(path):
    """The name of the bench and its report. A ValueError says why it is none."""
    report = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(report, dict) or not {"command", "machine", "commit", "results"} <= set(report):
        raise ValueError("no object with command, machine, commit and results")
    for number, one in enumerate(report["results"]):
        if missing := [key for key in COMMON if key not in one]:
            raise ValueError(f"row {number} has no {', '.join(missing)}: run the bench again, it is older than this tree")
    return report["command"][1], report
