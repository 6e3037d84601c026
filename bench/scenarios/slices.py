# SPDX-License-Identifier: BSD-3-Clause
"""Two or more pairs in turns of a fraction of a second, so that they meet the same moments of a noisy machine."""

import dataclasses
import statistics
import time

from surroundings import fail

MOST_TRIES = 4


@dataclasses.dataclass(frozen=True)
class Slice:
    seconds: float  # of the clock
    worker_s: float
    generator_s: float
    sent: int
    received: int
    polling: int = 1  # workers; 0 where they sleep, as the generator does: then nothing tells who disturbed

    @property
    def mpps(self):
        """Packets that came back, for a second of the workers' CPU time."""
        return self.received / self.worker_s / 1e6

    @property
    def clock_mpps(self):
        return self.received / self.seconds / 1e6

    @property
    def cpu_percent(self):
        """Of its time, of whoever had least: a worker or the generator. Of programs that sleep nobody can say."""
        if self.polling == 0:
            return 100
        return 100 * min(self.worker_s / self.polling, self.generator_s) / self.seconds


def add_options(parser, slices, seconds, of=""):
    parser.add_argument("--slices", type=int, default=slices, help=f"of each of the two{of} (default {slices})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"of a slice (default {seconds})")
    parser.add_argument("--undisturbed", type=float, default=90, metavar="PERCENT",
                        help="a round counts when all workers and generators had that much of their CPUs (default 90)")


def run_slice(pair, seconds):
    before = pair.read()
    start = time.monotonic()
    pair.resume()
    time.sleep(seconds)
    took = time.monotonic() - start
    pair.pause()
    gone = pair.read() - before
    polling = 0 if pair.setting.sleeps else len(pair.workers)
    return Slice(took, gone.worker_s, gone.generator_s, gone.sent, gone.received, polling)


def alternate(pairs, rounds, seconds, undisturbed):
    """{name: slices}, as many of each as rounds; and how many rounds were thrown away. Who begins changes every round."""
    slices, disturbed, tries = {pair.name: [] for pair in pairs}, 0, 0
    while len(slices[pairs[0].name]) < rounds and tries < MOST_TRIES * rounds:
        order = pairs if tries % 2 == 0 else pairs[::-1]
        tries += 1
        turn = {pair.name: run_slice(pair, seconds) for pair in order}
        if any(one.cpu_percent < undisturbed for one in turn.values()):
            disturbed += 1
            continue
        for name, one in turn.items():
            slices[name].append(one)
    if not slices[pairs[0].name]:
        fail("no round was undisturbed: something else uses the CPUs; stop it and try again, or count such rounds too: --undisturbed 0")
    return slices, disturbed


def quartiles(values):
    return statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3


def compare(ours, theirs):
    """Medians, and the ratios of the rounds."""
    ratios = [one.mpps / other.mpps for one, other in zip(ours, theirs)]
    low, middle, high = quartiles(ratios)
    return {"mpps": statistics.median(one.mpps for one in ours), "baseline_mpps": statistics.median(one.mpps for one in theirs),
            "ratio": middle, "ratio_quartiles": [low, high],
            # Of all packets by all CPU time: what a median might hide.
            "ratio_of_sums": (sum(one.received for one in ours) / sum(one.worker_s for one in ours))
                             / (sum(one.received for one in theirs) / sum(one.worker_s for one in theirs)),
            "ratios": ratios}
