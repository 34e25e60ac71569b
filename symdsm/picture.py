"""Pictures of a kernel: its density over a histogram of its own draws, and its score, for a few clean values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DerivationError, ParameterError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["kernel_figure"]

_DRAWS, _POINTS, _SEED = 4000, 401, 0
_TAIL, _MARGIN = 0.005, 0.15


def kernel_figure(kernel: Any, x: Any, params: dict[str, Any]) -> Figure:
    """Density and score side by side, one row per block of a product. See `Kernel.plot`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if kernel.event_ndim:
        raise DerivationError(
            given="a kernel of arrays",
            expected="a kernel of one noisy value, or a product of such",
            fix="plot draws of kernel.compile().sample(key, x, ...) instead",
        )
    rows = _rows(kernel, x, params)
    with rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9.0, 2.8 * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), 2, squeeze=False)
        for pair, (name, block, clean, given) in zip(axes, rows, strict=True):
            _draw(pair, name, block, clean, given)
    return figure


def _rows(kernel, x, params) -> list[tuple]:
    if not kernel.blocks:
        if isinstance(x, dict):
            raise ParameterError(given=f"x={x}", expected="a number or a list of them", fix="pass x=[0.5, 2.0], say")
        return [("", kernel, _values(x), params)]
    _check_names(kernel, params)
    if not isinstance(x, dict) or set(x) != set(kernel.blocks):
        raise ParameterError(
            given=f"x={x}",
            expected=f"a dict with the clean value of each block: {', '.join(kernel.blocks)}",
            fix=f"pass x={{{', '.join(f'{name!r}: 1.0' for name in kernel.blocks)}}}",
        )
    return [
        (f"{name}: ", block, _values(x[name]), {p.name: params[p.name] for p in block.params})
        for name, block in kernel.blocks.items()
    ]


def _check_names(kernel, params) -> None:
    missing = [p.name for p in kernel.params if p.name not in params]
    if missing:
        raise ParameterError(
            given=f"no value of {', '.join(missing)}",
            expected=f"values of {', '.join(p.name for p in kernel.params)}",
            fix=f"pass {', '.join(f'{name}=1.0' for name in missing)}",
        )


def _values(x) -> list[float]:
    return [float(v) for v in x] if isinstance(x, (Sequence, np.ndarray)) else [float(x)]


def _draw(axes, name: str, kernel, clean: list[float], params) -> None:
    import jax

    program = kernel.compile()
    with jax.enable_x64(True):
        draws = [np.asarray(program.sample(jax.random.key(_SEED), np.full(_DRAWS, x), **params)) for x in clean]
        low, high = _window(np.concatenate(draws))
        grid = np.linspace(low, high, _POINTS)
        slopes = []
        for k, (x, drawn) in enumerate(zip(clean, draws, strict=True)):
            density = np.exp(np.asarray(program.log_prob(grid, np.full(_POINTS, x), **params)))
            slope = np.asarray(program.score(grid, np.full(_POINTS, x), **params))
            slopes.append(np.asarray(program.score(drawn, np.full(_DRAWS, x), **params)))
            label = f"{kernel.clean} = {x:g}"
            weights = np.full(drawn.size, 1.0 / (drawn.size * (high - low) / 60))
            axes[0].hist(drawn, bins=60, range=(low, high), weights=weights, color=f"C{k}", alpha=0.25)
            axes[0].plot(grid, density, color=f"C{k}", label=label)
            axes[1].plot(grid, slope, color=f"C{k}", label=label)
    y = str(kernel.noisy)
    given = ", ".join(f"{key} = {value:g}" for key, value in params.items())
    axes[0].set(xlabel=y, title=f"{name}density and {_DRAWS} draws" + f", {given}" * bool(given), ylim=(0.0, None))
    axes[1].set(xlabel=y, title=f"{name}score", ylim=_window(np.concatenate(slopes)))
    axes[1].axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
    axes[0].legend(frameon=False)


def _window(draws) -> tuple[float, float]:
    """Where all but a hundredth of the draws lie, and a margin: heavy tails would flatten the picture."""
    low, high = np.quantile(draws, [_TAIL, 1 - _TAIL])
    margin = _MARGIN * (high - low)
    return float(low - margin), float(high + margin)
