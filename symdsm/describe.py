"""A kernel in words: the declaration and what was derived from it, as lines of text for a terminal."""

from __future__ import annotations

from typing import Any

from .errors import DerivationError


def describe(kernel: Any) -> str:
    """The log density, the score and the level score (when there is one), one per line.

    log p(y | x; sigma) = -log(sigma) - log(2*pi)/2 - (x - y)**2/(2*sigma**2)
    d/dy log p          = (x - y)/sigma**2
    d/dsigma log p      = -1/sigma + (x - y)**2/sigma**3
    """
    parameters = ", ".join(symbol.name for symbol in kernel.params)
    given = f"{kernel.clean}; {parameters}" if parameters else f"{kernel.clean}"
    lines = {
        f"log p({kernel.noisy} | {given})": kernel.log_density,
        f"d/d{kernel.noisy} log p": kernel.score,
    }
    if kernel.level is not None:
        lines[f"d/d{kernel.level} log p"] = _level_score(kernel)
    width = max(map(len, lines))
    return "\n".join(f"  {name:<{width}} = {formula}" for name, formula in lines.items())


def _level_score(kernel: Any) -> Any:
    try:
        return kernel.level_score
    except DerivationError as error:
        return f"not known: {error.given}"
