# SPDX-License-Identifier: BSD-3-Clause
"""Small multiples of a soak over its time."""

from matplotlib import pyplot

# Title, unit, {series: label}; a unit of MiB is made of KiB.
PANES = (
    ("turnpike-control: memory", "MiB", {"control_rss": "resident", "control_pss": "PSS", "control_anonymous": "anonymous"}),
    ("turnpike-dataplane: memory", "MiB", {"dataplane_rss": "resident", "dataplane_pss": "PSS", "dataplane_anonymous": "anonymous"}),
    ("packet buffers in use", "", {"mbufs": "mbufs"}),
    ("rings: most cells ever in use", "", {"command_ring_high": "commands", "event_ring_high": "events", "handoff_ring_high": "hand-over"}),
    ("file descriptors", "", {"control_fds": "control", "dataplane_fds": "dataplane"}),
    ("kernel sockets, threads", "", {"tcp_sockets": "TCP", "udp_sockets": "UDP", "control_threads": "control's threads",
                                     "dataplane_threads": "dataplane's"}),
    ("calls", "", {"sessions": "sessions", "connections": "TCP and TLS", "dtls_sessions": "DTLS"}),
    ("waiting", "", {"command_backlog": "commands", "requests_waiting": "requests"}),
)
COLUMNS = 2
MOST_POINTS = 240


def plot_soak(report):
    figure, grid = pyplot.subplots(len(PANES) // COLUMNS, COLUMNS, figsize=(10, 11), sharex=True)
    # More points than these cannot be told apart.
    step = -(-len(report["times"]) // MOST_POINTS)
    minutes = [seconds / 60 for seconds in report["times"][::step]]
    for axes, (title, unit, lines) in zip(grid.flat, PANES):
        for name, label in lines.items():
            values = report["series"][name][::step]
            axes.plot(minutes, [value / 1024 for value in values] if unit == "MiB" else values, label=label, linewidth=1)
        axes.set_title(title + (f", {unit}" if unit else ""), fontsize="small")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="x-small", loc="lower right")
        axes.tick_params(labelsize="x-small")
    for axes in grid[-1]:
        axes.set_xlabel("minutes", fontsize="small")
    return figure
