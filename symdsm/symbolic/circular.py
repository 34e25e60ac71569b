"""Angles: a density with a period in y is a law on the circle, and y is any angle of the real line.

    p(y + P | x) = p(y | x),     the integral over one period is one

The density is normalised over one period; then the declaration lives on the whole line with period P, so that no
edge is left and a noisy angle may leave (-P/2, P/2). Source: Mardia and Jupp, Directional Statistics (2000), 3.1.
"""

from dataclasses import replace

import mpmath
import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.constructors import from_density
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.given import expression
from symdsm.symbolic.probe import numeric, probes

__all__ = ["from_circular_density"]


def from_circular_density(f, noisy, clean, support, level, log, period) -> Declaration:
    """The kernel on the circle of circumference `period` with (log) density f. Raises DeclarationError."""
    period = expression(period, "the period")
    if support is not None:
        raise DeclarationError(
            given=f"period={period} together with support={support}",
            expected="one of them: an angle has no edges",
            fix="leave support out",
        )
    if not period.is_positive or period.free_symbols:
        raise DeclarationError(
            given=f"period={period}", expected="a positive number", fix="pass period=2*sympy.pi for angles in radians"
        )
    turn = sp.Interval.open(-period / 2, period / 2)
    cut = from_density(f, noisy, clean, turn, level, log)
    _check_period(cut, period)
    source = ("density", f, noisy, clean, None, level, log, period)
    return replace(cut, support=sp.S.Reals, inside=sp.true, anchor=sp.S.Zero, noise=None, period=period, source=source)


def _check_period(declaration: Declaration, period) -> None:
    y = declaration.noisy
    for k, point in enumerate(probes(declaration, 3, seed=11)):
        density = numeric(declaration.log_density, [y, *point])
        here = mpmath.mpf(k) - mpmath.mpf("0.6")
        values = [density(here + turn * numeric(period, [])(), *point.values()) for turn in (0, 1)]
        if abs(values[1] - values[0]) > 1e-9 * (1 + abs(values[0])):
            raise DeclarationError(
                given=f"a density whose values at {y} = {mpmath.nstr(here, 2)} and one period of {period} later differ",
                expected=f"p({y} + {period}) = p({y})",
                fix=f"write it with sines and cosines of {y} - {declaration.clean}, or leave period out",
            )
