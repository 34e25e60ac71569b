"""What a check tells besides validity: E[score | x], shrinking noise, the boundary term of implicit score matching.

    E[score | x] = sum over the pieces of p of  p(upper end) - p(lower end)

since score p = p'. It is zero where p vanishes at all ends: a control variate for free. For gamma speckle it is -1/x
at L = 1, for a folded normal -0.80/x, though the identity holds for both; subtracted, score - E[score | x] is a
control variate again. The value is compared with quadrature before it is given.

    shrinks     the noise goes to a point as the level goes to one of its ends: annealing ends at the data; so it does
                where y = x + h(level) u with a law of u that does not depend on the level
    boundary    p score = p' -> 0 at the ends: needed when implicit score matching integrates by parts (Hyvarinen 2007)
"""

import mpmath
import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.derive import derivative
from symdsm.symbolic.exponents import edge_lead, lead_of
from symdsm.symbolic.findings import Finding
from symdsm.symbolic.integrable import positive
from symdsm.symbolic.leading import leading, tends_to
from symdsm.symbolic.probe import numeric, probes
from symdsm.symbolic.quadrature import break_points
from symdsm.symbolic.regularity_view import same_value

__all__ = ["boundary", "mean_of_score", "shrinks"]

_CHECKS = 1
_PLACES = (0.375, -0.375, 1.25)
_POWERS = (sp.S.One, sp.S.Half, sp.S.NegativeOne, -sp.S.Half)
_TROUBLE = (ArithmeticError, MemoryError, ValueError, TypeError, OutOfTime, mpmath.libmp.NoConvergence)


def mean_of_score(declaration, view) -> Finding:
    """E[score | x] from the edge terms, checked by quadrature."""
    total, need = sp.S.Zero, []
    for signed in _signed_approaches(view):
        values = []
        for _, approach in signed:
            lead, _, numeric_only = edge_lead(view.log_density, view.variable, approach, view.points)
            if lead is None or numeric_only:
                return Finding("mean", "unknown", None, f"the density next to {approach.name} is undecided")
            value, when = _edge_value(lead)
            if when is sp.false:
                return Finding("mean", "fails", sp.false, f"E|score| is infinite: the density is so at {approach.name}")
            need.append(when)
            values.append(value)
        if len(values) == 1 or not same_value(*values, view.points):
            total += sp.Add(*[sign * value for (sign, _), value in zip(signed, values, strict=True)])
    total, condition = sp.piecewise_fold(view.turn * total), sp.And(*need)
    compared = _compared(declaration, view, total, condition)
    if compared == 0:
        return Finding("mean", "unknown", None, "no admissible parameters were found at which to check it")
    if compared is None:
        return Finding("mean", "unknown", None, "the value from the edges disagreed with quadrature")
    text = f"E[score | x] = {sp.sstr(total)}" + ("" if condition is sp.true else f", for {sp.sstr(condition)}")
    return Finding("mean", "proven", condition, f"{text} (from the edges; quadrature agrees)", value=total)


def _signed_approaches(view):
    """((+1 at upper ends, -1 at lower ones), approach) of every end, and both sides of every singular point."""
    for k, point in enumerate(view.ends):
        yield [(-1 if k % 2 == 0 else 1, point.approaches[0])]
    for point in view.singular[0]:
        yield list(zip((1, -1), point.approaches, strict=True))


def _edge_value(lead):
    """(the density's limit, when it is finite), as expressions in the parameters."""
    end = tends_to(lead)
    if end is not None and end.has(sp.oo):
        return None, sp.false
    if end is not None:
        return end, sp.true
    if lead.E != 0:
        rate = leading(lead.E)
        when = None if rate is None else positive(-rate.c)
        return (sp.S.Zero, when) if when is not None else (None, sp.false)
    above = positive(lead.p)
    if lead.m != 0 or not isinstance(above, (sp.Gt, sp.Lt)):
        return sp.S.Zero, above
    symbol, at = above.lhs, above.rhs
    if at.free_symbols:
        return sp.S.Zero, above
    edge = sp.factor_terms(lead.c.xreplace({symbol: at})) if symbol.is_Symbol else None
    if edge is None or edge.has(sp.oo, sp.zoo, sp.nan):
        return sp.S.Zero, above
    return sp.Piecewise((edge, sp.Eq(symbol, at)), (0, True)), sp.Or(above, sp.Eq(symbol, at))


