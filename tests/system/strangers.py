# SPDX-License-Identifier: BSD-3-Clause
"""A second host in the client namespace of a lab, whom the relay treats otherwise than the usual one."""

import contextlib

STRANGER, STRANGER6 = "10.0.1.77", "fd00:1::77"


@contextlib.contextmanager
def stranger(lab):
    """Its addresses are there, and known to the relay."""
    addresses = (f"{STRANGER}/24", f"{STRANGER6}/64")
    for address in addresses:
        lab.run("client", "ip", "addr", "add", address, "dev", "c0", *(("nodad",) if ":" in address else ()))
    try:
        for host, server in ((STRANGER, lab.LISTEN), (STRANGER6, lab.LISTEN6)):
            lab.run("client", "ping", "-n", "-c", 1, "-W", 5, "-I", host, server)
        yield
    finally:
        for address in addresses:
            lab.run("client", "ip", "addr", "del", address, "dev", "c0")
