# SPDX-License-Identifier: BSD-3-Clause
"""Plots reports of the other benches as SVG."""

import argparse
import pathlib

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # pylint: disable=wrong-import-position,wrong-import-order

import rows  # pylint: disable=wrong-import-position
from soak_plot import plot_soak  # pylint: disable=wrong-import-position
from surroundings import ROOT, fail  # pylint: disable=wrong-import-position

# So that the same report gives the same file.
matplotlib.rcParams["svg.hashsalt"] = "turnpike"
METADATA = {"Date": None}
MOST_BARS = 60


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench report", description=__doc__,
                                     epilog="A plot is named after the bench and what is plotted; of several reports of one bench the last "
                                            "one given (or written) is plotted.")
    parser.add_argument("reports", nargs="*", type=pathlib.Path, help="JSON files of other benches (default all in build/bench)")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/performance", help="folder (default docs/performance)")
    options = parser.parse_args()
    options.reports = options.reports or sorted((ROOT / "build/bench").glob("*.json"), key=lambda path: path.stat().st_mtime)
    if not options.reports:
        fail("nothing in build/bench: run a bench first, or name JSON files")
    return options


def read(path):
    """The bench's name and its report."""
    try:
        return rows.read(path)
    except (OSError, ValueError) as why:
        fail(f"{path} is no report of a bench: {why}")


def caption(report):
    machine = report["machine"]
    return f"{report['date']}, commit {report['commit']}, {machine['cpus']} × {machine['cpu']}, load {machine['load_at_start']:.1f}"


def series(results, *keys):
    """Rows by what these keys say, in their order."""
    groups = {}
    for row in results:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def name_of(key):
    mode, number, family = key
    return f"{mode}, IPv{family}, {number}"


def against(results, x, other, label, axes):
    """Both rates over x, one colour for each series; whether there was anything to draw a line through."""
    drawn = False
    for index, (key, group) in enumerate(series(results, "mode", other, "family").items()):
        if len(group) < 2:
            continue
        drawn = True
        group.sort(key=lambda row: row[x])
        places = [row[x] for row in group]
        axes.plot(places, [row["mpps"] for row in group], "o-", color=f"C{index}", label=f"relay: {name_of(key)} {label}")
        axes.plot(places, [row["baseline_mpps"] for row in group], "x:", color=f"C{index}", label="the rival at the same")
    return drawn


def plot_rates(report, x, other, label, title, logarithmic):
    figure, axes = pyplot.subplots(figsize=(8, 5))
    if not against(report["results"], x, other, label, axes):
        pyplot.close(figure)
        return None
    if logarithmic:
        axes.set_xscale("log")
    axes.set(xlabel=x, ylabel="million packets per CPU-second", title=title)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    return figure


def plot_latency(report):
    found = [row for row in report["results"] if "p99_us" in row]
    if not found:
        return None
    figure, axes = pyplot.subplots(figsize=(8, 5))
    shares = [row["share_percent"] for row in found]
    for quantile, style in (("p50", "o-"), ("p99", "s--")):
        axes.plot(shares, [row[f"{quantile}_us"] for row in found], style, color="C0", label=f"relay {quantile}")
        axes.plot(shares, [row[f"baseline_{quantile}_us"] for row in found], style, color="C1", label=f"testpmd {quantile}")
    axes.set_yscale("log")
    axes.set(xlabel="percent of the lower capacity", ylabel="µs", title="Latency over memif")
    axes.legend(fontsize="small")
    return figure


def plot_ratios(report):
    """A bar for every row that has a rival."""
    found = [row for row in report["results"] if row.get("ratio")][:MOST_BARS]
    if not found:
        return None
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.25 * len(found)))
    names = [", ".join(str(row[key]) for key in ("scenario", "mode", "baseline", "flows", "payload") if row.get(key) is not None)
             for row in found]
    axes.barh(range(len(found)), [row["ratio"] for row in found])
    axes.set_yticks(range(len(found)), names, fontsize="x-small")
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xlabel="ratio to the rival", title=" ".join(report["command"][:2]))
    return figure


def plots(bench, report):
    """{name: figure or nothing}"""
    if bench == "p1":
        return {"p1-flows": plot_rates(report, "flows", "payload", "bytes", "One worker over memif", True),
                "p1-payload": plot_rates(report, "payload", "flows", "sessions", "One worker over memif", False)}
    if bench == "p2":
        return {"p2-latency": plot_latency(report)}
    if bench == "soak":
        return {"soak": plot_soak(report)}
    return {f"{bench}-ratio": plot_ratios(report)}


def main():
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    for path in options.reports:
        bench, report = read(path)
        for name, figure in plots(bench, report).items():
            if figure is None:
                continue
            figure.text(0.01, 0.005, caption(report), fontsize="xx-small")
            figure.tight_layout()
            figure.savefig(options.output / f"{name}.svg", metadata=METADATA)
            pyplot.close(figure)
            print(f"bench: {options.output / name}.svg")


if __name__ == "__main__":
    main()
