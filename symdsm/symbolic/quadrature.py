"""Integrals of a density and of functions under it, as numbers: the oracle of every symbolic result of this room.

    (a, b)    y = a + (b - a) / (1 + exp(-pi sinh t))        (tanh-sinh)
    (a, oo)   y = a + exp(pi/2 sinh t)                       (exp-sinh)

after which the trapezoidal rule in t converges exponentially, also with integrable singularities at both ends. The
range is cut where it kinks or jumps (zeros of Abs, borders of Piecewise), so that every piece is smooth, and where a
density of several modes may have a narrow one, which an end of a piece does not miss. Forty digits are carried: y may
come within 1e-40 of an edge. The step is halved until two sums agree.

Source: Takahasi and Mori, Publ. RIMS 9 (1974) 721.
"""

from collections.abc import Callable, Sequence
from functools import cache

import mpmath
import sympy as sp

from symdsm.symbolic.kinks import break_candidates, centres
from symdsm.symbolic.probe import numeric

__all__ = ["DIGITS", "break_points", "integrals"]

DIGITS = 40
_REACH, _LEVELS, _TOLERANCE = 6.0, 5, mpmath.mpf(10) ** -9
_NEGLIGIBLE = mpmath.mpf(10) ** -24
_TROUBLE = (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence)


def integrals(log_f: Callable, factors: Sequence[Callable], points: Sequence) -> list | None:
    """[integral of f g for g in factors] over the range with these break points; inf where one diverges.

    None when the sums do not settle. `points` is increasing; its ends may be infinite.
    """
    points = list(points)
    if len(points) == 2 and mpmath.isinf(points[0]) and mpmath.isinf(points[1]):
        points.insert(1, mpmath.mpf(0))
    with mpmath.workdps(DIGITS):
        total = [mpmath.mpf(0)] * len(factors)
        for a, b in zip(points, points[1:], strict=False):
            piece = _piece(log_f, factors, mpmath.mpf(a), mpmath.mpf(b))
            if piece is None:
                return None
            total = [t + p for t, p in zip(total, piece, strict=True)]
        return total


def _coordinate(a, b):
    """t -> (y, dy/dt)."""
    if mpmath.isinf(a) or mpmath.isinf(b):
        end, sign = (b, -1) if mpmath.isinf(a) else (a, 1)

        def half_line(t):
            r, slope = _exp_sinh(t)
            return end + sign * r, slope

        return half_line

    def interval(t):
        q, slope = _tanh_sinh(-abs(t))
        return (a + (b - a) * q if t < 0 else b - (b - a) * q), (b - a) * slope

    return interval


@cache
def _exp_sinh(t):
    r = mpmath.exp(mpmath.pi / 2 * mpmath.sinh(t))
    return r, mpmath.pi / 2 * mpmath.cosh(t) * r


@cache
def _tanh_sinh(t):
    q = 1 / (1 + mpmath.exp(-mpmath.pi * mpmath.sinh(t)))
    return q, mpmath.pi * mpmath.cosh(t) * q * (1 - q)


def _piece(log_f, factors, a, b):
    coordinate = _coordinate(a, b)

    def terms(t):
        y, slope = coordinate(t)
        if y == a or y == b:
            return [mpmath.mpf(0)] * len(factors)
        try:
            weight = mpmath.exp(log_f(y)) * slope
            out = [weight * g(y) for g in factors]
        except _TROUBLE:
            return [mpmath.mpf(0)] * len(factors)
        return [mpmath.mpf(0) if mpmath.isnan(v) or mpmath.im(v) else mpmath.re(v) for v in out]

    step = mpmath.mpf(1) / 4
    total, ends = _both_ways(terms, step, mpmath.mpf(0))
    if any(mpmath.isinf(v) for v in total):
        return total
    endless = [max(abs(e[k]) for e in ends) > mpmath.mpf(10) ** -4 * (abs(v) * step) for k, v in enumerate(total)]
    if any(endless):
        return [mpmath.inf if infinite else v * step for infinite, v in zip(endless, total, strict=True)]
    old = [v * step for v in total]
    for _ in range(_LEVELS):
        odd, _ = _both_ways(terms, step, step / 2)
        total, step = [u + v for u, v in zip(total, odd, strict=True)], step / 2
        new = [v * step for v in total]
        if all(abs(u - v) <= _TOLERANCE * abs(u) or u == v == 0 for u, v in zip(new, old, strict=True)):
            return new
        old = new
    return None


def _both_ways(terms, step, start):
    """The sum over start + k step within the reach, and the terms at its two outer ends."""
    total, ends = None, []
    for way in (1, -1):
        t = start if way == 1 else start - step
        quiet, last = 0, None
        while abs(t) <= _REACH and quiet < 4:
            last = terms(t)
            total = last if total is None else [u + v for u, v in zip(total, last, strict=True)]
            small = all(abs(v) <= _NEGLIGIBLE * abs(u) for u, v in zip(total, last, strict=True))
            quiet = quiet + 1 if small and abs(t) > 1.5 else 0
            t += way * step
        ends.append(last)
    return total, ends


def break_points(expr: sp.Expr, variable: sp.Symbol, point: dict, low, high) -> list:
    """low, the places between low and high where expr kinks or jumps, or may have a narrow mode, high; as numbers."""
    numbers = set()
    for place in (*break_candidates(expr, variable), *centres(expr, variable)):
        try:
            value = mpmath.mpmathify(numeric(place, list(point))(*point.values()))
        except _TROUBLE:
            continue
        if mpmath.im(value) == 0 and low < value < high:
            numbers.add(mpmath.re(value))
    return [low, *sorted(numbers), high]
