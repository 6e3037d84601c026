# SPDX-License-Identifier: BSD-3-Clause
"""Two or more pairs in turns of a fraction of a second, so that they meet the same moments of a noisy machine."""

import dataclasses
import statistics
import time

# A slice counts when generator and worker had nearly all of their CPUs; others belong to whoever disturbed.
UNDISTURBED = 0.9
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
    def undisturbed(self):
        wanted = UNDISTURBED * self.seconds
        return self.polling == 0 or (self.worker_s >= wanted * self.polling and self.generator_s >= wanted)


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


def alternate(pairs, rounds, seconds, tell=lambda done: None):
    """{name: slices}, as many of each as rounds; and how many rounds were thrown away. Who begins changes every round."""
    slices, disturbed, tries = {pair.name: [] for pair in pairs}, 0, 0
    while len(slices[pairs[0].name]) < rounds and tries < MOST_TRIES * rounds:
        order = pairs if tries % 2 == 0 else pairs[::-1]
        tries += 1
        turn = {pair.name: run_slice(pair, seconds) for pair in order}
        if not all(one.undisturbed for one in turn.values()):
            disturbed += 1
            continue
        for name, one in turn.items():
            slices[name].append(one)
        tell(len(slices[pairs[0].name]))
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
