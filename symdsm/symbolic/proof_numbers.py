"""The numbers by which the steps of a scalar kernel's proof are verified.

At random admissible points: derivatives of the log density by mpmath, integrals over y by the quadrature of this room
(symbolic/quadrature.py), integrals over a small range of clean values broken where the density kinks and where its
edges pass (Gauss and Legendre's rule, tanh-sinh on broken ranges). Nothing here uses the derived expressions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import mpmath
import sympy as sp

from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.probe import numeric, probes
from symdsm.symbolic.quadrature import break_points, integrals

__all__ = ["Place", "ScalarNumbers", "network"]

_DIGITS = 30
_NOISES = ("0.31", "0.77", "-0.83", "1.7", "0.12", "0.55")
_OFFSETS = ("0.37", "-0.29", "0.83", "-0.71", "0.11", "2.3")
_TROUBLE = (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence)


def network(y):
    """A bounded network, for the integrals in which one stands."""
    return mpmath.mpf("0.7") + mpmath.sin(y + mpmath.mpf("0.3")) / 2


@dataclass(frozen=True)
class Place:
    """One admissible point: the clean value with the parameters, and a noisy value."""

    given: dict
    y: mpmath.mpf


class ScalarNumbers:
    """log p, its derivatives and its integrals as numbers, where the first of the conditions that can be met holds."""

    def __init__(self, declaration: Declaration, conditions: tuple = (sp.true,)):
        self.declaration, self.conditions = declaration, conditions
        self.symbols = [declaration.clean, *declaration.params]
        self._log_p = numeric(declaration.log_density, [declaration.noisy, *self.symbols])
        self._inside = numeric(declaration.inside, [sp.Symbol(declaration.noisy.name, real=True), *self.symbols])

    @cached_property
    def points(self) -> list[dict]:
        found = probes(self.declaration, 24, seed=17)
        numbers = [{s: sp.Float(v) for s, v in p.items()} for p in found]
        for condition in self.conditions:
            fitting = [p for p, put in zip(found, numbers, strict=True) if condition.subs(put) == sp.true]
            if fitting:
                return [{s: mpmath.mpf(v) for s, v in p.items()} for p in fitting[:3]]
        return []

    @cached_property
    def places(self) -> list[Place]:
        """Two noisy values inside the support at each point."""
        return [Place(p, y) for p in self.points for y in self._inner_values(p)[:2]]

    def _inner_values(self, point) -> list:
        d = self.declaration
        if d.noise is not None:
            e, reach = d.noise.variable, _interior(d.noise.support, point, _NOISES)
            drawn = numeric(d.noise.map, [e, *self.symbols])
            candidates = [drawn(v, *point.values()) for v in reach]
        else:
            anchor = numeric(d.anchor if d.anchor is not None else sp.S.One, self.symbols)(*point.values())
            candidates = [anchor + mpmath.mpf(o) for o in _OFFSETS] + [anchor * (1 + mpmath.mpf(o)) for o in _OFFSETS]
        return [y for y in candidates if self.is_inside(y, point) and mpmath.isfinite(self.log_p(y, point))]

    def is_inside(self, y, point) -> bool:
        return not mpmath.im(y) and bool(self._inside(y, *point.values()))

    def log_p(self, y, point):
        try:
            value = mpmath.mpmathify(self._log_p(y, *point.values()))
        except _TROUBLE:
            return mpmath.nan
        return mpmath.re(value) if not mpmath.im(value) else mpmath.nan

    def p(self, y, point):
        """The density, 0 outside the support."""
        return mpmath.exp(self.log_p(y, point)) if self.is_inside(y, point) else mpmath.mpf(0)

    def slope_of_log(self, place: Place, symbol: sp.Symbol | None = None):
        """d/dy log p by mpmath, or the derivative in a parameter."""
        with mpmath.workdps(_DIGITS):
            return mpmath.diff(*self._curve(place, symbol, self.log_p))

    def slope(self, place: Place, symbol: sp.Symbol | None = None):
        """d/dy p, or the derivative of p in a parameter."""
        with mpmath.workdps(_DIGITS):
            return mpmath.diff(*self._curve(place, symbol, self.p))

    def _curve(self, place, symbol, function):
        if symbol is None:
            return (lambda v: function(v, place.given)), place.y
        return (lambda v: function(place.y, place.given | {symbol: v})), place.given[symbol]

    def integral(self, point, *factors) -> list | None:
        """[integral of p g dy for g in factors], over one period for an angle; None when it does not settle."""
        d = self.declaration
        low, high = self._range(point)
        breaks = break_points(d.log_density, d.noisy, point, low, high)
        return integrals(lambda y: self.log_p(y, point), factors, breaks)

    def _range(self, point):
        d = self.declaration
        if d.period is not None:
            half = numeric(d.period, [])() / 2
            return point[d.clean] - half, point[d.clean] + half
        ends = (numeric(e, self.symbols)(*point.values()) for e in (d.support.inf, d.support.sup))
        return tuple(mpmath.mpmathify(e) for e in ends)

    def over_noise(self, point, *factors) -> list | None:
        """[E g(e) for g in factors] over the declared noise; None without one, or when it does not settle."""
        noise, d = self.declaration.noise, self.declaration
        if noise is None or not isinstance(noise.support, (sp.Interval, type(sp.S.Reals))) or d.period is not None:
            return None
        log_f = numeric(noise.log_density, [noise.variable, *self.symbols])
        ends = (numeric(e, self.symbols)(*point.values()) for e in (noise.support.inf, noise.support.sup))
        breaks = break_points(noise.log_density, noise.variable, point, *map(mpmath.mpmathify, ends))
        return integrals(lambda e: log_f(e, *point.values()), factors, breaks)

    def noisy_of(self, e, point):
        return numeric(self.declaration.noise.map, [self.declaration.noise.variable, *self.symbols])(e, *point.values())

    def noises(self, point) -> list:
        return _interior(self.declaration.noise.support, point, _NOISES)

    def swap(self, place: Place, field: Callable, symbol: sp.Symbol | None = None) -> tuple | None:
        """(D integral r p dx, integral r p D log p dx) at one noisy value, r a smooth law on a range around x.

        D is d/dy or the derivative in a parameter, `field` gives D log p at a place. None when no admissible range
        of clean values is found.
        """
        x = self.declaration.clean
        for share in (mpmath.mpf("0.4"), mpmath.mpf("0.1"), mpmath.mpf("0.02")):
            centre = place.given[x]
            reach = share * abs(centre) if x.is_positive else share
            low, high = centre - reach, centre + reach
            ends = [self.log_p(place.y, place.given | {x: v}) for v in (low, high)]
            inside = [self.is_inside(place.y, place.given | {x: v}) for v in (low, high)]
            if all(mpmath.isfinite(v) or not here for v, here in zip(ends, inside, strict=True)):
                return self._swap(place, field, symbol, low, high)
        return None

    def _swap(self, place, field, symbol, low, high):
        x = self.declaration.clean

        def law(v):
            share = (v - low) / (high - low)
            return 6 * share * (1 - share) / (high - low)

        rough = len(self._breaks_in_x(place, low, high)) > 2
        rule = {"method": "tanh-sinh", "maxdegree": 6} if rough else {"method": "gauss-legendre", "maxdegree": 4}

        def total(of, at: Place):
            breaks = self._breaks_in_x(at, low, high)
            with mpmath.workdps(18):
                return mpmath.quad(lambda v: law(v) * of(Place(at.given | {x: v}, at.y)), breaks, **rule)

        def moved(step):
            if symbol is None:
                return Place(place.given, place.y + step)
            return Place(place.given | {symbol: place.given[symbol] + step}, place.y)

        h = mpmath.mpf("1e-4") * (high - low)
        values = [total(lambda at: self.p(at.y, at.given), moved(k * h)) for k in (-2, -1, 1, 2)]
        outer = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
        return outer, total(lambda at: p * field(at) if (p := self.p(at.y, at.given)) else p, place)

    def _breaks_in_x(self, place: Place, low, high) -> list:
        d = self.declaration
        point = {s: v for s, v in place.given.items() if s is not d.clean} | {d.noisy: place.y}
        ends = [e for e in (d.support.inf, d.support.sup) if d.clean in e.free_symbols]
        found = {low, high}
        for expr in (d.log_density, *(sp.Abs(e - d.noisy, evaluate=False) for e in ends)):
            found |= set(break_points(expr, d.clean, point, low, high))
        return sorted(found)


def _interior(support: sp.Set, point, offsets) -> list:
    """Values strictly inside an interval that may depend on the point."""
    if not isinstance(support, (sp.Interval, type(sp.S.Reals))):
        return []
    symbols = list(point)
    low, high = (mpmath.mpmathify(numeric(e, symbols)(*point.values())) for e in (support.inf, support.sup))
    if mpmath.isinf(low) and mpmath.isinf(high):
        return [mpmath.mpf(o) for o in offsets]
    if mpmath.isinf(high):
        return [low + abs(mpmath.mpf(o)) for o in offsets]
    if mpmath.isinf(low):
        return [high - abs(mpmath.mpf(o)) for o in offsets]
    return [low + (high - low) * abs(mpmath.mpf(o)) / 2 for o in offsets]
