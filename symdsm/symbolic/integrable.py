"""Is E field^2 finite next to a point, and under which parameters?

With density ~ c d^q exp(E) and field ~ b d^r exp(G) at distance d (symbolic/exponents.py),

    integral d^(q + 2r + J) (-log d)^m exp(E + 2G) dd < oo

iff E + 2G -> -oo, or E + 2G = 0 and q + 2r + J + 1 > 0 (or = 0 and m < -1), or the field's coefficient b vanishes,
so that a weaker term rules: gamma speckle is finite for L > 2, and at L = 1. Those values are found as the roots of b.
"""

from typing import NamedTuple

import sympy as sp

from symdsm.symbolic.exponents import d, exponents, limit_at, log_slopes
from symdsm.symbolic.leading import Lead, leading
from symdsm.symbolic.nodes import LogAbs

__all__ = ["Finite", "finite_at", "positive"]


def positive(q: sp.Expr) -> sp.Basic | None:
    """q > 0 as a Boolean, solved for a single symbol where q is linear in it."""
    if q in (sp.oo, -sp.oo):
        return sp.true if q == sp.oo else sp.false
    if q.is_Mul and q.has(sp.oo):
        (q,) = [f.args[0] for f in q.args if isinstance(f, sp.sign)] or [q]
    q = sp.factor_terms(sp.cancel(sp.together(q)))
    if q is sp.nan or q.is_real is False:
        return None
    if q.is_positive:
        return sp.true
    if q.is_nonpositive:
        return sp.false
    numerator, denominator = sp.fraction(sp.together(q))
    if not denominator.is_positive:
        return sp.Gt(q, 0)
    for symbol in sorted(q.free_symbols, key=lambda s: s.name):
        a, b = numerator.coeff(symbol, 1), numerator.coeff(symbol, 0)
        if sp.expand(a * symbol + b - numerator) == 0 and (a.is_positive or a.is_negative):
            bound = sp.factor_terms(sp.cancel(-b / a))
            return sp.Gt(symbol, bound) if a.is_positive else sp.Lt(symbol, bound)
    return sp.Gt(q, 0)


class Finite(NamedTuple):
    """When E field^2 is finite next to a point (None: undecided), whether that was only seen numerically, and the
    values of a parameter, outside `when`, at which it may be finite too."""

    when: sp.Basic | None
    seen: bool
    undecided: tuple[sp.Basic, ...] = ()


def finite_at(view, field, approach) -> Finite:
    """When E field^2 is finite next to the approach."""
    found = exponents(view.measure, field, view.variable, approach, view.points)
    if found is None:
        return Finite(None, False)
    if found.r is None:
        return Finite(sp.true, found.numeric)
    if found.square is not None:
        when = _integrable(found.square, approach)
        if when is not None:
            return _with_exceptions(when, False, view, field, approach, found)
    if found.q == sp.oo and found.r.is_finite:
        return Finite(sp.true, found.numeric)
    if found.q == sp.oo and found.r == -sp.oo:
        when, seen = _compare_rates(view, field, approach)
        return Finite(when, seen or found.numeric)
    when = positive(found.q + 2 * found.r + approach.weight + 1)
    return _with_exceptions(when, found.numeric, view, field, approach, found)


def _integrable(square: Lead, approach) -> sp.Basic | None:
    """The integral of c d^p (-log d)^m exp(E) d^J next to d = 0 is finite; None where a sign is not decided."""
    if square.E != 0:
        rate = leading(square.E)
        return None if rate is None or not rate.p.is_negative and not rate.E else positive(-rate.c)
    total = sp.expand(square.p + approach.weight + 1)
    if total == 0:
        return sp.true if square.m < -1 else sp.false
    return positive(total)


def _compare_rates(view, field, approach):
    """Both infinite: the sum d l' + 2 d s'/s decides. Returns (condition, seen numerically)."""
    density, s = (view.at(e, approach) for e in (view.measure, field))
    total = limit_at(d * sp.diff(density, d) + 2 * d * sp.diff(s, d) / s)
    if total is None:
        slopes = log_slopes(view.measure + 2 * LogAbs(field), view.variable, approach, view.points)
        return (sp.true, True) if slopes and all(slope > 5 for slope in slopes) else (None, False)
    return positive(total), False


def _with_exceptions(when, seen, view, field, approach, found) -> Finite:
    if when is None or when is sp.true:
        return Finite(when, seen)
    finite, undecided = _exceptions(view, field, approach, found)
    total = sp.Or(when, *finite)
    return Finite(total, seen, tuple(e for e in undecided if total.subs(e.lhs, e.rhs) != sp.true))


def _exceptions(view, field, approach, found) -> tuple[list[sp.Basic], list[sp.Basic]]:
    """Eq(symbol, root) for each root of the field's leading coefficient at which the second moment is finite, and for
    those at which this is undecided."""
    if found.lead is None or not found.lead.free_symbols:
        return [], []
    out, undecided = [], []
    for factor in sp.Mul.make_args(sp.factor(sp.fraction(sp.together(found.lead))[0])):
        for symbol in sorted(factor.free_symbols, key=lambda q: q.name):
            if not factor.is_polynomial(symbol) or sp.degree(factor, symbol) != 1:
                continue
            root = sp.factor_terms(sp.cancel(-factor.coeff(symbol, 0) / factor.coeff(symbol, 1)))
            if root.is_positive is not True and symbol.is_positive or root.is_real is False:
                continue
            special = view.put({symbol: root})
            own = sp.factor_terms(field.xreplace({symbol: root}))
            if (special.measure + own).has(sp.zoo, sp.nan, sp.oo, -sp.oo):
                continue
            when = finite_at(special, own, approach).when
            if when is None:
                undecided.append(sp.Eq(symbol, root))
            elif when is not sp.false:
                out.append(sp.And(sp.Eq(symbol, root), when))
                break
    return out, undecided
