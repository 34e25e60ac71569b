"""Where a kernel lives: sets for people, Booleans for code, and a point inside for safe evaluation."""

import math

import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded

__all__ = ["image", "in_brackets", "inside_of", "inside_set", "interior_point", "places_in", "tidy"]

_SECONDS = 3.0


def inside_of(support: sp.Set, value: sp.Expr) -> sp.Basic:
    """`value` lies in the support of the noise, as a Boolean."""
    if support == sp.S.Reals:
        return sp.true
    if isinstance(support, sp.Interval):
        low, high = support.start, support.end
        above = sp.true if low == -sp.oo or value.is_positive and low == 0 else _beyond(value, low, support.left_open)
        below = sp.true if high == sp.oo else _beyond(high, value, support.right_open)
        return sp.And(above, below)
    return support.contains(value)


def _beyond(larger, smaller, strict):
    return sp.Gt(larger, smaller) if strict else sp.Ge(larger, smaller)


def inside_set(support: sp.Set, symbol: sp.Symbol) -> sp.Basic:
    return inside_of(support, symbol) if isinstance(support, sp.Interval) else support.contains(symbol)


def tidy(condition: sp.Basic) -> sp.Basic:
    """Drop positive factors and logarithms from comparisons with zero: y/x > 0 becomes y > 0 when x > 0.

    Beside y > 0 what follows from it goes, such as y**-2 > 0.
    """
    if isinstance(condition, sp.Or):
        return sp.Or(*map(tidy, condition.args))
    if isinstance(condition, sp.And):
        parts = [tidy(c) for c in condition.args]
        signs = [p for p in parts if isinstance(p, sp.Gt) and p.lhs.is_Symbol and p.rhs == 0]
        positive = {p.lhs: sp.Dummy(positive=True) for p in signs}
        return sp.And(*(p for p in parts if p in signs or p.xreplace(positive) is not sp.true))
    if isinstance(condition, (sp.Gt, sp.Ge, sp.Lt, sp.Le)):
        return _tidy_relation(condition)
    return condition


def _tidy_relation(relation):
    relation = relation if isinstance(relation, (sp.Gt, sp.Ge)) else relation.reversed
    larger, smaller = relation.lhs, relation.rhs
    if smaller != 0 and larger != 0:
        return _scale_out(relation, larger, smaller)
    if larger == 0:
        return relation
    kept = [f for f in sp.Mul.make_args(larger) if not f.is_positive]
    rest = sp.Mul(*kept)
    if rest.is_Pow and rest.base is not sp.E and (rest.exp.is_positive or rest.exp == -1) and relation.func is sp.Gt:
        return tidy(sp.Gt(rest.base, 0))
    if isinstance(rest, sp.log):
        return tidy(relation.func(rest.args[0], 1))
    return relation.func(rest, 0)


def _scale_out(relation, larger, smaller):
    """a/b > 1 with b > 0 becomes a > b, and a + c > c becomes a > 0 (which a tiny a does not lose)."""
    if smaller.is_Number and larger.is_Add and larger.as_coeff_Add()[0] == smaller:
        return tidy(relation.func(larger - smaller, 0))
    numerator, denominator = sp.fraction(larger)
    if smaller == 1 and denominator.is_positive and denominator is not sp.S.One:
        return relation.func(numerator, denominator)
    numerator, denominator = sp.fraction(smaller)
    if larger == 1 and denominator.is_positive and denominator is not sp.S.One:
        return relation.func(denominator, numerator)
    return relation


def interior_point(support: sp.Set) -> sp.Expr | None:
    """A point well inside an interval; None when the set is not one."""
    if support == sp.S.Reals:
        return sp.S.Zero
    if isinstance(support, sp.ConditionSet):
        return None
    if not isinstance(support, sp.Interval):
        parts = [interior_point(s) for s in getattr(support, "args", ()) if isinstance(s, sp.Set)]
        return next((p for p in parts if p is not None), None)
    low, high = support.start, support.end
    if low == -sp.oo:
        return high - 1
    return low + 1 if high == sp.oo else low + sp.Rational(2, 5) * (high - low)


def places_in(support: sp.Set) -> list[float]:
    """Numbers spread over an interval, some far from its middle; none in other sets."""
    if not isinstance(support, sp.Interval) or support.free_symbols:
        return []
    low, high = float(support.start), float(support.end)
    if math.isinf(low) and math.isinf(high):
        return [-3.0, -1.0, 0.5, 2.0]
    if math.isinf(low) or math.isinf(high):
        return [high - d if math.isinf(low) else low + d for d in (0.05, 0.7, 4.0)]
    return [low + share * (high - low) for share in (0.05, 0.5, 0.95)]


def in_brackets(support: sp.Set) -> str:
    """The set as people write it: (0, 1) for an open interval."""
    if isinstance(support, sp.Union):
        return " or ".join(in_brackets(part) for part in support.args)
    if not isinstance(support, sp.Interval):
        return "the line" if support == sp.S.Reals else sp.sstr(support)
    left, right = "(" if support.left_open else "[", ")" if support.right_open else "]"
    return f"{left}{support.start}, {support.end}{right}"


def image(g, variable, support, symbol, inside, monotone) -> sp.Set:
    """The image of the noise's support under g, as an Interval when g is monotone; else by its condition."""
    try:
        found = bounded(_SECONDS, _image, g, variable, support, symbol, inside, monotone)
    except OutOfTime:  # e to the e to the e .., compared with another number
        found = None
    return sp.ConditionSet(symbol, inside, sp.S.Reals) if found is None else found


def _image(g, variable, support, symbol, inside, monotone) -> sp.Set | None:
    if inside is sp.true:
        return sp.S.Reals
    if monotone and isinstance(support, sp.Interval):
        ends = [_end(g, variable, end, side) for end, side in ((support.start, "+"), (support.end, "-"))]
        ordered = _ordered(ends, sp.diff(g, variable))
        if ordered is not None:
            low, high = ordered
            return sp.Interval(low, high, True, True)
    if inside.free_symbols == {symbol}:
        return inside.as_set()
    return None


def _end(g, variable, end, side):
    if end.is_finite:
        value = g.xreplace({variable: end})
        if value.is_finite is not False and not value.has(sp.nan, sp.zoo, sp.oo):
            return value
    try:
        return bounded(1.0, sp.limit, g, variable, end, side if end.is_finite else "-")
    except (OutOfTime, NotImplementedError):  # SymPy does not know a sign
        return None


def _ordered(ends, slope):
    low, high = ends
    if low is None or high is None or any(v.has(sp.Limit, sp.nan, sp.zoo) for v in ends):
        return None
    if slope.is_positive or low == -sp.oo or high == sp.oo or (high - low).is_positive:
        return low, high
    if slope.is_negative or low == sp.oo or high == -sp.oo or (high - low).is_negative:
        return high, low
    return None
