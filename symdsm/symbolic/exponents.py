"""How a density and its score behave next to a point: two exponents.

Next to a point, at distance d -> 0+ (or y = 1/d at infinity), write density ~ d^q and score ~ d^r:

    q = lim d l'(d)          l = log density;  q = oo: faster than any power
    r = lim d s'(d) / s(d)   s = score

The density vanishes at the point iff q > 0 (or q = 0 and l -> -oo). The part of E s^2 next to it is

    integral d^(q + 2r + J) dd,   J = 0 at a finite point, -2 at infinity,   finite iff q + 2r + J + 1 > 0.

Leading terms (symbolic/leading.py) give both, with factors exp(E) and powers of log d, in milliseconds; where they do
not reach, the two limits are taken by SymPy, apart: combined ones lose conditions (measured on the Burr and Weibull
laws). Each symbolic value is held against the slopes of l and log|s| at d = 1e-40 and 1e-50 in 120 digits, at random
admissible parameters; where there is no symbolic value, the slopes alone are reported as seen numerically.
Source: Watson's lemma and Olver, Asymptotics and Special Functions (1974), for integrals of algebraic singularities.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import mpmath
import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.leading import Lead, d, leading, limit_of
from symdsm.symbolic.nodes import NUMERIC, LogAbs, plain

__all__ = [
    "Approach",
    "Exponents",
    "d",
    "edge_lead",
    "exponents",
    "lead_of",
    "limit_at",
    "log_slopes",
    "settle_signs",
    "thorough",
]

_SECONDS = 1.0
thorough: ContextVar[bool] = ContextVar("thorough", default=True)  # try SymPy's own limits where rules do not reach


_TROUBLE = (OutOfTime, NotImplementedError, ValueError, TypeError, AttributeError, RecursionError, sp.PoleError)


@dataclass(frozen=True)
class Approach:
    """The variable e approaches a point from one side: e = at(d), d -> 0+."""

    name: str
    at: sp.Expr
    weight: int  # J: 0 at a finite point, -2 at infinity
    point: sp.Expr

    @classmethod
    def right_of(cls, point):
        return cls(f"{point} from above", point + d, 0, point)

    @classmethod
    def left_of(cls, point):
        return cls(f"{point} from below", point - d, 0, point)

    @classmethod
    def infinity(cls, sign):
        return cls("infinity" if sign > 0 else "minus infinity", sign / d, -2, sign * sp.oo)


@dataclass(frozen=True)
class Exponents:
    """q and r as SymPy expressions in the parameters; `numeric` when only slopes at random points were seen.

    `square` is the leading term of density times score^2, None where only q and r are known.
    """

    q: sp.Expr
    r: sp.Expr | None  # None: the score is identically zero there
    lead: sp.Expr | None
    numeric: bool
    square: Lead | None = None


def settle_signs(expr: sp.Expr, points: Sequence[dict]) -> sp.Expr:
    """Resolve Abs, sign and Piecewise for d -> 0+, by their values at d = 1e-25 and random parameters."""

    def value_sign(u):
        signs = {_sign_at(u, p) for p in points}
        return signs.pop() if len(signs) == 1 else None

    def settle(e):
        if isinstance(e, sp.Piecewise):
            for value, condition in e.args:
                truth = {_truth_at(condition, p) for p in points}
                if truth == {True}:
                    return value
                if truth != {False}:
                    return e
            return e
        s = value_sign(e.args[0])
        if s is None:
            return e
        return s * e.args[0] if isinstance(e, sp.Abs) else sp.Integer(s)

    return expr.replace(lambda e: isinstance(e, (sp.Abs, sp.sign, sp.Piecewise)), settle)


def _numbers(point):
    return {s: sp.Float(v, 60) for s, v in point.items()} | {d: sp.Float("1e-25", 60)}


def _sign_at(u, point):
    value = u.xreplace(_numbers(point)).evalf(40)
    return int(sp.sign(value)) if value.is_number and value.is_real else None


def _truth_at(condition, point):
    value = condition.xreplace(_numbers(point))
    return bool(value) if value in (sp.true, sp.false) else None


def limit_at(expr: sp.Expr) -> sp.Expr | None:
    """lim_{d -> 0+}: by leading terms, else by SymPy on the simplified ratio; None when undecided."""
    try:
        quick = bounded(_SECONDS, limit_of, expr)
    except _TROUBLE:
        quick = None
    if quick is not None or not thorough.get():
        return quick
    try:
        small = bounded(_SECONDS, sp.simplify, expr)
        if d not in small.free_symbols:
            return small
        value = bounded(_SECONDS, sp.limit, small, d, 0, "+")
    except _TROUBLE:
        return None
    return None if value.has(sp.Limit, sp.nan, sp.zoo, sp.AccumBounds, d) else value


def _uncancelled(expr: sp.Expr) -> sp.Expr:
    """tanh^2 as 1 - 1/cosh^2, so that 1 - tanh^2, which is in the slope of tanh, has no cancelling leading terms."""

    def is_square(e):
        return e.is_Pow and e.exp == 2 and isinstance(e.base, sp.tanh)

    return expr.replace(is_square, lambda e: 1 - sp.cosh(e.base.args[0]) ** -2)


def exponents(log_density: sp.Expr, score: sp.Expr, variable, approach: Approach, points) -> Exponents | None:
    """q and r at one approach; None when neither limits nor slopes decide."""
    put = {variable: approach.at}
    density = settle_signs(_uncancelled(plain(log_density).xreplace(put)), points)
    field = settle_signs(_uncancelled(plain(score).xreplace(put)), points)
    slope_l, slope_s = (log_slopes(f, variable, approach, points) for f in (log_density, LogAbs(score)))
    measure, size = lead_of(sp.exp(density)), lead_of(field)
    q = _checked(_exponent(measure) if measure else limit_at(d * sp.diff(density, d)), slope_l, points)
    if field == 0 or field.is_zero or size is not None and size.c == 0:
        return None if q is None else Exponents(q[0], None, None, q[1])
    r = _checked(_exponent(size) if size else limit_at(d * sp.diff(field, d) / field), slope_s, points)
    if q is None or r is None:
        return None
    lead = size.c if size else None
    if lead is None and not r[1] and r[0].is_finite:
        lead = limit_at(field / d ** r[0])
    seen = q[1] or r[1]
    square = measure.times(size).times(size) if measure and size and not seen else None
    return Exponents(q[0], r[0], lead, seen, square)


def edge_lead(log_density, variable, approach: Approach, points) -> tuple[Lead | None, sp.Expr | None, bool]:
    """(leading term of the density, its exponent q, seen only numerically) at one approach; None where undecided."""
    density = settle_signs(_uncancelled(plain(log_density).xreplace({variable: approach.at})), points)
    lead = lead_of(sp.exp(density))
    q = _exponent(lead) if lead else limit_at(d * sp.diff(density, d))
    checked = _checked(q, log_slopes(log_density, variable, approach, points), points)
    if checked is None:
        return None, None, False
    return (None if checked[1] else lead), *checked


def lead_of(expr) -> Lead | None:
    """The leading term of expr; of its one fraction where the largest terms of a sum cancel."""
    try:
        found = bounded(_SECONDS, leading, expr)
        return found if found or not thorough.get() else bounded(_SECONDS, lambda: leading(_one_fraction(expr)))
    except _TROUBLE:
        return None


def _one_fraction(expr):
    """p/q in d and in one power w = exp(1/(m d)) where expr is rational in these; hyperbolic functions are such."""
    w = sp.Dummy("w", positive=True)
    expr = expr.rewrite([sp.tanh, sp.cosh, sp.sinh, sp.coth], sp.exp)
    rates = {e: sp.expand(e.args[0]).coeff(d, -1) for e in expr.atoms(sp.exp)}
    rates = {e: rate for e, rate in rates.items() if rate.is_Rational and rate}
    m = sp.ilcm(1, *[rate.q for rate in rates.values()])
    put = {e: sp.exp(sp.expand(e.args[0] - rate / d)) * w ** (m * rate) for e, rate in rates.items()}
    return sp.factor(sp.cancel(sp.together(expr.xreplace(put)))).xreplace({w: sp.exp(1 / (m * d))})


def _exponent(lead: Lead) -> sp.Expr | None:
    """p of c d^p exp(E), or oo (vanishes faster than any power) or -oo by the limit of E."""
    if lead.E == 0:
        return lead.p
    end = limit_of(lead.E)
    return None if end is None else sp.expand(-end) if end.is_infinite else -end


def _checked(symbolic, slopes, points) -> tuple[sp.Expr, bool] | None:
    """(value, seen only numerically): the limit if the slopes agree with it, else the slopes if they are one number."""
    if slopes is None:
        return None if symbolic is None else (symbolic, False)
    if symbolic is not None:
        if all(_close(symbolic, p, s) for p, s in zip(points, slopes, strict=True)):
            return _one_infinity(symbolic, points), False
    first = slopes[0]
    if all(abs(s - first) < 1e-6 or (abs(s) > 1e6 and s * first > 0) for s in slopes):
        value = sp.oo * sp.sign(first) if abs(first) > 1e6 else sp.nsimplify(sp.Float(first, 8), rational=True)
        return value, True
    return None


def _one_infinity(symbolic, points) -> sp.Expr:
    """oo sign(c) is oo or -oo where c has one sign at all points."""
    if not (symbolic.is_Mul and symbolic.has(sp.oo, -sp.oo)):
        return symbolic
    values = {symbolic.xreplace(_numbers(p)) for p in points}
    return values.pop() if len(values) == 1 and values <= {sp.oo, -sp.oo} else symbolic


def _close(symbolic, point, slope) -> bool:
    value = symbolic.xreplace({s: sp.Float(v, 30) for s, v in point.items()})
    if value in (sp.oo, -sp.oo):
        return slope * (1 if value == sp.oo else -1) > 5
    value = value.evalf(20)
    if not value.is_number:
        return False
    return abs(complex(value) - complex(slope)) < 0.02 * (1 + abs(complex(value)))


def log_slopes(log_f, variable, approach, points) -> list | None:
    """Slopes of log f in log d between d = 1e-40 and 1e-50, one for each parameter point."""
    symbols = sorted({s for p in points for s in p}, key=lambda s: s.name)
    at = sp.lambdify([d, *symbols], approach.at, "mpmath")
    value = sp.lambdify([variable, *symbols], log_f, [NUMERIC, "mpmath"])
    with mpmath.mp.workdps(120):
        near, far = mpmath.mpf(10) ** -50, mpmath.mpf(10) ** -40
        step = mpmath.log(far) - mpmath.log(near)

        def slope(numbers):
            return (value(at(far, *numbers), *numbers) - value(at(near, *numbers), *numbers)) / step

        out = [_safe(slope, [mpmath.mpf(p[s]) for s in symbols]) for p in points]
    return None if None in out else out


def _safe(function, *args):
    try:
        value = mpmath.re(function(*args))
    except (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence):
        return None
    return None if mpmath.isnan(value) else value
