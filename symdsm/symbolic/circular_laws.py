r"""Which law on the circle is a density? Then its draws are exact, without a numerical inverse.

With the mode m, the angle d = 2 pi (y - m) / P and the log density L, one comparison of the ends of a diameter gives
the parameter of two families,

    von Mises        L = k cos d + const                     k = (L(m) - L(m + P/2)) / 2
    wrapped Cauchy   L = -log(sin^2(d/2) + t^2 cos^2(d/2)) + const     t = exp((L(m + P/2) - L(m)) / 2)

however the density is written; the formula is then tried on numbers, so that nothing is recognised by its looks.
m is the zero of the argument of a sine or a cosine, or the centre given. The wrapped normal law has a node of its own.

Source: Mardia and Jupp, Directional Statistics (2000), 3.5.
"""

import mpmath
import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.laws import Draw
from symdsm.symbolic.nodes import LogWrappedNormal, plain
from symdsm.symbolic.probe import numeric

__all__ = ["circular_draw"]

_AT = ("-0.93", "0.31", "0.78")  # where the formula is tried, in units of half a turn from the mode
_CLOSE = 1e-9


def circular_draw(
    log_density: sp.Expr, variable: sp.Symbol, period: sp.Expr, centre: sp.Expr, points: list[dict]
) -> sp.Expr | None:
    """The variable written in primitive draws, up to whole turns; None when the law is none of the three.

    `points` are admissible values of the other symbols of the log density.
    """
    own = log_density.as_independent(variable, as_Add=True)[1]
    turn = period / (2 * sp.pi)
    if isinstance(own, LogWrappedNormal):
        angle, scale = own.args
        once = period == 2 * sp.pi and sp.diff(angle, variable) ** 2 == 1 and not scale.has(variable)
        return _zero(angle, variable) + _draw("wrapped_normal", scale) if once else None
    if not points:
        return None
    for mode in _modes(own, variable, centre):
        top, bottom = (own.xreplace({variable: mode + half}) for half in (0, period / 2))
        k, t = (top - bottom) / 2, _root(bottom - top)
        angle = (variable - mode) / turn
        families = {
            _draw("von_mises", k): k * (sp.cos(angle) - 1),
            _draw("wrapped_cauchy", t): 2 * sp.log(t) - sp.log(sp.sin(angle / 2) ** 2 + t**2 * sp.cos(angle / 2) ** 2),
        }
        for draw, shape in families.items():
            infinite = shape.has(sp.zoo, sp.oo, sp.nan)  # zero opposite the mode
            if not infinite and _agree(own - top, shape, variable, mode, period, points):
                return mode + turn * draw
    return None


def _draw(kind, shape):
    return Draw(sp.Symbol(kind), sp.S.Zero, shape)


def _modes(own, variable, centre):
    """Where the argument of a sine or a cosine is zero, and the centre."""
    waves = sorted(own.atoms(sp.sin, sp.cos, sp.tan), key=sp.default_sort_key)
    zeros = [_zero(wave.args[0], variable) for wave in waves if variable in wave.free_symbols]
    return list(dict.fromkeys([*(zero for zero in zeros if zero is not None), centre])) if waves else []


def _zero(argument, variable):
    """The root of a linear expression in the variable."""
    slope = sp.diff(argument, variable)
    if slope == 0 or variable in slope.free_symbols:
        return None
    return sp.expand(variable - argument / slope)


def _root(log_ratio):
    """exp(log_ratio / 2), factored so that a difference that makes it small is written as one factor."""
    ratio = sp.exp(plain(log_ratio))
    try:
        return sp.sqrt(bounded(1.0, sp.factor, ratio))
    except OutOfTime:
        return sp.sqrt(ratio)


def _agree(found, shape, variable, mode, period, points) -> bool:
    """Are two expressions equal at some angles for every probe?"""
    for point in points:
        symbols = [variable, *point]
        values = [numeric(e, symbols) for e in (found, shape)]
        middle, turn = numeric(mode, list(point))(*point.values()), numeric(period, [])()
        for part in map(mpmath.mpf, _AT):
            try:
                a, b = (value(middle + part * turn / 2, *point.values()) for value in values)
            except (ArithmeticError, ValueError, TypeError):
                return False
            if not (mpmath.isfinite(b) and abs(a - b) <= _CLOSE * (1 + abs(b))):
                return False
    return True
