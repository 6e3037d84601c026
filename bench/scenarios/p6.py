# SPDX-License-Identifier: BSD-3-Clause
"""Measures what floods of unauthenticated requests and garbage do to calls that are established."""

import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import tempfile
import time

import flood_capture
import flood_places
from flood_meter import spent
from flood_places import Flood
from programs import hugepages, priority
from rows import row
from socket_lab import Lab
from socket_servers import Unavailable, modes
from surroundings import ROOT, begin, fail, write_report

GENERATOR_CPU, SERVER_CPU = 0, 1
MODES = ("memif", "xdp", "gso", "turnserver")
FLOODS = ("none", "binding", "allocate", "wrong-password", "garbage", "damaged", "binding@65536", "allocate@65536", "wrong-password@512", "garbage@65536")
KINDS = ("binding", "allocate", "wrong-password", "garbage", "damaged")
GOAL, CONTROL_GOAL, GROWTH_GOAL_KIB = 0.001, 0.5, 8192
HUGEPAGES_WANTED = 768
HEAD = (f"{'mode':12}{'flood':20}{'messages/s':>11}{'loss':>10}{'own':>7}{'p99 us':>9}{'CPU':>6}{'waits':>7}{'control':>9}{'KiB more':>10}{'mbufs':>7}"
        f"{'bytes x':>9}  answers")


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench p6", description=__doc__,
        epilog=f"Modes: memif, {', '.join(mode.name for mode in modes())}. A flood is none, {', '.join(KINDS)}, or one of these and @N: from so many "
               "invented addresses. Needs root, two CPUs, and nothing else running. docs/performance.md says how to read it.")
    parser.add_argument("--no-build", action="store_true", help="build nothing")
    parser.add_argument("--preset", default="release", help="use build/PRESET/bin (default release)")
    parser.add_argument("--modes", default=",".join(MODES), help=f"names with commas (default {','.join(MODES)})")
    parser.add_argument("--floods", default=",".join(FLOODS), help=f"with commas (default {','.join(FLOODS)})")
    parser.add_argument("--calls", type=int, default=8, help="established sessions (default 8)")
    parser.add_argument("--rate", type=int, default=10_000, help="media packets per second, both directions together (default 10000)")
    parser.add_argument("--flood-rate", type=int, default=0, help="messages per second (default 0: as many as the generator can)")
    parser.add_argument("--payload", type=int, default=172, help="bytes of media (default 172)")
    parser.add_argument("--seconds", type=int, default=5, help="of each flood (default 5)")
    parser.add_argument("--capture", action="store_true", help="no floods: what single requests get back, in bytes of IP, out of a capture")
    parser.add_argument("--no-huge", action="store_true", help="ordinary memory on memif, too")
    parser.add_argument("--nice", type=int, default=-15, help="of all programs; others on the machine wait meanwhile (default -15)")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes (default build/bench/p6-COMMIT.json)")
    options = parser.parse_args()
    options.floods = [Flood.parse(text) for text in options.floods.split(",")]
    if unknown := {flood.kind for flood in options.floods} - {"none", *KINDS}:
        fail(f"no {', '.join(sorted(unknown))} here; see scripts/bench p6 --help")
    options.direction, options.indications, options.burst = "both", False, 8
    return options


def await_word(process, word):
    """Until the program says it, or ends."""
    for line in process.stderr:
        if line.strip() == word:
            return