def _compared(declaration, view, total, condition) -> int | None:
    """The number of random points, at most _CHECKS, at which quadrature agrees; None when it disagrees at one."""
    if view.intervals is None and view.period is None:
        return 0
    symbols, agreed = [declaration.clean, *declaration.params], 0
    trials = probes(declaration, 12, seed=17)
    admissible = [p for p in trials if condition.xreplace({s: sp.Float(v) for s, v in p.items()}) == sp.true]
    for p in admissible[:3]:
        value = _mean_by_quadrature(view, p)
        if value is None:
            continue
        try:
            own = mpmath.mpmathify(numeric(total, symbols)(*[p[s] for s in symbols]))
        except _TROUBLE:
            continue
        if abs(own - value) > 1e-4 * (1 + abs(own)):
            return None
        agreed += 1
        if agreed == _CHECKS:
            break
    return agreed


def _mean_by_quadrature(view, p):
    """integral f score / integral f by the trapezoidal rule after y = y(t), at 20 digits; None when it is not settled.

    y = a + (b - a)/(1 + exp(-pi sinh t)) on intervals, a + exp(pi/2 sinh t) on half-lines, sinh(pi/2 sinh t) on the
    line (Takahasi and Mori 1974).
    """
    values = {s: sp.Float(v, 30) for s, v in p.items()}
    weight, slope = (numeric(e.xreplace(values), [view.variable]) for e in (view.measure, view.score))
    fine, coarse = [mpmath.mpf(0), mpmath.mpf(0)], [mpmath.mpf(0), mpmath.mpf(0)]
    with mpmath.workdps(25):
        for low, high in _pieces(view, p):
            breaks = break_points(view.log_density, view.variable, p, low, high)
            for a, b in zip(breaks, breaks[1:], strict=False):
                for way in (1, -1):
                    _march(weight, slope, a, b, way, fine, coarse)
    if not fine[1] > 0 or not coarse[1] > 0:
        return None
    # The coarse sum's error is about the square root of the fine one's.
    value, check = fine[0] / fine[1], coarse[0] / coarse[1]
    return value if abs(value - check) < 3e-3 * (1 + abs(value)) else None


def _march(weight, slope, a, b, way, fine, coarse):
    """Add the terms at t = 0, +-1/16, .. until they are negligible; every second one is the coarse sum."""
    quiet = 0
    for k in range(0 if way == 1 else 1, 60):
        y, dy = _place(way * mpmath.mpf(k) / 16, a, b)
        try:
            f = mpmath.exp(weight(y)) * dy if a < y < b else mpmath.mpf(0)
            terms = (mpmath.re(f * slope(y)), mpmath.re(f)) if f else (f, f)
        except _TROUBLE:
            return
        if not all(mpmath.isfinite(v) for v in terms):
            return
        for part in (fine, coarse) if k % 2 == 0 else (fine,):
            part[:] = [u + v for u, v in zip(part, terms, strict=True)]
        small = all(abs(v) <= 1e-14 * abs(u) for u, v in zip(fine, terms, strict=True))
        quiet = quiet + 1 if small and k > 16 else 0
        if quiet == 3:
            return


def _place(t, a, b):
    """(y, dy/dt) on (a, b)."""
    s, ds = mpmath.pi / 2 * mpmath.sinh(t), mpmath.pi / 2 * mpmath.cosh(t)
    if mpmath.isinf(a) and mpmath.isinf(b):
        return mpmath.sinh(s), mpmath.cosh(s) * ds
    if mpmath.isinf(a) or mpmath.isinf(b):
        r = mpmath.exp(s)
        return (a + r if mpmath.isinf(b) else b - r), r * ds
    q = 1 / (1 + mpmath.exp(-2 * abs(s)))
    return (b - (b - a) * (1 - q) if t > 0 else a + (b - a) * (1 - q)), (b - a) * 2 * ds * q * (1 - q)


def _pieces(view, p):
    if view.period is not None:
        half = numeric(view.period / 2, [])()
        return [(-half, half)]
    face = [[numeric(e, list(p))(*p.values()) for e in (i.start, i.end)] for i in view.intervals]
    return [tuple(map(mpmath.mpmathify, ends)) for ends in face]


def boundary(view) -> list[Finding]:
    """p score -> 0 at every end; on a circle there is none."""
    if view.period is not None:
        return [Finding("boundary", "proven", sp.true, "a circle has no ends")]
    conditions, names = [], []
    for point in view.ends:
        (approach,) = point.approaches
        density, _, seen = edge_lead(view.log_density, view.variable, approach, view.points)
        score = lead_of(view.at(view.score, approach))
        both = None if density is None or score is None or seen else density.times(score)
        when = None if both is None else sp.true if both.c == 0 else _vanishing(both)
        if when is None:
            names.append(approach.name)
        else:
            conditions.append(when)
    total = sp.And(*conditions)
    if names and total is not sp.false:
        return [Finding("boundary", "unknown", None, f"p score next to {', '.join(names)} is undecided")]
    if total is sp.true:
        return [Finding("boundary", "proven", total, "p score vanishes at both ends")]
    if total is sp.false:
        return [Finding("boundary", "fails", total, "p score does not vanish at an end")]
    return [Finding("boundary", "holds if", total, f"p score vanishes at both ends iff {total}")]


