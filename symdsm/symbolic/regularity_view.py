"""A scalar kernel as the regularity check looks at it: in one variable, with its ends and its singular points.

The variable is the declared noise e where y = g(x, e) is one to one, else y itself. With L(e) = log p(y | x) at
y = g(x, e) and f the density of e,

    f(e) score = sign(g_e) d/de exp L(e),        E h(score) = integral f(e) h(score) de,

so that edges, jumps and moments are all read in e. An end is an edge of the support, or infinity; it is a moving edge
when y is finite there and depends on the clean value.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import derivative, noise_targets
from symdsm.symbolic.exponents import Approach, limit_at, settle_signs
from symdsm.symbolic.kinks import kinks
from symdsm.symbolic.logs import exact_log
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.probe import probes

__all__ = ["Point", "View", "same_value", "view_of"]


@dataclass(frozen=True)
class Point:
    """A place of y: an end of the support (one approach) or a singular point inside (two)."""

    place: sp.Expr | None  # y there; None when it is infinite
    approaches: tuple[Approach, ...]


@dataclass(frozen=True)
class View:
    """The kernel in the variable in which it is analysed: the noise when declared, else y."""

    variable: sp.Symbol
    measure: sp.Expr  # log density of the variable
    log_density: sp.Expr  # log density of y, in the variable
    score: sp.Expr
    level_score: sp.Expr | None
    map: sp.Expr  # y in the variable
    intervals: tuple[sp.Interval, ...] | None  # the support in increasing pieces; None when it has no such form
    points: tuple[dict, ...]
    period: sp.Expr | None

    @cached_property
    def ends(self) -> list[Point]:
        """The ends of the support; none on a circle."""
        if self.period is not None or not self.intervals:
            return []
        return [self._end(i, way) for i in self.intervals for way in (1, -1)]

    def _end(self, interval, way):
        at = interval.start if way == 1 else interval.end
        if at in (sp.oo, -sp.oo):
            approach = Approach.infinity(-way)
            value = limit_at(self.map.xreplace({self.variable: approach.at}))
        else:
            approach = Approach.right_of(at) if way == 1 else Approach.left_of(at)
            value = self.map.xreplace({self.variable: at})
        infinite = value is None or value.has(sp.oo, -sp.oo, sp.zoo, sp.nan)
        return Point(None if infinite else value, (approach,))

    @cached_property
    def singular(self) -> tuple[list[Point], bool]:
        """(kinks, jumps and poles of the density strictly inside the support, whether all of them were found)."""
        found, complete = kinks(plain(self.log_density), self.variable)
        places = {_short(place) for place in found}
        inner = sorted((p for p in places if _lies_inside(p, self)), key=sp.default_sort_key)
        return [
            Point(self.map.xreplace({self.variable: p}), (Approach.left_of(p), Approach.right_of(p))) for p in inner
        ], complete

    @cached_property
    def turn(self) -> int:
        """The sign of dy/d variable."""
        slope = sp.diff(self.map, self.variable)
        if slope.is_positive or self.map == self.variable:
            return 1
        first = self.intervals[0]
        for p in self.points:
            ends = [e.xreplace({s: sp.Float(v) for s, v in p.items()}) for e in (first.start, first.end)]
            middle = sp.S.Zero if ends == [-sp.oo, sp.oo] else ends[0] + 1 if ends[1] == sp.oo else ends[1] - 1
            inside = middle if sp.oo in ends or -sp.oo in ends else (ends[0] + ends[1]) / 2
            value = slope.xreplace({self.variable: inside} | {s: sp.Float(v) for s, v in p.items()}).evalf()
            if value.is_positive or value.is_negative:
                return 1 if value.is_positive else -1
        return 1

    def at(self, expr: sp.Expr, approach: Approach) -> sp.Expr:
        """expr as a function of the distance d to the approached point."""
        return settle_signs(plain(expr).xreplace({self.variable: approach.at}), list(self.points))

    def put(self, values: dict) -> "View":
        """The same view at a parameter value, for exceptional values."""
        points = tuple({k: float(values[k].xreplace(p)) if k in values else v for k, v in p.items()}
                       for p in self.points)  # fmt: skip
        return replace(
            self, measure=self.measure.xreplace(values), log_density=self.log_density.xreplace(values), points=points
        )


def view_of(declaration: Declaration) -> View:
    """The view of a kernel without parts."""
    points = tuple(probes(declaration, 3, seed=5))
    targets = noise_targets(declaration)
    dual = declaration.level is not None and declaration.normalised is True
    if targets is not None:
        noise = declaration.noise
        slope = derivative(noise.map, noise.variable)
        log_y = noise.log_density - exact_log(sp.factor_terms(slope) if slope.is_Add else slope)
        own = (noise.variable, noise.log_density, log_y, targets[0], targets[1] if dual else None, noise.map)
        return View(*own, _intervals(noise.support), points, declaration.period)
    y, log_density = declaration.noisy, declaration.log_density
    by_level = derivative(log_density, declaration.level) if dual else None
    support = _intervals(declaration.support) or _solved(declaration.inside, y)
    return View(y, log_density, log_density, derivative(log_density, y), by_level, y, support, points,
                declaration.period)  # fmt: skip


def _intervals(support: sp.Set) -> tuple[sp.Interval, ...] | None:
    if isinstance(support, sp.Interval):
        return (support,)
    if support == sp.S.Reals:
        return (sp.Interval(-sp.oo, sp.oo),)
    if isinstance(support, sp.Union) and sp.S.Reals in support.args:
        return (sp.Interval(-sp.oo, sp.oo),)
    if isinstance(support, sp.Union) and all(isinstance(part, sp.Interval) for part in support.args):
        return tuple(sorted(support.args, key=lambda part: part.start.sort_key()))
    return None


def _solved(inside: sp.Basic, y: sp.Symbol) -> tuple[sp.Interval, ...] | None:
    """The interval of y that a conjunction of linear inequalities describes."""
    probe = next((s for s in inside.free_symbols if s.name == y.name), None)
    low, high = [], []
    for c in sp.And.make_args(inside):
        if not isinstance(c, (sp.Gt, sp.Ge, sp.Lt, sp.Le)) or probe is None:
            return None
        gap = sp.expand(c.gts - c.lts)
        slope = gap.coeff(probe, 1)
        if not gap.is_polynomial(probe) or sp.degree(gap, probe) != 1 or slope.is_nonzero is not True:
            return None
        root = sp.cancel(-gap.coeff(probe, 0) / slope)
        if slope.is_positive is None:
            return None
        (low if slope.is_positive else high).append(root)
    if len(low) > 1 or len(high) > 1:
        return None
    return (sp.Interval(*(low or [-sp.oo]), *(high or [sp.oo]), True, True),)


def same_value(a: sp.Expr, b: sp.Expr, points) -> bool:
    """a = b: as expressions, or as numbers at every point (a normaliser by quadrature has 30 digits)."""
    if sp.expand(a - b) == 0:
        return True
    for point in points:
        put = {s: sp.Float(v, 30) for s, v in point.items()}
        left, right = (e.xreplace(put).evalf(25) for e in (a, b))
        if not (left.is_number and right.is_number and abs(left - right) <= 1e-12 * (abs(left) + abs(right))):
            return False
    return bool(points)


def _short(place):
    try:
        return bounded(0.3, sp.simplify, place)
    except OutOfTime:
        return place


def _lies_inside(place, view) -> bool:
    """Real, and strictly inside the support, at some admissible parameters."""
    for point in view.points:
        put = {s: sp.Float(v, 30) for s, v in point.items()}
        value = place.xreplace(put).evalf(20)
        for interval in view.intervals or (sp.Interval(-sp.oo, sp.oo),):
            least, most = (e.xreplace(put).evalf(20) for e in (interval.start, interval.end))
            if value.is_real and least + 1e-12 < value < most - 1e-12:
                return True
    return not view.points
