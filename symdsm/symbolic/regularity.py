"""Is denoising score matching valid for this kernel? Conditions, one by one.

The identity  D log q(y) = E[D log p(y | x) | y]  (Vincent 2011), D = d/dy or d/dlevel, needs

    law         the kernel to exist: a positive variance of an SDE's transition law (symbolic/existence.py)
    edges       the support does not move with x, or p vanishes at the moving edge
    jumps       p has neither a jump nor a pole at a place that moves with x (kinks are fine)
    swap        D and the integral over x commute: then by Fubini, since p is absolutely continuous and E|score| finite
    variance    E score^2 finite: not needed for the identity, but for a usable regression target
    level       for D = d/dlevel: the same with the level in place of x, and a known normaliser

Each is decided from the leading terms of the density and the score next to the edges, infinity and inner singular
points (symbolic/exponents.py). When y = g(x, e) is declared, everything is computed in the noise e, where
E score^2 = integral f(e) s(e)^2 de. Mixtures are in symbolic/regularity_mixture.py, the rows that do not decide
validity in symbolic/regularity_asides.py. A row that runs out of its time is unknown, and says what was tried.

Sources: Vincent, Neural Computation 23 (2011); Hyvarinen, CSDA 51 (2007), for the boundary terms.
"""

from dataclasses import replace
from functools import singledispatch

import sympy as sp

from symdsm.symbolic import remedies
from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.existence import law_rows
from symdsm.symbolic.exponents import edge_lead, limit_at, thorough
from symdsm.symbolic.findings import Finding, Regularity, tidy_boolean
from symdsm.symbolic.integrable import finite_at, positive
from symdsm.symbolic.leading import Lead, leading, tends_to
from symdsm.symbolic.regularity_asides import boundary, mean_of_score, shrinks
from symdsm.symbolic.regularity_view import View, same_value, view_of
from symdsm.symbolic.supports import in_brackets

__all__ = ["Finding", "Regularity", "check_regularity", "check_rows", "edge_rows", "level_variance", "variance_rows"]

_ROW_SECONDS = 15.0
_TROUBLE = (NotImplementedError, RecursionError, sp.PoleError)
_YES, _YES_WITHOUT_LEVEL = (sp.true, sp.true), (sp.true, sp.false)
_NO_NORMALISER = (
    "The density's factor without y was not found: the score needs none, log_prob is known up to that factor, and "
    "level_score and distribution() refuse; to have them give the density with its normaliser"
)
_TRIED = "leading terms, SymPy's limits, and slopes at distances 1e-40 and 1e-50 were tried"


@singledispatch
def check_regularity(declaration: Declaration) -> Regularity:
    """Decide each condition of a scalar kernel; other kinds of declarations register their own rule."""
    if declaration.parts:
        from symdsm.symbolic.regularity_mixture import check_mixture

        return check_mixture(declaration)
    return _by_signs(declaration) or check_rows(declaration, view_of(declaration))


def check_rows(declaration: Declaration, view: View, asides: bool = True) -> Regularity:
    """Every row of a kernel that is not a mixture; those that do not decide validity if asked for."""
    lam = declaration.level
    findings = law_rows(declaration)
    findings += _within("edges", lambda: edge_rows(declaration, view, declaration.clean, "edges"))
    findings += _within("jumps", lambda: _jump_rows(declaration, view, declaration.clean, "jumps"))
    findings += _swap([f for f in findings if f.row != "law"])
    identity = sp.And(*[f.when for f in findings if f.when is not None])
    findings += _within("variance", lambda: variance_rows(declaration, view, identity))
    if lam is not None:
        findings += _within("level", lambda: _level_rows(declaration, view))
    if asides:
        findings += _within("mean", lambda: [mean_of_score(declaration, view)])
        findings += _within("shrinks", lambda: shrinks(declaration))
        findings += _within("boundary", lambda: boundary(view))
    notes = () if declaration.normalised is True else (_NO_NORMALISER,)
    return Regularity(tuple(findings), declaration.clean, lam, declaration.params, notes, declaration)


