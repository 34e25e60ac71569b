"""Pictures for the report: images, draws, traces, curves.

Each function returns a `matplotlib.figure.Figure` of its own (no pyplot, no global state), so that it can be
shown in a notebook, saved, or put into a page by `svg`.  NaN in an image means "not seen": it is hatched.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, QUIET, ACCENT = "#1b1f24", "#6b7280", "#1f5f8b"
PATH = 250
CHAINS = ("#1f5f8b", "#c2703d", "#4f8a5b", "#7a5195", "#8a7b3d", "#5b6472", "#a23b52", "#2f8f9d")
STYLE = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": f"cycler('color', {CHAINS})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "font.size": 9,
    "hatch.color": "#c3c8cf",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "symdsm",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
}


def _figure(width: float, height: float, rows: int = 1, columns: int = 1, **shared):
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **shared)
    return figure, axes


def _show(axis, image, low: float, high: float, colours: str = "gray_r"):
    axis.set_facecolor("#f3f4f6")
    axis.patch.set_hatch("////")
    shown = axis.imshow(np.ma.masked_invalid(image), cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set_visible(True)
    return shown


def images(panels: Mapping[str, np.ndarray], *, spread: Mapping[str, np.ndarray] | None = None) -> Figure:
    """Images side by side: `panels` on the grey scale of the first, those of `spread` (sds) each on its own."""
    from matplotlib.ticker import MaxNLocator

    spread = dict(spread or {})
    count = len(panels) + len(spread)
    figure, axes = _figure(2.1 * count, 2.5, 1, count)
    first = next(iter(panels.values()))
    low, high = float(np.nanmin(first)), float(np.nanmax(first))
    for axis, (title, image) in zip(axes[0], panels.items(), strict=False):
        shown = _show(axis, image, low, high)
        axis.set_title(title)

    def bar(image, ax, **size):  # a locator belongs to one bar: shared, it would follow the scale of the last
        figure.colorbar(image, ax=ax, location="bottom", pad=0.04, ticks=MaxNLocator(4), **size)

    bar(shown, axes[0, : len(panels)], shrink=max(0.35, 1 / len(panels)), aspect=40)
    for axis, (title, image) in zip(axes[0, len(panels) :], spread.items(), strict=True):
        bar(_show(axis, image, 0.0, float(np.nanmax(image)), "Blues"), axis)
        axis.set_title(title)
    return figure


def draws(stack: np.ndarray, *, low: float | None = None, high: float | None = None) -> Figure:
    """Posterior draws of an image, shape (count, height, width), in one row on one grey scale."""
    low = float(np.min(stack)) if low is None else low
    high = float(np.quantile(stack, 0.995)) if high is None else high
    figure, axes = _figure(1.05 * len(stack), 1.2, 1, len(stack))
    for axis, image in zip(axes[0], stack, strict=True):
        _show(axis, image, low, high)
    return figure


def level_trace(levels: np.ndarray, *, name: str = "level", lowest: float | None = None) -> Figure:
    """The noise level along up to four chains, shape (chain, iteration), one below the other; a line marks the lowest
    level. Of a long path its beginning and its end are shown.
    """
    levels = np.atleast_2d(levels)
    count = levels.shape[1]
    parts = [(0, count)] if count <= 2 * PATH else [(0, PATH), (count - PATH, count)]
    rows = min(len(levels), len(CHAINS) // 2)
    figure, axes = _figure(5.4, 1.1 + 0.8 * rows, rows, len(parts), sharex="col", sharey=True)
    for row, colour, chain in zip(axes, CHAINS, levels, strict=False):
        for axis, (start, end) in zip(row, parts, strict=True):
            axis.plot(range(start, end), chain[start:end], color=colour, linewidth=0.7)
            axis.set_xlim(start, max(end - 1, start + 1))
            if lowest is not None:
                axis.axhline(lowest, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    if levels.min() > 0 and levels.max() > 8 * levels.min():
        axes[0, 0].set_yscale("log")
    figure.supxlabel("iteration", fontsize=9)
    figure.supylabel(name, fontsize=9)
    return figure


def loss_curve(steps: np.ndarray, losses: Mapping[str, np.ndarray]) -> Figure:
    """Training losses against the step, as recorded (thin) and as a running median (thick)."""
    figure, axes = _figure(5.4, 2.6)
    axis = axes[0, 0]
    for colour, (name, values) in zip(_cycle(len(losses)), losses.items(), strict=True):
        values = np.asarray(values, dtype=float)
        axis.plot(steps, values, color=colour, linewidth=0.5, alpha=0.35, rasterized=True)
        axis.plot(steps, _running_median(values), color=colour, linewidth=1.6, label=name)
    middle = np.concatenate([_running_median(np.asarray(values, dtype=float)) for values in losses.values()])
    low, high = np.nanquantile(middle, [0.0, 0.98])
    margin = 0.15 * (high - low) + 1e-12
    axis.set(xlabel="step", ylabel="loss", ylim=(low - margin, high + margin))
    if len(losses) > 1:
        axis.legend()
    return figure


def svg(figure: Figure) -> str:
    """The figure as an SVG element that can stand inside a page."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format="svg", dpi=200, transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _cycle(count: int):
    return (CHAINS[index % len(CHAINS)] for index in range(count))


def _running_median(values: np.ndarray) -> np.ndarray:
    width = max(len(values) // 40, 1)
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=-1)
