"""Is denoising score matching valid for this kernel? Conditions, one by one.

The identity  D log q(y) = E[D log p(y | x) | y]  (Vincent 2011), D = d/dy or d/dlevel, needs

    edges       the support does not move with x, or p vanishes at the moving edge
    jumps       p has no jump at a place that moves with x (kinks are fine)
    variance    E score^2 finite: not needed for the identity, but for a usable regression target
    level       for D = d/dlevel: the same with the level in place of x, and a known normaliser

Each is decided from the exponents of the density and the score next to the edges, infinity and inner singular
points (symbolic/exponents.py). When y = g(x, e) is declared, everything is computed in the noise e, where
E score^2 = integral f(e) s(e)^2 de. A mixture inherits the conditions of its parts (Jensen: the squared score of a
mixture is at most the softmax average of the parts').

Sources: Vincent, Neural Computation 23 (2011); Hyvarinen, CSDA 51 (2007), for the boundary terms.
"""

from dataclasses import dataclass
from functools import singledispatch

import sympy as sp

from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import derivative, noise_targets
from symdsm.symbolic.exponents import Approach, d, exponents, limit_at, log_slopes, settle_signs
from symdsm.symbolic.findings import Finding, Regularity, tidy_boolean
from symdsm.symbolic.kinks import kinks
from symdsm.symbolic.leading import Lead, leading
from symdsm.symbolic.logs import exact_log
from symdsm.symbolic.nodes import LogAbs, plain
from symdsm.symbolic.probe import probes

__all__ = ["Finding", "Regularity", "check_regularity"]


@dataclass(frozen=True)
class _View:
    """The kernel in the variable in which it is analysed: the noise when declared, else y."""

    variable: sp.Symbol
    measure: sp.Expr  # log density of the variable
    log_density: sp.Expr  # log density of y, in the variable
    score: sp.Expr
    level_score: sp.Expr | None
    place: sp.Expr  # y in the variable
    support: sp.Set
    points: list


@singledispatch
def check_regularity(declaration: Declaration) -> Regularity:
    """Decide each condition of a scalar kernel; other kinds of declarations register their own rule."""
    if declaration.parts:
        return _join([check_regularity(part) for part, _ in declaration.parts], declaration)
    view = _view(declaration)
    findings = [*_edges(declaration, view), *_inner(declaration, view), *_variance(declaration, view)]
    findings += _level(declaration, view)
    return Regularity(tuple(findings), declaration.clean, declaration.level, declaration.params)


def _view(declaration: Declaration) -> _View:
    points = probes(declaration, 3, seed=5)
    targets = noise_targets(declaration)
    dual = declaration.level is not None and declaration.normalised is True
    if targets is not None:
        noise = declaration.noise
        slope = derivative(noise.map, noise.variable)
        log_y = noise.log_density - exact_log(sp.factor_terms(slope) if slope.is_Add else slope)
        return _View(
            noise.variable,
            noise.log_density,
            log_y,
            targets[0],
            targets[1] if dual else None,
            noise.map,
            noise.support,
            points,
        )
    y, log_density = declaration.noisy, declaration.log_density
    by_level = derivative(log_density, declaration.level) if dual else None
    return _View(y, log_density, log_density, derivative(log_density, y), by_level, y, declaration.support, points)


def _ends(declaration, view) -> list[Approach]:
    if not isinstance(view.support, sp.Interval) or declaration.period is not None:
        return []
    low, high = view.support.start, view.support.end
    left = Approach.infinity(-1) if low == -sp.oo else Approach.right_of(low)
    right = Approach.infinity(+1) if high == sp.oo else Approach.left_of(high)
    return [left, right]


def _edge_place(view, approach) -> sp.Expr | None:
    """Where y is when the variable reaches the approach: None when it is infinite."""
    if approach.point.is_finite is False:
        value = limit_at(view.place.xreplace({view.variable: approach.at}))
        return None if value is None or value.has(sp.oo, -sp.oo) else value
    value = view.place.xreplace({view.variable: approach.point})
    return None if value.has(sp.oo, sp.zoo, sp.nan) else value


def _edges(declaration, view) -> list[Finding]:
    x = declaration.clean
    if not isinstance(view.support, sp.Interval):
        return [Finding("edges", "unknown", None, f"the support {view.support} is not an interval")]
    ends = [(a, _edge_place(view, a)) for a in _ends(declaration, view)]
    moving = [(a, place) for a, place in ends if place is not None and x in place.free_symbols]
    if not moving:
        shown = "the whole circle" if declaration.period is not None else str(declaration.support)
        return [Finding("edges", "proven", sp.true, f"the support, {shown}, does not move with {x}")]
    return [_moving_edge(view, a, place, x, "edges") for a, place in moving]


