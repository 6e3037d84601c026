# SPDX-License-Identifier: BSD-3-Clause
"""Showing that nothing arrives."""

import select


def assert_silent(sock, seconds=0.3):
    readable, _, _ = select.select([sock], [], [], seconds)
    assert not readable, f"unexpected: {sock.recvfrom(65535)}"
