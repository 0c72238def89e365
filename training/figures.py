"""Plots of the measurements, for the model card."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

pyplot.rcParams.update({"svg.hashsalt": "figures", "svg.fonttype": "none", "font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
COLUMNS = 4
COLOURS = ("#0072b2", "#d55e00", "#009e73")
STYLES = ("-", "--", ":")


def small_multiples(units: list[str], title: str, below: str, beside: str):
    """A figure with one pair of axes per unit, all of one scale."""
    rows = -(-len(units) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(8, 1.5 * rows + 0.9), sharex=True, sharey=True)
    figure.suptitle(title)
    figure.supxlabel(below)
    figure.supylabel(beside)
    for unit, each in zip(units, axes.flat):
        each.set_title(unit, fontsize=8)
        each.axhline(0, color="#999999", linewidth=0.5)
    return figure, list(axes.flat)


def write(figure, axes, path: Path) -> None:
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower right", ncols=len(labels), frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def scale(zooms: list[float], measurements: dict[str, dict], units: list[str], title: str, path: Path) -> None:
    """Mean ± deviation over photos against zoom, per unit; a line per measurement, whose rows are `scale.Row`s."""
    figure, axes = small_multiples(units, title, "zoom", "attention, 5×5 − 3×3")
    for (name, rows), colour, style in zip(measurements.items(), COLOURS, STYLES):
        for unit, each in zip(units, axes):
            each.errorbar(zooms, rows[unit].mean, rows[unit].deviation, label=name, color=colour, linestyle=style,
                          linewidth=1.2, elinewidth=0.6, capsize=2)  # fmt: skip
    write(figure, axes, path)


def stimuli(series: list[dict], units: list[str], path: Path) -> None:
    """A file per kind of picture, `path` with the kind added: a line per contrast against size or frequency."""
    for one in series:
        figure, axes = small_multiples(units, one["kind"], one["parameter"], "attention, 5×5 − 3×3")
        for (contrast, curves), colour, style in zip(one["contrasts"].items(), COLOURS, STYLES):
            for unit, each in zip(units, axes):
                each.plot(one["values"], curves[unit], style, color=colour, label=f"contrast {contrast}", linewidth=1.2)
                each.set_xscale("log")
                each.set_xticks(one["values"], [f"{value:g}" for value in one["values"]])
                each.minorticks_off()
        write(figure, axes, path.with_stem(f"{path.stem}-{one['kind']}"))