def _vanishing(lead):
    if lead.E != 0:
        rate = leading(lead.E)
        return None if rate is None else positive(-rate.c)
    return sp.true if lead.p == 0 and lead.m < 0 else positive(lead.p)


def shrinks(declaration) -> list[Finding]:
    """Whether the density at its centre grows without bound as the level goes to 0 or to infinity."""
    lam = declaration.level
    if lam is None:
        return []
    noise = declaration.noise
    if noise is not None and noise.monotone and lam not in noise.log_density.free_symbols:
        slope = sp.diff(noise.map, noise.variable)
        try:
            gone = slope.xreplace({lam: sp.S.Zero}) == 0 or bounded(0.3, sp.limit, slope, lam, 0, "+") == 0
        except (OutOfTime, NotImplementedError, ValueError, TypeError, sp.PoleError):
            gone = False
        if gone:
            return [Finding("shrinks", "proven", sp.true, f"dy/d noise -> 0 as {lam} -> 0")]
    scale = _scale(declaration)
    if scale is not None:
        end = "0" if scale.as_base_exp()[1].is_positive else "oo"
        x, y = declaration.clean, declaration.noisy
        text = f"{y} = {sp.sstr(x + scale * sp.Symbol('u'))} with one law of u for every {lam}: {y} -> {x}"
        return [Finding("shrinks", "proven", sp.true, f"{text} as {lam} -> {end}")]
    ends = {name: _grows(declaration, value) for name, value in (("0", 1e-8), ("oo", 1e8))}
    found = [name for name, grown in ends.items() if grown]
    if found:
        text = f"the density at its centre grows without bound as {lam} -> {found[0]} (tried at 1e-8 and 1e8)"
        return [Finding("shrinks", "seen numerically", sp.true, text)]
    if None in ends.values():
        return [Finding("shrinks", "unknown", None, f"the density at extreme values of {lam} could not be computed")]
    return [Finding("shrinks", "seen numerically", sp.false, f"the noise keeps its size at both ends of {lam}")]


def _scale(declaration) -> sp.Expr | None:
    """The power h of the level with y = x + h u, u ~ a law without the level: d/dlevel log p(x + h u | x) has no u.

    Tried on numbers first, where the derivative is l_level + h' u l_y.
    """
    lam, x, y, log_density = declaration.level, declaration.clean, declaration.noisy, declaration.log_density
    symbols, u = [x, *declaration.params], sp.Dummy("u", real=True)
    try:
        by_level, by_y = (numeric(bounded(0.3, derivative, log_density, s), [y, *symbols]) for s in (lam, y))
        (point,) = probes(declaration, 1, seed=29)
        for h in (lam**p for p in _POWERS):
            size, growth = (float(e.xreplace({lam: sp.Float(point[lam])})) for e in (h, sp.diff(h, lam)))
            at = [(v, (point[x] + size * v, *point.values())) for v in _PLACES]
            first, *others = (by_level(*place) + growth * v * by_y(*place) for v, place in at)
            if any(abs(first - other) > 1e-9 * (1 + abs(first)) for other in others):
                continue
            slope = sp.diff(log_density.xreplace({y: x + h * u}), lam)
            if u not in bounded(0.3, sp.simplify, slope).free_symbols:
                return h
    except (*_TROUBLE, NotImplementedError):
        pass
    return None


def _grows(declaration, value) -> bool | None:
    """Is the largest of log p at the clean value and at the anchor far above that at level 1?"""
    lam, y, x = declaration.level, declaration.noisy, declaration.clean
    answers = []
    for p in probes(declaration, 3, seed=23):
        gains, at_edge = [], False
        for place in {x, declaration.anchor} - {None}:
            there = declaration.log_density.xreplace({y: place})
            if there.has(sp.zoo, sp.nan, sp.oo):
                at_edge = True
                continue
            at = numeric(there, list(p))
            try:
                far, near = (mpmath.mpmathify(at(*(p | {lam: v}).values())) for v in (value, 1.0))
            except _TROUBLE:
                continue
            if mpmath.im(far) == 0 and mpmath.isfinite(far) and mpmath.isfinite(near):
                gains.append(mpmath.re(far - near))
        if gains and (max(gains) > 5 or not at_edge):
            answers.append(max(gains) > 5)
    return None if not answers else all(answers)