def _within(row, rule) -> list:
    try:
        return bounded(_ROW_SECONDS, rule)
    except OutOfTime:
        return [Finding(row, "unknown", None, f"no decision within {_ROW_SECONDS:g} s: {_TRIED}")]
    except _TROUBLE as trouble:  # SymPy's own ways to give up
        return [Finding(row, "unknown", None, f"no decision ({type(trouble).__name__}: {trouble}): {_TRIED}")]


def edge_rows(declaration, view, symbol, row) -> list[Finding]:
    """The edges that move with `symbol`: the density has to vanish there."""
    if view.intervals is None:
        return [
            Finding(row, "unknown", None, f"the support {in_brackets(declaration.support)} is not made of intervals")
        ]
    moving = [p for p in view.ends if p.place is not None and symbol in p.place.free_symbols]
    if moving:
        return [_moving_edge(declaration, view, p, symbol, row, one_sided=len(moving) == 1) for p in moving]
    if row != "edges":
        return []
    shown = "the whole circle" if declaration.period is not None else in_brackets(declaration.support)
    return [Finding(row, "proven", sp.true, f"the support, {shown}, does not move with {symbol}")]


def _moving_edge(declaration, view, point, symbol, row, one_sided) -> Finding:
    lead, q, numeric = edge_lead(view.log_density, view.variable, point.approaches[0], view.points)
    when = vanishes(lead) if lead else None if q is None else positive(q)
    where = f"the edge {sp.sstr(point.place)} moves with {symbol}"
    if when is None:
        return Finding(row, "unknown", None, f"{where}; how fast the density vanishes there is undecided: {_TRIED}")
    verdict = "seen numerically" if numeric else _verdict(when)
    if when is sp.true:
        return Finding(row, verdict, when, f"{where}, but the density vanishes there")
    if when is sp.false:
        text = f"{where} and the density does not vanish there"
        return Finding(row, verdict, when, text, remedies.another_noise(declaration, one_sided))
    text = f"{where}; the density vanishes there iff {when}"
    return Finding(row, verdict, when, text, remedies.for_parameters(declaration, when))


def vanishes(lead: Lead) -> sp.Basic | None:
    """When c d^p (-log d)^m exp(E) -> 0."""
    if lead.E != 0:
        rate = leading(lead.E)
        return None if rate is None else positive(-rate.c)
    if lead.p == 0:
        return sp.true if lead.m.is_negative else sp.false
    return positive(lead.p)


def _verdict(when) -> str:
    return "proven" if when is sp.true else "fails" if when is sp.false else "holds if"


def _jump_rows(declaration, view, symbol, row) -> list[Finding]:
    """Jumps and poles of the density at inner singular points that move with `symbol`."""
    points, complete = view.singular
    findings = [_jump(declaration, view, point, symbol, row) for point in points]
    if not complete and any(f.when is sp.false for f in findings) is False:
        text = "the places where the density may jump were not all found"
        return [*findings, Finding(row, "unknown", None, text)]
    if row == "jumps" and not findings:
        return [Finding(row, "proven", sp.true, "the density has no jump inside its support")]
    return findings if row == "jumps" else [f for f in findings if f.when is not sp.true]