def run_flood(place, flood):
    """Its report; calls alone run as long."""
    if flood.kind == "none":
        time.sleep(place.options.seconds)
        return None
    done = subprocess.run([*map(str, place.flood(flood))], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise Unavailable(f"the {flood} flood: {done.stderr}")
    return json.loads(done.stdout[done.stdout.index("{"):])


def turn(place, flood):
    """The row of calls that begin before the flood and end after it."""
    command = [*map(str, place.calls())]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as calls:
        try:
            await_word(calls, "measuring")
            before = place.read()
            report = run_flood(place, flood)
            after = place.read()
            calls.send_signal(signal.SIGTERM)
            output, errors = calls.communicate(timeout=60)
        finally:
            if calls.poll() is None:
                calls.terminate()
    if not output:
        raise Unavailable(f"turnpike-load gave {calls.returncode}: {errors}")
    return make_row(place, flood, json.loads(output), report, spent(before, after))


def make_row(place, flood, calls, report, costs):
    options = place.options
    lost, late = place.judge(calls)
    # Whatever was lost is the flood's doing: what flowed before and after it does not thin it out.
    beside = options.rate * (report["seconds"] if report else options.seconds)
    latencies = [calls["latency_us"][direction].get("p99", 0) for direction in ("to_peer", "to_client")]
    return row(f"p6-{flood}", place.name, flows=options.calls, payload=options.payload, family=4,
               mpps=calls["delivered_pps"] / 1e6 if "delivered_pps" in calls else calls["mpps_in"],
               loss=lost / beside, lost=lost, goal=GOAL, generator_late=late, p99_us=max(latencies), **costs,
               flood_pps=report["sent_pps"] if report else 0, flood_answers=report["answers"] if report else {},
               amplification=report["amplification"] if report else 0, server_answers=report["server_answers"] if report else True,
               calls=calls, flood=report)


def show(one):
    share = "-" if one["control_share"] is None else f"{one['control_share']:.0%}"
    waits = max(one["waited_share"].values(), default=0)
    growth = max(one["memory_growth_kib"].values(), default=0)
    print(f"{one['mode']:12}{one['scenario'][3:]:20}{one['flood_pps']:11.0f}{one['loss']:10.3%}{one['generator_late']:7}{one['p99_us']:9.0f}"
          f"{one['server_busy']:6.0%}{waits:7.0%}{share:>9}{growth:10}{one['mbufs'][1]:7}{one['amplification']:9.3f}  {one['flood_answers']}", flush=True)


def complaints(one):
    """What our relay missed."""
    name = f"{one['mode']} under {one['scenario'][3:]}"
    if one["loss"] > GOAL:
        waits = max(one["waited_share"].values(), default=0)
        yield f"{name}: {one['loss']:.2%} of the media lost (goal: {GOAL:.1%}); the server waited for its CPU {waits:.0%} of the time"
    if one["control_share"] is not None and one["control_share"] > CONTROL_GOAL:
        yield f"{name}: control has {one['control_share']:.0%} of a CPU (goal: {CONTROL_GOAL:.0%})"
    for program, growth in one["memory_growth_kib"].items():
        if growth > GROWTH_GOAL_KIB:
            yield f"{name}: {program} has grown by {growth} KiB (goal: {GROWTH_GOAL_KIB})"
    if not one["server_answers"]:
        yield f"{name}: no Binding was answered afterwards"


def places(options, stack, huge):
    """A context manager for each mode that was asked for."""
    wanted = options.modes.split(",")
    directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnpike-p6-")))
    if "memif" in wanted:
        yield flood_places.memif(options, huge, directory)
    if found := [mode for mode in modes() if mode.name in wanted]:
        lab = stack.enter_context(Lab(SERVER_CPU, GENERATOR_CPU))
        for mode in found:
            yield flood_places.veth(options, lab, mode, directory)


def run(options, report):
    missed = []
    memif_pages = 0 if options.no_huge or "memif" not in options.modes.split(",") else HUGEPAGES_WANTED
    with contextlib.ExitStack() as stack:
        stack.enter_context(priority(options.nice))
        huge = stack.enter_context(hugepages(memif_pages))
        print(HEAD, flush=True)
        for place in places(options, stack, huge):
            with place as there:
                for flood in options.floods:
                    one = turn(there, flood)
                    report["results"].append(one)
                    show(one)
                    missed += complaints(one) if there.ours else []
    return missed


def main():
    options = parse()
    report = begin("p6", options, GENERATOR_CPU, SERVER_CPU)
    try:
        missed = (flood_capture.run if options.capture else run)(options, report)
    except Unavailable as why:
        fail(str(why))
    finally:
        if report["results"]:
            write_report(report, options.json or ROOT / f"build/bench/p6-{report['commit']}.json")
    print("bench: " + ("goals missed:\n  " + "\n  ".join(missed) if missed else "all goals held"))


if __name__ == "__main__":
    main()
