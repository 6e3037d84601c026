# SPDX-License-Identifier: BSD-3-Clause
"""The turns of the socket bench as medians: one row per mode, for the table and the report."""

import statistics

from rows import row as common_row

COLUMNS = (  # heading, key, width, format
    ("offered", "offered_mpps", 9, ".4f"), ("Mpps", "delivered_mpps", 9, ".4f"), ("loss", "loss", 9, ".3%"),
    ("process", "cpu_s_per_mpkt", 9, ".2f"), ("softirq", "softirq_s_per_mpkt", 9, ".2f"),
    ("CPU", "busy_s_per_mpkt", 9, ".2f"), ("ratio", "ratio", 7, ".2f"), ("calls", "syscalls_per_packet", 8, ".3f"),
    ("rcvbuf", "rcvbuf_errors", 8, ".0f"), ("backlog", "backlog_drops_server", 9, ".0f"),
    ("own", "generator_drops", 7, ".0f"), ("idle", "generator_idle", 7, ".0%"))


def _median(turns, of):
    return statistics.median(of(turn) for turn in turns)


def _per_million(what):
    def seconds(turn):
        server = turn["server"]
        packets = turn["delivered_pps"] * server["time"]
        return server[what] / packets * 1e6 if packets else 0
    return seconds


def row(scenario, mode, found, turns, options):
    """One mode in one scenario."""
    spent = {name: _median(turns, lambda turn, name=name: turn["server"][name]) for name in turns[0]["server"]}
    process = _median(turns, _per_million("process_s"))
    return common_row(
        scenario.name, mode, flows=scenario.flows, train=scenario.train,
        segmentation_forced=scenario.forced, payload=options.payload, family=4,
        direction=options.direction, framing="indications" if options.indications else "channels",
        offered_mpps=found["rate"] / 1e6, rate_limited_by_generator=found["limited_by_generator"],
        # Per CPU-second of the server's processes: by the clock all modes deliver the same where the same was offered.
        mpps=1 / process if process else None,
        delivered_mpps=_median(turns, lambda turn: turn["delivered_pps"]) / 1e6,
        loss=_median(turns, lambda turn: turn["loss"]),
        cpu_s_per_mpkt=process,
        softirq_s_per_mpkt=_median(turns, _per_million("softirq_s")),
        busy_s_per_mpkt=_median(turns, _per_million("busy_s")),
        syscalls_per_packet=found["calls"], syscalls_by=found["calls_by"],
        rcvbuf_errors=spent["rcvbuf_errors"], backlog_drops_server=spent["backlog_drops_server"],
        backlog_drops_generator=spent["backlog_drops_generator"], steal_s=spent["steal_s"],
        generator_drops=_median(turns, lambda turn: turn["dropped_by_generator"]),
        generator_late=_median(turns, lambda turn: turn["late"] + turn["refused"]),
        generator_idle=_median(turns, lambda turn: turn["generator_idle"]),
        duplicate=sum(turn["duplicate"] for turn in turns), corrupt=sum(turn["corrupt"] for turn in turns),
        turns=turns)


def show(scenario, rows):
    """The rows for people: seconds are per million delivered packets."""
    print(f"\n{scenario.name:24}" + "".join(f"{heading:>{width}}" for heading, _, width, _ in COLUMNS))
    for one in rows:
        cells = (format(one[key], form) if one[key] is not None else "-" for _, key, _, form in COLUMNS)
        note = "  the generator was the limit" if one["rate_limited_by_generator"] else ""
        line = "".join(f"{cell:>{width}}" for cell, (_, _, width, _) in zip(cells, COLUMNS))
        print(f"{one['mode']:24}{line}{note}", flush=True)