def _moving_edge(view, approach, place, symbol, row) -> Finding:
    found = exponents(view.log_density, view.score, view.variable, approach, view.points)
    if found is None:
        return Finding(row, "unknown", None, f"how fast the density vanishes at the moving edge {place} is undecided")
    when = _positive(found.q)
    verdict = "seen numerically" if found.numeric else _verdict(when)
    if when is sp.true:
        text = f"the edge {place} moves with {symbol}, but the density vanishes there"
    elif when is sp.false:
        text = f"the edge {place} moves with {symbol} and the density does not vanish there"
    else:
        text = f"the edge {place} moves with {symbol}; the density vanishes there iff {when}"
    return Finding(row, verdict, when, text)


def _verdict(when) -> str:
    return "proven" if when is sp.true else "fails" if when is sp.false else "holds if"


def _positive(q: sp.Expr) -> sp.Basic:
    """q > 0 as a Boolean, solved for a single symbol where q is linear in it."""
    if q == sp.oo:
        return sp.true
    if q == -sp.oo:
        return sp.false
    if q.is_Mul and q.has(sp.oo):
        (q,) = [f.args[0] for f in q.args if isinstance(f, sp.sign)] or [q]
    q = sp.factor_terms(sp.cancel(sp.together(q)))
    if q is sp.nan:
        return None
    if q.is_positive:
        return sp.true
    if q.is_nonpositive:
        return sp.false
    free = sorted(q.free_symbols, key=lambda s: s.name)
    for symbol in free:
        numerator, denominator = sp.fraction(sp.together(q))
        if not denominator.is_positive:
            continue
        a, b = numerator.coeff(symbol, 1), numerator.coeff(symbol, 0)
        if sp.expand(a * symbol + b - numerator) == 0 and (a.is_positive or a.is_negative):
            bound = sp.simplify(-b / a)
            relation = sp.Gt(symbol, bound) if a.is_positive else sp.Lt(symbol, bound)
            return relation
    return sp.Gt(q, 0)


def _inner(declaration, view) -> list[Finding]:
    """Jumps of the density at inner singular points."""
    findings = []
    for point in _singular_points(view):
        place = view.place.xreplace({view.variable: point})
        sides = [
            limit_at(_settled(view.log_density, view, a)) for a in (Approach.left_of(point), Approach.right_of(point))
        ]
        if None in sides:
            findings.append(
                Finding("jumps", "unknown", None, f"the two limits of the density at {place} are undecided")
            )
        elif sp.simplify(sides[0] - sides[1]) != 0 and sides[0] != sides[1]:
            moves = declaration.clean in place.free_symbols
            text = f"the density jumps at {place}" + (", which moves with the clean value" if moves else "")
            findings.append(Finding("jumps", "fails" if moves else "proven", sp.false if moves else sp.true, text))
        else:
            findings.append(
                Finding("jumps", "proven", sp.true, f"the density is continuous at {place} (a kink at most)")
            )
    return findings or [Finding("jumps", "proven", sp.true, "the density has no jump inside its support")]


def _settled(expr, view, approach):
    return settle_signs(plain(expr).xreplace({view.variable: approach.at}), view.points)


def _singular_points(view) -> list[sp.Expr]:
    found = {sp.simplify(place) for place in kinks(plain(view.log_density), view.variable)}
    return sorted((p for p in found if _lies_inside(p, view)), key=sp.default_sort_key)


def _lies_inside(place, view) -> bool:
    """Real, and strictly inside the support, at some admissible parameters."""
    low, high = (view.support.start, view.support.end) if isinstance(view.support, sp.Interval) else (-sp.oo, sp.oo)
    for point in view.points:
        put = {s: sp.Float(v, 30) for s, v in point.items()}
        value, least, most = (e.xreplace(put).evalf(20) for e in (place, low, high))
        if value.is_real and least + 1e-12 < value < most - 1e-12:
            return True
    return not view.points


def _variance(declaration, view) -> list[Finding]:
    return _second_moment(declaration, view, view.score, "variance", "E score^2")


def _second_moment(declaration, view, field, row, name) -> list[Finding]:
    """E field^2 is finite next to every end and inner singular point."""
    inner = [a for p in _singular_points(view) for a in (Approach.left_of(p), Approach.right_of(p))]
    approaches = [*_ends(declaration, view), *inner]
    if declaration.period is None and not approaches:
        return [Finding(row, "unknown", None, f"{name} was not decided on the support {view.support}")]
    conditions, numeric, undecided = [], False, []
    for approach in approaches:
        when, seen = _finite_at(view, field, approach)
        numeric |= seen
        if when is None:
            undecided.append(approach.name)
        else:
            conditions.append(when)
    total = tidy_boolean(sp.And(*conditions))
    if undecided and total is not sp.false:
        return [Finding(row, "unknown", None, f"{name} next to {', '.join(undecided)} is undecided")]
    if total is sp.true:
        return [Finding(row, "seen numerically" if numeric else "proven", sp.true, f"{name} is finite")]
    if total is sp.false:
        return [Finding(row, "seen numerically" if numeric else "fails", sp.false, f"{name} is infinite")]
    return [Finding(row, "seen numerically" if numeric else "holds if", total, f"{name} is finite iff {total}")]


