"""Admissible random numbers for the symbols of a kernel, and numeric faces of its expressions.

Symbolic results are tried on numbers before they are used (SymPy is silently wrong at times). A probe draws values
that respect the symbols' assumptions and keeps those at which the kernel is defined.
"""

import math
import random

import mpmath
import sympy as sp

from symdsm.symbolic.nodes import NUMERIC
from symdsm.symbolic.supports import interior_point

__all__ = ["numeric", "probes", "value_for"]


def numeric(expr: sp.Basic, args: list[sp.Symbol]):
    """expr as a function of mpmath numbers."""
    return sp.lambdify(args, expr, [NUMERIC, "mpmath"])


def value_for(symbol: sp.Symbol, rng: random.Random) -> float:
    """A number that the symbol's assumptions admit."""
    if symbol.is_integer:
        return float(rng.randint(2, 5))
    if symbol.is_positive or symbol.is_nonnegative:
        return math.exp(rng.gauss(0.0, 0.5))
    if symbol.is_negative:
        return -math.exp(rng.gauss(0.0, 0.5))
    return rng.gauss(0.0, 1.0)


def _drawn(declaration) -> tuple[sp.Expr, ...]:
    """The noisy value for a noise off the centre of its support; none where the noise is not declared."""
    noise = declaration.noise
    middle = None if noise is None or declaration.parts else interior_point(noise.support)
    if middle is None:
        return ()
    if noise.support == sp.S.Reals:
        middle = sp.Rational(3, 8)
    return (noise.map.xreplace({noise.variable: middle}),)


def probes(declaration, count: int, seed: int = 0, tries: int = 60) -> list[dict[sp.Symbol, float]]:
    """Values of the clean symbol and the parameters at which the log density is a real number at the anchor, and
    the noisy value a real one for a noise inside its support.

    Bounded clean values, such as the mean of a Beta law, are found by trying a second scale in (0, 1); large and small
    shapes, at which other conditions hold, by a second and a third scale of the positive parameters.
    """
    rng = random.Random(seed)
    symbols = [declaration.clean, *declaration.params]
    y = declaration.noisy
    real_y = sp.Symbol(y.name, real=True)
    anchor = declaration.anchor if declaration.anchor is not None else sp.S.One
    if declaration.log_density.xreplace({y: anchor}).has(sp.zoo, sp.oo, -sp.oo, sp.nan):
        anchor += sp.Rational(3, 8)  # a pole or a zero of the density stands at the anchor
    defined = numeric(declaration.log_density.xreplace({y: anchor}), symbols)
    inside = numeric(declaration.inside.xreplace({real_y: anchor}), symbols)
    place = numeric(sp.Tuple(anchor, *_drawn(declaration)), symbols)
    found = []
    for attempt in range(tries):
        values = {s: value_for(s, rng) for s in symbols}
        if attempt % 2:
            values[declaration.clean] = rng.random()
        if attempt % 4 >= 2:
            shapes = {s: v for s, v in values.items() if s is not declaration.clean and v > 0}
            values |= {s: 0.05 + 0.4 * v / (1 + v) if attempt % 8 == 7 else v + 2.0 for s, v in shapes.items()}
        try:
            number = mpmath.mpmathify(defined(*values.values()))
            real = number.imag == 0 and not any(mpmath.im(v) for v in place(*values.values()))
            if real and bool(inside(*values.values())) and mpmath.isfinite(number):
                found.append(values)
        except (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence):
            continue
        if len(found) == count:
            break
    return found
