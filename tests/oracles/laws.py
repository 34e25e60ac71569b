"""Distribution functions and quantiles: where test points come from, and what a sampler is held against.

A law has `cdf(y)` and `ppf(u)` on float64 arrays, as SciPy's frozen distributions have. The classes below make
the laws that SciPy lacks: the image of a law under a monotone map, an affine image, a pair of closed forms, and
a distribution function whose quantiles are found by bisection.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClosedForm:
    """A law whose distribution function and quantiles are written down."""

    cdf: Callable
    ppf: Callable


@dataclass(frozen=True)
class Image:
    """The law of forward(Z), Z ~ base; backward is the inverse, `increasing` the direction of the map."""

    base: object
    forward: Callable
    backward: Callable
    increasing: bool = True

    def cdf(self, y):
        u = self.base.cdf(self.backward(np.asarray(y)))
        return u if self.increasing else 1 - u

    def ppf(self, u):
        return self.forward(self.base.ppf(u if self.increasing else 1 - np.asarray(u)))


def affine(base, loc: float, scale: float) -> Image:
    """The law of loc + scale * Z, scale > 0."""
    return Image(base, lambda z: loc + scale * z, lambda y: (y - loc) / scale)


@dataclass(frozen=True)
class Bisected:
    """A law on (low, high) given by its distribution function."""

    cdf: Callable
    low: float
    high: float

    def ppf(self, u):
        u = np.asarray(u, dtype=float)
        low, high = np.full(u.shape, self.low), np.full(u.shape, self.high)
        for _ in range(100):
            middle = (low + high) / 2
            below = self.cdf(middle) < u
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2
