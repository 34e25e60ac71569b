"""Is denoising score matching valid for a kernel on the simplex or the sphere?

    edges      the simplex and the sphere do not move with x, and the identity is about derivatives inside them
    jumps      as for other arrays: kinks are fine, pieces are not compared
    swap       D and the integral over x commute: for the known laws p and its gradient are bounded in x on every
               compact part of the open simplex, and on the sphere (symbolic/manifolds.py has the identity itself)
    variance   E |tangent score|^2 finite
               Dirichlet         a_j > 2 for every j, or a_j = 1 (that entry is not pulled); symbolic/manifold_laws.py
               logistic-normal   always: the score is a polynomial in log y and 1/y, and log y is Gaussian
               sphere            always for a smooth density: it is bounded on a compact set without an edge
    level      E level_score^2 finite and the mass known in the level. Dirichlet: log y_j has all moments for every
               a_j > 0. The others as above
    mean       E[score | x]: (n - 1) E[y | x] on the sphere; 0 on the simplex where p vanishes at its facets
    shrinks    the concentration is proportional to the level, or the level is the scale of log y

Conditions with the index j hold if they do for every j.
"""

import sympy as sp

from symdsm.symbolic.findings import Finding, Regularity, Remedy
from symdsm.symbolic.manifolds import Sphere
from symdsm.symbolic.nodes import LogAbs, plain

__all__ = ["check_on_manifold"]

_OTHER_LAW = Remedy(
    "raise the concentration, or use the logistic-normal law, whose score has a finite variance",
    "repaired = sd.families.logistic_normal()",
)
_NO_LEVEL = Remedy("train with objective='dsm', which needs no level score")
_SINGULAR = (sp.log, LogAbs, sp.Abs, sp.sign, sp.Heaviside, sp.Piecewise)


def check_on_manifold(declaration) -> Regularity:
    """The report of a ManifoldDeclaration."""
    edges = f"the {declaration.support.manifold} does not move with {declaration.clean}"
    findings = [Finding("edges", "proven", sp.true, edges), _pieces(declaration), _swap(declaration)]
    findings.append(_variance(declaration))
    if declaration.level is not None:
        findings.append(_level(declaration))
    if declaration.law is not None:
        findings += [_mean(declaration.law), *_shrinks(declaration)]
    return Regularity(
        tuple(findings), declaration.clean, declaration.level, declaration.params, declaration=declaration
    )


def _pieces(declaration) -> Finding:
    """Jumps of a density of arrays."""
    if declaration.density.expr.atoms(sp.Piecewise, sp.sign, sp.Heaviside):
        return Finding("jumps", "unknown", None, "the density has pieces whose joints were not compared")
    return Finding("jumps", "proven", sp.true, "the density is continuous (kinks at most)")


def _variance(declaration) -> Finding:
    law = declaration.law
    if law is not None and law.name == "Dirichlet":
        when = law.finite_information
        if when == sp.true:
            return Finding("variance", "proven", sp.true, "each concentration exceeds 2")
        text = f"E |score|^2 is finite iff each concentration {law.natural} exceeds 2, or is 1"
        return Finding("variance", "fails" if when == sp.false else "holds if", when, text, (_OTHER_LAW,))
    if law is not None and "logistic-normal" in law.name:
        reason = "the score is a polynomial in log y and 1/y, which are normal and log-normal"
        return Finding("variance", "proven", sp.true, reason)
    if isinstance(declaration.support, Sphere) and _is_smooth(declaration.density):
        return Finding("variance", "proven", sp.true, "the score is bounded: it is continuous on a compact set")
    return Finding("variance", "unknown", None, "E |score|^2 of this density on a manifold was not decided")


def _is_smooth(d) -> bool:
    """Made of y by sums, products, whole powers and entire functions."""
    singular = [e for e in d.expr.atoms(*_SINGULAR) if _holds(e, d.noisy)]
    powers = [p for p in d.expr.atoms(sp.Pow) if _holds(p.base, d.noisy) and not (p.exp.is_Integer and p.exp > 0)]
    known = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan)
    others = [f for f in d.expr.atoms(sp.Function) if _holds(f, d.noisy) and not isinstance(f, known)]
    return not (singular or powers or others)


def _holds(e, base) -> bool:
    return any(entry.base == base for entry in e.atoms(sp.Indexed))


def _level(declaration) -> Finding:
    if not declaration.level_is_known:
        text = "the mass of the density is not known as a function of the level"
        return Finding("level", "fails", sp.false, text, (_NO_LEVEL,))
    return Finding(
        "level", "proven", sp.true, f"the mass is known, and the {declaration.law.name} level score has all moments"
    )


def _swap(declaration) -> Finding:
    if declaration.law is not None or isinstance(declaration.support, Sphere) and _is_smooth(declaration.density):
        text = f"the gradient is bounded on compact parts of the {declaration.support.manifold}"
        return Finding("swap", "proven", sp.true, text)
    return Finding("swap", "unknown", None, "no bound of the gradient of this density was looked for")


def _mean(law) -> Finding:
    if law.name == "von Mises-Fisher":
        text = f"E[score | x] = {plain(law.mean_score)}, (n - 1) E[y | x]"
        return Finding("mean", "proven", sp.true, text, value=law.mean_score)
    when = sp.Gt(law.natural, 1) if law.name == "Dirichlet" else sp.true
    text = "E[score | x] = 0" + (f", for {when}" if when is not sp.true else "")
    return Finding("mean", "proven", when, f"{text}: the density vanishes at the facets", value=sp.S.Zero)


def _shrinks(declaration) -> list[Finding]:
    law, level = declaration.law, declaration.level
    if level is None:
        return []
    if law.natural is None:
        known = law.correction is not None
        text = f"the noise of log y is proportional to {level}" if known else f"how the noise depends on {level}"
        return [Finding("shrinks", "proven" if known else "unknown", sp.true if known else None, text)]
    symbol = declaration.density.restore(level)
    factor = law.natural / symbol
    if symbol in law.natural.free_symbols and symbol not in factor.free_symbols:
        return [Finding("shrinks", "proven", sp.true, f"the concentration is proportional to {symbol}")]
    return [Finding("shrinks", "unknown", None, f"the concentration is not proportional to {symbol}")]
