"""A density as a fixed noise, moved and stretched: y = x + s u, x u, x s u, x e^(s u), x u^(1/s).

    f(y; x, s) |dy/du| = e^c g(u),   c free of u   =>   y = map(u) with u ~ g / Z_g,   log Z = c + log Z_g

A candidate map is not found by simplifying but by values: g is f with x and s put to where the map is the identity
(or e^u), and log f + log|dy/du| - log g must be the same number for all u, at random x, s and other parameters.
Conditions: the support moves with the map. Reference: Lehmann and Casella, Theory of Point Estimation (1998), 1.4.
"""

import random
from dataclasses import dataclass

import mpmath
import sympy as sp

from symdsm.symbolic.declaration import Noise
from symdsm.symbolic.kinks import centres
from symdsm.symbolic.probe import numeric, probes

__all__ = ["Reduction", "reduce_to_noise"]

_TROUBLE = (ArithmeticError, ValueError, TypeError, ZeroDivisionError, mpmath.libmp.NoConvergence)


@dataclass(frozen=True)
class Reduction:
    """y = map(variable); the variable has the log density `log_g` + const on `support`; log Z = shift + log Z_g."""

    variable: sp.Symbol
    map: sp.Expr
    log_g: sp.Expr
    support: sp.Set
    shift: sp.Expr

    def noise(self, log_z: sp.Expr, draw: sp.Expr | None) -> Noise:
        """The declared randomness that this density amounts to; log_z is that of g alone."""
        return Noise(self.variable, self.map, self.log_g - log_z, self.support, draw, monotone=True)


def reduce_to_noise(declaration) -> Reduction | None:
    """The first candidate map under which the noise does not depend on x, or None."""
    points = probes(declaration, 3, seed=5)
    if len(points) < 2 or not isinstance(declaration.support, (sp.Interval, type(sp.S.Reals))):
        return None
    for u, image, unit, support in _candidates(declaration):
        found = _try(declaration, u, image, unit, support, points)
        if found is not None:
            return found
    return None


def _candidates(declaration):
    """(u, map, values of x and s at which the map is plain, support of u)."""
    x, y = declaration.clean, declaration.noisy
    log_density, support = declaration.log_density, declaration.support
    scales = [s for s in declaration.params if s.is_positive and s in log_density.free_symbols]
    z, r = sp.Symbol("_z", real=True), sp.Symbol("_r", positive=True)
    half = isinstance(support, sp.Interval) and support.start == 0 and support.end == sp.oo
    if half:
        for s in scales:
            if not x.is_positive:
                yield z, sp.exp(x + s * z), {x: 0, s: 1}, sp.S.Reals
                continue
            yield z, x * sp.exp(s * z), {x: 1, s: 1}, sp.S.Reals
            yield r, x * r ** (1 / s), {x: 1, s: 1}, support
            yield r, x * s * r, {x: 1, s: 1}, support
        if x.is_positive:
            yield r, x * r, {x: 1}, support
        return
    if x.is_positive and support != sp.S.Reals and x in support.free_symbols:
        stretched = support.xreplace({x: sp.S.One})
        yield (
            (r if stretched.inf.is_nonnegative else z),
            x * (r if stretched.inf.is_nonnegative else z),
            {x: 1},
            stretched,
        )
    for s in [*scales, None]:
        unit = {x: 0} if s is None else {x: 0, s: 1}
        start = support if support == sp.S.Reals else support.xreplace({k: sp.Integer(v) for k, v in unit.items()})
        if start is sp.S.EmptySet or start.free_symbols & {x, y}:
            continue
        u = r if start.inf.is_nonnegative else z
        yield u, x + (u if s is None else s * u), unit, start


def _try(declaration, u, image, unit, support, points):
    x, y = declaration.clean, declaration.noisy
    unit = {k: sp.Integer(v) for k, v in unit.items()}
    plain_map = image.xreplace(unit)
    slope = sp.log(sp.diff(image, u))
    log_g = declaration.log_density.xreplace({**unit, y: plain_map}) + slope.xreplace(unit)
    if log_g.has(sp.nan, sp.zoo, sp.oo) or x in log_g.free_symbols:
        return None
    if not _moves_with(declaration.support, support, image, u):
        return None
    symbols = [x, *declaration.params]
    difference = declaration.log_density.xreplace({y: image}) + slope - log_g
    gap = numeric(difference, [u, *symbols])
    places = numeric(sp.Tuple(*centres(difference, u)), symbols)
    rng = random.Random(3)
    for p in points:
        try:
            ends = [numeric(e, symbols)(*p.values()) for e in (support.inf, support.sup)]
            values = [mpmath.mpmathify(gap(_inside(ends, rng), *p.values())) for _ in range(4)]
            values += _finite_at(gap, places(*map(mpmath.mpf, p.values())), ends, p)
        except _TROUBLE:
            return None
        if any(abs(v - values[0]) > 1e-10 * (1 + abs(v)) or not mpmath.isfinite(v) for v in values):
            return None
    shift = _shift(difference, u, support)
    return None if shift is None else Reduction(u, image, log_g, support, shift)


def _finite_at(gap, places, ends, point) -> list:
    """The values at the places inside the ends where a narrow term would show; those that are numbers."""
    found = []
    with mpmath.workdps(40):
        for place in map(mpmath.mpmathify, places):
            if not mpmath.im(place) and ends[0] < place < ends[1]:
                try:
                    value = mpmath.mpmathify(gap(place, *map(mpmath.mpf, point.values())))
                except _TROUBLE:
                    continue
                found += [value] if mpmath.isfinite(value) else []
    return found


def _moves_with(support, base, image, u) -> bool:
    if support == sp.S.Reals or (base.inf.is_infinite and base.sup.is_infinite):
        return True
    for end, own in ((support.inf, base.inf), (support.sup, base.sup)):
        if own.is_infinite and end.is_infinite:
            continue
        if own.is_infinite or end.is_infinite or sp.expand(image.xreplace({u: own}) - end) != 0:
            return False
    return True


def _inside(ends, rng):
    low, high = (float(mpmath.re(mpmath.mpmathify(e))) for e in ends)
    if low == -mpmath.inf and high == mpmath.inf:
        return rng.gauss(0.0, 1.5)
    if high == mpmath.inf:
        return low + rng.gammavariate(1.5, 1.0)
    return low + (high - low) * rng.random() if low != -mpmath.inf else high - rng.gammavariate(1.5, 1.0)


def _shift(gap, u, support):
    """The number that the gap is for all u, as an expression: at u = 0 or 1, or where that is inside."""
    low, high = support.inf, support.sup
    middle = [(low + high) / 2] if low.is_finite and high.is_finite else []
    beside = [low + 1] if low.is_finite else [high - 1] if high.is_finite else []
    known = [at for at in (sp.S.Zero, sp.S.One) if support.contains(at) is sp.true]
    for at in [*known, *middle, *beside]:
        value = sp.expand_log(sp.expand(gap.xreplace({u: at})))
        if not value.has(sp.nan, sp.zoo, sp.oo, sp.log(0)) and value.is_finite is not False:
            return value
    return None