def _jump(declaration, view, point, symbol, row) -> Finding:
    moves = point.place is None or symbol in point.place.free_symbols
    place = sp.sstr(point.place)
    sides = [edge_lead(view.log_density, view.variable, a, view.points) for a in point.approaches]
    if not moves:
        return Finding(row, "proven", sp.true, f"what the density does at {place} stays in place")
    leads, numeric = [lead for lead, _, _ in sides], any(seen for *_, seen in sides)
    when = _continuous(*leads, view.points) if None not in leads else _continuous_by_limits(view, point)
    if when is None:
        return Finding(row, "unknown", None, f"the two limits of the density at {place} are undecided: {_TRIED}")
    verdict = "seen numerically" if numeric else _verdict(when)
    if when is sp.true:
        return Finding(row, verdict, when, f"the density is continuous at {place} (a kink at most)")
    if when is sp.false:
        poles = any(tends_to(lead) in (sp.oo, None) for lead in leads if lead)
        text = f"the density {'is infinite' if poles else 'jumps'} at {place}, which moves with {symbol}"
        return Finding(row, verdict, when, text, remedies.another_noise(declaration, one_sided=False))
    text = f"the density is continuous at {place}, which moves with {symbol}, iff {when}"
    return Finding(row, verdict, when, text, remedies.for_parameters(declaration, when))


def _continuous(left: Lead, right: Lead, points) -> sp.Basic | None:
    """The two one-sided limits of the density are finite and equal."""
    ends = [tends_to(left), tends_to(right)]
    if None not in ends and not any(end.has(sp.oo, -sp.oo) for end in ends):
        return sp.true if same_value(*ends, points) else sp.false
    if sp.oo in ends:
        return sp.false
    same = sp.expand(left.p - right.p) == 0 and left.m == right.m and left.E == right.E
    if not same or left.E != 0 or not same_value(left.c, right.c, points):
        return None
    return _at_least(left.p) if left.m == 0 else positive(left.p)


def _at_least(p):
    """p >= 0, solved for a symbol."""
    strict = positive(p)
    if isinstance(strict, sp.Gt):
        return sp.Ge(strict.lhs, strict.rhs)
    return sp.Le(strict.lhs, strict.rhs) if isinstance(strict, sp.Lt) else strict


def _continuous_by_limits(view, point):
    sides = [limit_at(view.at(view.log_density, a)) for a in point.approaches]
    if None in sides or any(s.has(sp.oo, -sp.oo) for s in sides):
        return None
    return sp.true if same_value(*sides, view.points) else sp.false


def _swap(findings) -> list[Finding]:
    """By Fubini from the two rows above; nothing is said where they fail."""
    if any(f.when is sp.false for f in findings):
        return []
    if any(f.when is None for f in findings):
        return [Finding("swap", "unknown", None, "it follows from the two conditions above, which are undecided")]
    seen = any(f.verdict == "seen numerically" for f in findings)
    text = (
        "p is absolutely continuous in y and its derivative integrable, so by Fubini the two commute for every law "
        "of clean values on a bounded closed set" + (", where the conditions above hold" if seen else "")
    )
    return [Finding("swap", "seen numerically" if seen else "proven", sp.true, text)]


def variance_rows(declaration, view, identity=sp.true) -> list[Finding]:
    """E score^2 next to every end and inner singular point; the remedies keep the conditions of the identity."""
    return _second_moment(declaration, view, view.score, "variance", "E score^2", identity)


def _second_moment(declaration, view, field, row, name, identity=sp.true) -> list[Finding]:
    points, _ = view.singular
    places = [*view.ends, *points]
    if view.intervals is None and view.period is None:
        where = in_brackets(declaration.support)
        return [Finding(row, "unknown", None, f"{name} was not decided on the support {where}")]
    conditions, numeric, undecided, moving, left_out = [], False, [], False, []
    for point in places:
        for approach in point.approaches:
            when, seen, exceptions = finite_at(view, field, approach)
            numeric |= seen
            left_out += exceptions
            if when is None:
                undecided.append(approach.name)
            elif when is not sp.true:
                moving |= point.place is not None and declaration.clean in point.place.free_symbols
                conditions.append(when)
    total = tidy_boolean(sp.And(*conditions))
    if undecided and total is not sp.false:
        return [Finding(row, "unknown", None, f"{name} next to {', '.join(undecided)} is undecided: {_TRIED}")]
    verdict = "seen numerically" if numeric else _verdict(total)
    if total is sp.true:
        return [Finding(row, verdict, total, f"{name} is finite")]
    text = f"{name} is infinite" if total is sp.false else f"{name} is finite iff {total}"
    if left_out:
        text += f"; whether it is finite as well at {', '.join(map(sp.sstr, left_out))} is undecided"
    wanted = tidy_boolean(sp.And(total, identity))
    what = remedies.for_variance(declaration, wanted, moving) if row == "variance" else remedies.for_level()
    return [Finding(row, verdict, total, text, what)]


