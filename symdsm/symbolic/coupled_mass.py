"""Does a coupled density on the whole space integrate to one? Tried on numbers, at small sizes.

    quadratic   log Z in closed form (symbolic/indexed_gaussian.py) at random clean values and parameters, sizes 2 and 3
    elliptical  one radial integral at sizes 2 and 3 (symbolic/indexed_normaliser.py)
    otherwise   the integral over the one coordinate of an event of length one, by exp-sinh quadrature on both sides of
                the clean value; for larger sizes the scale rule alone speaks

A factor that is missing, such as half a log determinant, changes the integral at random parameters, so that a density
is never taken for a normalised one because its level alone is right. Source: H. Takahasi and M. Mori, Publications of
the Research Institute for Mathematical Sciences 9, 1974.
"""

import math

import mpmath
import numpy as np
import sympy as sp

from symdsm.symbolic.indexed_gaussian import gaussian_integral, is_quadratic
from symdsm.symbolic.indexed_normaliser import elliptical, radial_mass
from symdsm.symbolic.indexed_numbers import example, number

__all__ = ["at_random_places", "has_mass_one"]

_EXACT, _BY_QUADRATURE = 1e-9, 1e-6
_STEP, _NODES = 0.11, 32
_NOTHING, _TOO_MUCH = -1e4, 1e4
_TROUBLE = (ArithmeticError, ValueError, TypeError, KeyError, IndexError, StopIteration)


def has_mass_one(d) -> bool:
    """True where the integral is one at each trial; False also where it could not be computed."""
    quadratic = is_quadratic(d)
    found = None if quadratic else elliptical(d)
    try:
        if found is not None:
            masses = [radial_mass(d, found, seed, size) for seed, size in ((1, 2), (2, 3))]
        else:
            masses = [_gaussian(d, seed) if quadratic else _one_coordinate(d, seed) for seed in (1, 2)]
    except _TROUBLE:
        return False
    return all(m is not None and abs(m) < (_EXACT if quadratic else _BY_QUADRATURE) for m in masses)


def _at(d, scalars, arrays):
    """The shape of an event, and the log density as a function of its entries in a row."""
    shape = tuple(int(number(length, scalars, arrays)) for length in d.shapes[d.noisy])
    label = str(d.noisy.label)
    return shape, lambda y: number(d.expr, scalars, arrays | {label: np.reshape(y, shape)})


def at_random_places(d, seed) -> list:
    """The values of the expression for eight events of size two, at random parameters; 0 where one has none."""
    scalars, arrays = example(d, seed, size=2)
    found = []
    for k in range(8):
        events = example(d, 100 * seed + k, size=2)[1]
        try:
            found.append(mpmath.re(number(d.expr, scalars, arrays | {str(d.noisy.label): events[str(d.noisy.label)]})))
        except _TROUBLE:
            found.append(mpmath.mpf(0))
    return found


def _gaussian(d, seed):
    shape, log_density = _at(d, *example(d, seed, size=2))
    found = gaussian_integral(log_density, math.prod(shape))
    return None if found is None else found[0]


def _one_coordinate(d, seed):
    scalars, arrays = example(d, seed, size=1)
    shape, log_density = _at(d, scalars, arrays)
    if math.prod(shape) != 1:
        return None
    centre = scalars[d.clean] if isinstance(d.clean, sp.Symbol) else arrays[str(d.clean.label)].ravel()[0]
    total = mpmath.mpf(0)
    for k in range(-_NODES, _NODES + 1):
        t = k * _STEP
        away = mpmath.exp(mpmath.pi / 2 * mpmath.sinh(t))
        weight = _STEP * mpmath.pi / 2 * mpmath.cosh(t) * away
        for side in (away, -away):
            value = log_density(np.array([centre + side], dtype=object))
            if value > _TOO_MUCH:
                return None
            if not value < _NOTHING:  # mpmath takes for ever over exp(-cosh(1e11))
                total += weight * mpmath.exp(value)
    return mpmath.log(total)
