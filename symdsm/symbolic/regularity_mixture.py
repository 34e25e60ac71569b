"""The conditions of a mixture p = sum_k w_k p_k.

What holds for every part holds for the mixture: its jumps are sums of theirs, and by Jensen its squared score is at
most the softmax average of the parts'. The converse is wrong, so a part that fails is looked at in the whole:

    edges, jumps   the jumps w_k [p_k] at one place may cancel (x + Exp and x - Exp, equally mixed, are Laplace)
    variance       next to an edge another part may rule (an exponential beside a Rayleigh speckle)
"""

from dataclasses import replace

import sympy as sp

from symdsm.symbolic.exponents import edge_lead
from symdsm.symbolic.findings import Finding, Regularity
from symdsm.symbolic.leading import tends_to
from symdsm.symbolic.regularity_view import same_value, view_of

__all__ = ["check_mixture"]


def check_mixture(declaration) -> Regularity:
    """Part by part, then the whole where a part fails."""
    from symdsm.symbolic.regularity import check_regularity

    parts = [check_regularity(part) for part, _ in declaration.parts]
    findings = [
        replace(f, reason=f"part {k + 1}: {f.reason}")
        for k, part in enumerate(parts)
        for f in part.findings
        if f.row not in ("mean", "boundary")
    ]
    findings = _cancelled(declaration, findings)
    findings = _ruled(declaration, findings)
    findings += _constant_parts(declaration)
    findings.append(_mean(declaration, parts))
    return Regularity(tuple(findings), declaration.clean, declaration.level, declaration.params,
                      declaration=declaration)  # fmt: skip


def _cancelled(declaration, findings) -> list[Finding]:
    """The rows of the identity; proven where the parts' jumps cancel place by place."""
    own = [f for f in findings if f.row in ("edges", "jumps")]
    if not any(f.when is sp.false for f in own):
        return findings
    sizes = _jumps(declaration)
    if sizes is None or any(f.when is not sp.true and f.when is not sp.false for f in own):
        return findings
    points = view_of(declaration).points
    if not all(same_value(size, sp.S.Zero, points) for size in sizes.values()):
        return findings
    places = ", ".join(map(sp.sstr, sizes))
    text = f"each part jumps at {places}, which moves with {declaration.clean}, but the jumps cancel in the mixture"
    rest = [f for f in findings if f not in own]
    rows = [Finding(row, "proven", sp.true, text) for row in ("edges", "jumps")]
    swap = Finding("swap", "proven", sp.true, "the mixture is absolutely continuous in y: by Fubini, as for its parts")
    return [*rows, swap, *(f for f in rest if f.row != "swap")]


def _jumps(declaration) -> dict | None:
    """{place: p(above) - p(below)} of the mixture at every place that moves with the clean value."""
    sizes: dict = {}
    for part, weight in declaration.parts:
        view = view_of(part)
        if view.intervals is None:
            return None
        ends = [(p, (1 if k % 2 == 0 else -1,)) for k, p in enumerate(view.ends)]
        inner = [(p, (-1, 1)) for p in view.singular[0]]
        for point, signs in ends + inner:
            if point.place is None or declaration.clean not in point.place.free_symbols:
                continue
            for approach, sign in zip(point.approaches, signs, strict=True):
                end = tends_to(edge_lead(view.log_density, view.variable, approach, view.points)[0])
                if end is None or end.has(sp.oo):
                    return None
                place = sp.expand(point.place)
                sizes[place] = sizes.get(place, 0) + view.turn * sign * weight * end
    return sizes


def _ruled(declaration, findings) -> list[Finding]:
    """The variance of the whole where a part's is not finite."""
    from symdsm.symbolic.regularity import variance_rows

    own = [f for f in findings if f.row == "variance"]
    if all(f.when is sp.true for f in own):
        return findings
    moving = [p for p in view_of(declaration).ends if p.place is not None and declaration.clean in p.place.free_symbols]
    whole = [] if moving else variance_rows(declaration, view_of(declaration))
    decided = [f for f in whole if f.when is not None]
    if not decided:
        doubt = "the squared score of the mixture is at most that of its parts, one of which is infinite"
        decided = [Finding("variance", "unknown", None, f"{doubt}; the whole was not decided", own[0].remedies)]
    return [f for f in findings if f.row != "variance"] + decided


def _constant_parts(declaration) -> list[Finding]:
    """A part that does not depend on the level keeps its size."""
    lam = declaration.level
    return [
        Finding("shrinks", "fails", sp.false, f"part {k + 1}: it does not depend on {lam}")
        for k, (part, _) in enumerate(declaration.parts)
        if lam is not None and part.level is None
    ]


def _mean(declaration, parts) -> Finding:
    """sum_k w_k E_k[score_k], since score p = sum_k w_k p_k'."""
    means = [part.mean_score for part in parts]
    if any(m is None for m in means):
        return Finding("mean", "unknown", None, "E[score | x] of a part is not known or infinite")
    weights = [w for _, w in declaration.parts]
    total = sp.factor_terms(sp.Add(*[w * m for w, m in zip(weights, means, strict=True)]))
    return Finding("mean", "proven", sp.true, f"E[score | x] = {sp.sstr(total)}, the mean over the parts", value=total)
