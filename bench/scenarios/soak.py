# SPDX-License-Identifier: BSD-3-Clause
"""Clients of all transports come, talk and go for an hour, floods beside them: does anything in the relay grow?"""

import argparse
import pathlib
import sys
import tempfile
import time

from flatness import trend
from our_relay import Relay
from programs import priority
from rows import row
from soak_load import FLOODS, KINDS, Load, add_addresses
from soak_samples import Sampler
from socket_lab import Lab
from socket_servers import Server, Unavailable, modes
from streams import make_certificate
from surroundings import ROOT, begin, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
MOST_LOSS = 0.01
SETTLE_S = 80  # as long as a DTLS session without allocation lives, and a bit
LEAST_SAMPLES = 12
GONE = ("sessions", "connections", "dtls_sessions", "mbufs")  # at the end


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench soak", description=__doc__,
        epilog="Exit code 1 and the names of the series if something grows, or is left over at the end. Needs root and two CPUs. "
               "docs/survival.md says how to read it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--seconds", type=int, default=3600, help="(default 3600)")
    parser.add_argument("--every", type=float, default=5, help="seconds between two samples (default 5)")
    parser.add_argument("--sessions", type=int, default=150, help="of all transports at any time (default 150)")
    parser.add_argument("--life", type=int, default=10, help="seconds that one lives on average, refreshed three times (default 10)")
    parser.add_argument("--rate", type=int, default=5000, help="packets per second of all sessions (default 5000)")
    parser.add_argument("--payload", type=int, default=172, help="bytes, a multiple of 4 (default 172)")
    parser.add_argument("--flood-rate", type=int, default=20, help=f"messages per second of each flood: {', '.join(FLOODS)} (default 20)")
    parser.add_argument("--workers", type=int, default=2, help="of the relay, on one CPU (default 2)")
    parser.add_argument("--nice", type=int, default=0, help="of all programs; below 0 before what else wants their CPUs (default 0)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/soak-COMMIT.json)")
    options = parser.parse_args()
    if options.seconds < LEAST_SAMPLES * options.every:
        fail(f"--seconds {options.seconds}: too few samples; give at least {LEAST_SAMPLES} times --every")
    return options


def watch(load, sampler, options):
    """Samples until the load's time is over."""
    end, told = time.monotonic() + options.seconds - options.every, set()
    while time.monotonic() < end:
        for name in load.ended() - told:  # its exit code tells in the end
            told.add(name)
            print(f"bench: the load {name} ended early: {(load.directory / f'{name}.log').read_text()[-300:].strip()}", flush=True)
        found = sampler.sample()
        if found and len(sampler.times) % 12 == 1:
            print(f"{sampler.times[-1]:8.0f} s  {found['sessions']:5} sessions  control {found['control_rss']} KiB, {found['control_fds']} files  "
                  f"dataplane {found['dataplane_rss']} KiB  {found['mbufs']} buffers", flush=True)
        time.sleep(max(options.every - (time.monotonic() - sampler.began) % options.every, 0.1))


def wait_empty(load, sampler, before):
    """What is left of sessions and packet buffers, and what there was of buffers before."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        load.short()
        time.sleep(1)
        left = sampler.sample_aside()
        if time.monotonic() > deadline and not left:
            fail("control does not answer")
        if left and (all(left[name] <= before[name] for name in GONE) or time.monotonic() > deadline):
            return {name: {"before": before[name], "after": left[name]} for name in GONE}


def run(options, lab, directory):
    add_addresses(lab)
    mode = next(each for each in modes() if each.name == "xdp")
    mode.flags = (*mode.flags, *make_certificate(directory))
    with Server(mode, lab, directory, options.preset, workers=options.workers) as server:
        relay = Relay(server, lab, options, directory)
        sampler = Sampler(relay)
        load = Load(lab, options, directory)
        load.short()
        time.sleep(1)
        before = sampler.sample_aside()
        with load:
            watch(load, sampler, options)
            load.finish()
        left = wait_empty(load, sampler, before)
    return load.reports, sampler, left


def load_rows(options, reports):
    for kind in KINDS:
        report = reports[kind.name]
        yield row("soak-load", kind.name, flows=report.get("sessions"), payload=options.payload, family=4, loss=report.get("loss"),
                  load=report)
    for flood in FLOODS:
        yield row("soak-flood", flood, load=reports[flood])


def series_rows(sampler):
    for name in sampler.series:
        found = trend(sampler.times, sampler.series[name], sampler.tolerance(name))
        yield row("soak-series", name, per_hour=found.per_hour, error_per_hour=found.error, fitted_rise=found.fitted_rise,
                  median_rise=found.median_rise, tolerance=found.tolerance, grows=found.grows)


def show(rows, left):
    for one in (one for one in rows if one["scenario"] == "soak-load"):
        load = one["load"]
        print(f"{one['mode']:14}{load.get('sent', 0):>10} packets, {load.get('lost_in_relay', 0)} lost, {load.get('sessions_begun', 0)} sessions "
              f"begun, {load.get('sessions_ended', 0)} ended, {load.get('sessions_failed', 0)} failed {load.get('failures')}, "
              f"{load.get('refreshes', 0)} refreshes, failed {load.get('refresh_failures')}")
    print(f"\n{'series':26}{'per hour':>12}{'+-':>10}{'of the line':>13}{'of medians':>12}{'tolerance':>11}")
    for one in (one for one in rows if one["scenario"] == "soak-series"):
        print(f"{one['mode']:26}{one['per_hour']:12.1f}{one['error_per_hour']:10.1f}{one['fitted_rise']:13.1f}{one['median_rise']:12.1f}"
              f"{one['tolerance']:11.1f}  {'GROWS' if one['grows'] else 'flat'}")
    for name, numbers in left.items():
        print(f"{name}: {numbers['before']} before, {numbers['after']} after")


def wrong(rows, left):
    """What is not as it should be; nothing when all is well."""
    found = [f"{one['mode']} grows" for one in rows if one.get("grows")]
    found += [f"{name} left over: {numbers['after']}, {numbers['before']} before" for name, numbers in left.items()
              if numbers["after"] > numbers["before"]]
    found += [f"{one['mode']} lost {one['loss']:.1%}" for one in rows if (one["loss"] or 0) > MOST_LOSS]
    found += [f"load {one['mode']} ended with code {one['load']['code']}" for one in rows if "load" in one and one["load"]["code"]]
    return found


def main():
    options = parse()
    report = begin("soak", options, GENERATOR_CPU, SERVER_CPU)
    try:
        with tempfile.TemporaryDirectory(prefix="turnpike-soak-") as work, Lab(SERVER_CPU, GENERATOR_CPU) as lab:
            with priority(options.nice):
                reports, sampler, left = run(options, lab, pathlib.Path(work))
    except Unavailable as why:
        fail(str(why))
    report["results"] = [*load_rows(options, reports), *series_rows(sampler)]
    report.update(times=sampler.times, series=sampler.series, samples_missed=sampler.missed, left=left)
    show(report["results"], left)
    write_report(report, options.json or ROOT / f"build/bench/soak-{report['commit']}.json")
    if found := wrong(report["results"], left):
        sys.exit("bench: " + "; ".join(found))


if __name__ == "__main__":
    main()