def _finite_at(view, field, approach) -> tuple[sp.Basic | None, bool]:
    found = exponents(view.measure, field, view.variable, approach, view.points)
    if found is None:
        return None, False
    if found.r is None:
        return sp.true, found.numeric
    if found.square is not None:
        when = _integrable(found.square, approach)
        if when is not None and when is not sp.true:
            when = sp.Or(when, *_exceptions(view, field, approach, found))
        if when is not None:
            return when, False
    if found.q == sp.oo and found.r.is_finite:
        return sp.true, found.numeric
    if found.q == sp.oo and found.r == -sp.oo:
        when, seen = _compare_rates(view, field, approach)
        return when, seen or found.numeric
    when = _positive(found.q + 2 * found.r + approach.weight + 1)
    return sp.Or(when, *_exceptions(view, field, approach, found)), found.numeric


def _integrable(square: Lead, approach) -> sp.Basic | None:
    """The integral of c d^p (-log d)^m exp(E) d^J next to d = 0 is finite; None where a sign is not decided."""
    if square.E != 0:
        rate = leading(square.E)
        return None if rate is None or not rate.p.is_negative and not rate.E else _positive(-rate.c)
    total = sp.expand(square.p + approach.weight + 1)
    if total == 0:
        return sp.true if square.m < -1 else sp.false
    return _positive(total)


def _compare_rates(view, field, approach):
    """Both infinite: the sum d l' + 2 d s'/s decides (Gumbel's left tail). Returns (condition, seen numerically)."""
    density, s = (_settled(e, view, approach) for e in (view.measure, field))
    total = limit_at(d * sp.diff(density, d) + 2 * d * sp.diff(s, d) / s)
    if total is None:
        slopes = log_slopes(view.measure + 2 * LogAbs(field), view.variable, approach, view.points)
        return (sp.true, True) if slopes and all(slope > 5 for slope in slopes) else (None, False)
    poles = sp.fraction(sp.together(sp.Mul(*[f.args[0] for f in sp.Mul.make_args(total) if isinstance(f, sp.sign)])))[1]
    lead = sp.Mul(*[f for f in sp.Mul.make_args(sp.factor(s)) if d not in f.free_symbols])
    zeros = sp.fraction(sp.together(lead))[0]
    symbols = poles.free_symbols | zeros.free_symbols & total.free_symbols
    roots = _at_roots(view, field, approach, poles * zeros, symbols)
    return sp.Or(_positive(total), *roots), False


def _exceptions(view, field, approach, found) -> list[sp.Basic]:
    """Parameter values at which the leading coefficient of the score vanishes, so that a weaker term rules."""
    if found.lead is None or not found.lead.free_symbols:
        return []
    numerator = sp.fraction(sp.together(found.lead))[0]
    symbols = found.lead.free_symbols - {view.variable}
    return _at_roots(view, field, approach, numerator, symbols)


def _at_roots(view, field, approach, numerator, symbols) -> list[sp.Basic]:
    """Eq(symbol, root) for each root of `numerator` at which the second moment is finite."""
    out = []
    factors = sp.Mul.make_args(sp.factor(numerator))
    for symbol, factor in ((q, f) for q in sorted(symbols, key=lambda q: q.name) for f in factors):
        if not factor.is_polynomial(symbol) or sp.degree(factor, symbol) != 1:
            continue
        value = sp.simplify(-factor.coeff(symbol, 0) / factor.coeff(symbol, 1))
        if value.free_symbols or value.is_positive is False and symbol.is_positive:
            continue
        put = {symbol: value}
        points = [{k: (float(value) if k == symbol else v) for k, v in p.items()} for p in view.points]
        special = _View(
            view.variable,
            view.measure.xreplace(put),
            view.log_density,
            field,
            None,
            view.place,
            view.support,
            points,
        )
        when, _ = _finite_at(special, sp.factor_terms(field.xreplace(put)), approach)
        if when is sp.true:
            out.append(sp.Eq(symbol, value))
    return out


def _level(declaration, view) -> list[Finding]:
    lam = declaration.level
    if lam is None:
        return []
    if declaration.normalised is not True:
        return [Finding("level", "fails", sp.false, "the normaliser is not known, and it may depend on the level")]
    findings = []
    for approach in _ends(declaration, view):
        place = _edge_place(view, approach)
        if place is not None and lam in place.free_symbols:
            findings.append(_moving_edge(view, approach, place, lam, "level"))
    return findings + _second_moment(declaration, view, view.level_score, "level", "E level_score^2")


def _join(parts: list[Regularity], declaration) -> Regularity:
    findings = [
        Finding(f.row, f.verdict, f.when, f"part {k + 1}: {f.reason}")
        for k, part in enumerate(parts)
        for f in part.findings
    ]
    return Regularity(tuple(findings), declaration.clean, declaration.level, declaration.params)
