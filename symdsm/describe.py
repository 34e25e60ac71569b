"""A kernel in words: the declaration and what was derived from it, for a terminal and for a notebook."""

from __future__ import annotations

from typing import Any

import sympy as sp

from .errors import DerivationError

__all__ = ["describe", "latex", "one_line"]


def describe(kernel: Any) -> str:
    """The log density, the score and the level score (when there is one), one per line; block by block.

    log p(y | x; sigma) = -log(sigma) - log(2*pi)/2 - (x - y)**2/(2*sigma**2)
    d/dy log p          = (x - y)/sigma**2
    d/dsigma log p      = -1/sigma + (x - y)**2/sigma**3

    The transition kernel of a vector SDE is told by its mean and covariance.
    """
    if kernel.blocks:
        return "\n".join(f"  {name}:\n{describe(block)}" for name, block in kernel.blocks.items())
    parameters = ", ".join(str(symbol) for symbol in kernel.params)
    y, x = _names(kernel.noisy), _names(kernel.clean)
    given = f"{x}; {parameters}" if parameters else x
    if law := kernel.moments:
        mean, covariance = law
        lines = {f"p({y} | {given})": "Normal(m, S)", "m": _listed(mean), "S": covariance.tolist(),
                 "d/dy log p": "-S^-1 (y - m)"}  # fmt: skip
    else:
        lines = {f"log p({y} | {given})": kernel.log_density, f"d/d{y} log p": kernel.score}
    if kernel.level is not None and not kernel.moments:
        lines[f"d/d{kernel.level} log p"] = _level_score(kernel)
    width = max(map(len, lines))
    return "\n".join(f"  {name:<{width}} = {formula}" for name, formula in lines.items())


def one_line(kernel: Any) -> str:
    """Kernel(log p(y | x) = ..., level=..); a product has one line per block."""
    if kernel.blocks:
        rows = "\n".join(f"  {name}: {one_line(block)}" for name, block in kernel.blocks.items())
        return f"Kernel.product(\n{rows}\n)"
    level = f", level={kernel.level}" if kernel.level is not None else ""
    return f"Kernel(log p({_names(kernel.noisy)} | {_names(kernel.clean)}) = {_formula(kernel)}{level})"


def latex(kernel: Any) -> str:
    """Log density and score as an aligned formula."""
    return rf"$\displaystyle \begin{{aligned}}{_rows(kernel)}\end{{aligned}}$"


def _rows(kernel: Any) -> str:
    if kernel.blocks:
        return r"\\[1ex]".join(_rows(block).replace(r"\log p(", rf"\log p_{{\text{{{_text(name)}}}}}(")
                               for name, block in kernel.blocks.items())  # fmt: skip
    y, x = (", ".join(map(sp.latex, _symbols(v))) for v in (kernel.noisy, kernel.clean))
    if law := kernel.moments:
        mean, covariance = map(sp.latex, law)
        return rf"({y})\mid {x} &\sim \mathcal{{N}}\left({mean},\; {covariance}\right)"
    return (
        rf"\log p({y}\mid {x}) &= {sp.latex(kernel.log_density)}\\"
        rf"\partial_{{{y}}}\log p({y}\mid {x}) &= {sp.latex(kernel.score)}"
    )


def _formula(kernel: Any) -> str:
    if law := kernel.moments:
        mean, covariance = law
        return f"log N({_listed(mean)}, {covariance.tolist()})"
    return str(kernel.log_density)


def _symbols(value: Any) -> list:
    return list(value) if isinstance(value, sp.MatrixBase) else [value]


def _names(value: Any) -> str:
    return ", ".join(map(str, _symbols(value)))


def _listed(value: Any) -> str:
    return f"[{_names(value)}]" if isinstance(value, sp.MatrixBase) else str(value)


def _text(name: str) -> str:
    return name.replace("_", r"\_")


def _level_score(kernel: Any) -> Any:
    try:
        return kernel.level_score
    except DerivationError as error:
        return f"not known: {error.given}"
