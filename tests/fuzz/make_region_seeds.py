#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the first seeds of the targets around the shared region: one operation each, and a talk of all of them."""

import pathlib
import random

CORPUS = pathlib.Path(__file__).parent / "corpus"
SEEDS = {
    # A fact or two, then packets that need it.
    "control_cells": [bytes((1 | fact << 3, 0)) + bytes(5 | packet << 3 for packet in range(5)) for fact in range(13)] +
                     [bytes((0, 6, 1, 20)) + bytes(40), bytes((3, 2, 32)) + bytes(range(32)), bytes((4,)) + b"\xff" * 24,
                      bytes((6 | 8, 3, 0, 1, 20, 0, 9))],
    # Header fields, sizes, seals; greetings; answers with descriptors.
    "region": [bytes((0, 0, 0)), bytes((0, 0, 1, 2, 9, 0, 0, 0)), bytes((0, 3, 1, 0)), bytes((1, 1, 0, 32, 0)), bytes((0, 4, 0)),
               bytes((2, 0, 16)), bytes((2, 1, 0, 0, 7, 16)), bytes((3, 0, 5)), bytes((3, 0, 99)), bytes((3, 1, 0, 0, 1, 4))],
    # Requests of all kinds, refusals, numbers, records.
    "dataplane_events": [bytes((2, kind, 0, 0)) + bytes((7, 8, 15, 0, 4)) for kind in range(5)] +
                        [bytes((2, 0, 0, 0, 2, 1, 0, 0, 2, 2, 0, 0, 7, 5, 0, 0, 8, 15, 255, 255)), bytes((9,)) + b"\xff" * 8,
                         bytes((11, 2, 0, 0, 9, 8, 0, 1)), bytes((14, 0, 1, 8)) + bytes(8), bytes((13, 1, 24, 0, 255)), bytes((0, 1, 0, 4)) + bytes(8)],
}


def main():
    chance = random.Random(6)
    for target, seeds in SEEDS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        talk = b"".join(chance.sample(seeds, len(seeds))) if target != "region" else b""
        for number, seed in enumerate([*seeds, talk] if talk else seeds):
            (folder / f"seed-{number:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