def _level_rows(declaration, view) -> list[Finding]:
    lam = declaration.level
    if declaration.normalised is not True:
        text = "the normaliser is not known, and it may depend on the level: give the density with its normaliser"
        return [Finding("level", "fails", sp.false, text, remedies.for_level())]
    findings = [*edge_rows(declaration, view, lam, "level"), *_jump_rows(declaration, view, lam, "level")]
    findings = [replace(f, remedies=remedies.for_level()) if f.remedies else f for f in findings]
    return findings + _level_moment(declaration, view)


def _level_moment(declaration, view) -> list[Finding]:
    return _second_moment(declaration, view, view.level_score, "level", "E level_score^2")


def level_variance(declaration) -> sp.Basic | None:
    """When E level_score^2 is finite, where that is proven; None where it is not, and for a mixture."""
    if declaration.parts:
        return None
    [finding] = _within("level", lambda: _level_moment(declaration, view_of(declaration)))
    return None if finding.verdict == "seen numerically" else finding.when


def _by_signs(declaration) -> Regularity | None:
    """Parameters of unknown sign, where the leading terms depend on it: both signs, and zero, give the same answer.

    None when there are no such parameters. Otherwise, where the answers differ, the rows are undecided and say which
    assumption would decide them.
    """
    bare = [p for p in declaration.params if p.is_positive is None and p.is_negative is None]
    if not bare:
        return None
    token = thorough.set(False)
    try:
        found = check_rows(declaration, view_of(declaration))
    finally:
        thorough.reset(token)
    if all(f.when is not None for f in found.findings):
        return found
    for symbol in bare:
        size = sp.Symbol(symbol.name, positive=True)
        cases = [_case(declaration, {symbol: value}, value is size) for value in (size, -size, sp.S.Zero)]
        answers = [None if c is None else (c.holds, c.level_holds) for c in cases]
        if answers[0] == answers[1] and answers[2] in (None, answers[0]) and answers[0] in (_YES, _YES_WITHOUT_LEVEL):
            note = f", for either sign of {symbol}"
            findings = tuple(replace(f, reason=f.reason + note) for f in cases[0].findings)
            return replace(found, findings=findings)
        if answers[0] is not None and answers[0][0] is not None:
            shown = f'{symbol.name} = sp.Symbol("{symbol.name}", positive=True)'
            holds = "always" if cases[0].holds is sp.true else f"iff {cases[0].holds}"
            advice = f"; the sign of {symbol} is not known: with {shown} it holds {holds}"
            findings = tuple(replace(f, reason=f.reason + advice) if f.when is None else f for f in found.findings)
            return replace(found, findings=findings)
    return None


def _case(declaration, values, asides) -> Regularity | None:
    """The check with a parameter of a known sign; None where the kernel is not defined there."""
    moved = _put(declaration, values)
    if (moved.log_density + (moved.noise.map if moved.noise else 0)).has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return None
    view = view_of(moved)
    return check_rows(moved, view, asides) if view.points else None


def _put(declaration, values) -> Declaration:
    noise = declaration.noise
    if noise is not None:
        noise = replace(
            noise,
            map=noise.map.xreplace(values),
            log_density=noise.log_density.xreplace(values),
            support=noise.support.xreplace(values),
        )
    names = ("log_density", "support", "inside")
    level = values.get(declaration.level, declaration.level)
    own = {name: getattr(declaration, name).xreplace(values) for name in names}
    return replace(declaration, noise=noise, level=level, **own)
