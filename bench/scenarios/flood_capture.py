# SPDX-License-Identifier: BSD-3-Clause
"""Bytes of IP that single requests of strangers get back, out of captures: the system tests' lab, relay and requests."""

import contextlib
import os
import pathlib
import sys
import tempfile

from rows import row
from surroundings import ROOT

BINDING_GOAL = 1.6


def measure(preset):
    """An exchange for each kind of request and both families."""
    os.environ["TURNPIKE_PRESET"] = preset
    sys.path.append(str(ROOT / "tests/system"))
    # pylint: disable=import-outside-toplevel,import-error
    from amplification import measure as exchanges
    from netns import Lab
    from relay import Relay
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="turnpike-p6-"))
        lab = Lab()
        stack.callback(lab.down)
        relay = Relay(lab)
        stack.callback(relay.stop)
        return [one for family in (4, 6) for one in exchanges(lab, pathlib.Path(directory, f"{family}.pcap"), family)]


def run(options, report):
    """Prints the table; what exceeds its bound is returned."""
    print(f"{'request':32}{'family':>7}{'bytes':>8}{'back':>7}{'x':>7}  answer")
    missed = []
    for one in measure(options.preset):
        report["results"].append(row("p6-capture", one.name, family=one.family, payload=one.request, amplification=one.factor,
                                     answer=one.answer, answer_bytes=one.answers))
        print(f"{one.name:32}{one.family:>7}{one.request:>8}{one.answers:>7}{one.factor:>7.2f}  {one.answer}", flush=True)
        if one.name == "binding" and one.factor > BINDING_GOAL:
            missed.append(f"{one.name}, IPv{one.family}: {one.factor:.2f} times its bytes (goal: {BINDING_GOAL})")
    return missed
