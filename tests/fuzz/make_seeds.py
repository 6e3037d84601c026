#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seed files of the codec's fuzz targets from tests/vectors/*.hex; run it after a vector was added."""

import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent


def vectors():
    for path in sorted((HERE.parent / "vectors").glob("*.hex")):
        text = re.sub(r"#.*", "", path.read_text())
        yield path.stem, bytes.fromhex("".join(text.split()))


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"vector-{name}.bin").write_bytes(data)


def main():
    whole = dict(vectors())
    for name, data in whole.items():
        write("channel_data" if data[0] >= 0x40 else "stun_message", name, data)
    # The framer's input: size limit (0: none), seed of the chunk sizes, stream.
    stream = b"".join(data for name, data in whole.items() if len(data) % 4 == 0)
    for chunks in (0, 1, 7, 255):
        write("stream_framer", f"all-{chunks}", bytes([0, chunks]) + stream)
    for name in ("o-01", "o-07", "o-23", "o-24"):
        write("stream_framer", name, bytes([16, 3]) + whole[name] * 2)


if __name__ == "__main__":
    main()
