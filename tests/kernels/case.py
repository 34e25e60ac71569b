"""A case: one kernel, how it is declared, and the truth about it.

`declare()` uses the public interface only. The oracle is an independent log density of mpf numbers.
Points come from the case's law: interior ones from its quantiles, tails at 5, 50 and 200 interquartile
ranges from the median and next to finite edges, outside ones beyond the edges.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from mpmath import mp, mpf

INTERIOR = (0.03, 0.21, 0.43, 0.68, 0.86, 0.98)
FAR = (5.0, 50.0, 200.0)
NEAR_EDGE = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """`params` are ordinary values and `large` is what replaces them for large shapes (None: no shape).

    `periodic`: the kernel repeats along the whole line, so that no angle lies outside."""

    name: str
    group: Literal["sympy.stats", "scipy.stats", "named"]
    form: Literal["additive", "scale", "parameter"]
    declare: Callable
    clean: tuple[float, ...]
    params: dict[str, float]
    oracle: Callable
    support: Callable
    law: Callable
    large: dict[str, float] | None = None
    level: str | None = None
    circular: bool = False
    periodic: bool = False
    notes: str = ""

    def values(self, shapes: str = "ordinary") -> dict[str, float]:
        return self.params | (self.large or {}) if shapes == "large" else self.params

    def spread(self, x, params) -> tuple[float, float]:
        """Median and interquartile range at x."""
        first, middle, third = np.asarray(self.law(x, params).ppf(np.array([0.25, 0.5, 0.75])), dtype=float)
        return middle, abs(third - first)

    def interior(self, params) -> list[tuple[float, float]]:
        """Points (y, x) between the quantiles 0.03 and 0.98."""
        return [(float(y), x) for x in self.clean for y in self.law(x, params).ppf(np.array(INTERIOR))]

    def tails(self, params) -> list[tuple[float, float]]:
        """Far points inside the support, and points near its finite edges."""
        found = []
        for x in self.clean:
            (low, high), (middle, iqr) = self.edges(x, params), self.spread(x, params)
            far = [middle + sign * k * iqr for k in FAR for sign in (-1, 1)]
            near = [edge + side * NEAR_EDGE * iqr for edge, side in ((low, 1), (high, -1)) if np.isfinite(edge)]
            found += [(y, x) for y in far + near if low < y < high]
        return found

    def outside(self, params) -> list[tuple[float, float]]:
        """Points beyond the finite edges, near and far; none on a line, nor for a kernel that repeats along it."""
        if self.periodic:
            return []
        found = []
        for x in self.clean:
            (low, high), (_, iqr) = self.edges(x, params), self.spread(x, params)
            for edge, side in ((low, -1), (high, 1)):
                if np.isfinite(edge):
                    found += [(edge + side * k * iqr, x) for k in (0.01, 1.0, 30.0)]
        return found

    def edges(self, x, params) -> tuple[float, float]:
        """The support at x as floats."""
        low, high = self.support(mpf(x), {k: mpf(v) for k, v in params.items()})
        return float(low), float(high)

    def inside(self, y, x, params) -> bool:
        """Whether the very numbers given lie in the open support."""
        low, high = self.support(mpf(float(x)), {k: mpf(float(v)) for k, v in params.items()})
        return bool(low < mpf(float(y)) < high)

    def log_density(self, y, x, params):
        """The oracle at mpf numbers, minus infinity outside the support."""
        low, high = self.support(x, params)
        return self.oracle(y, x, params) if low < y < high else -mp.inf
