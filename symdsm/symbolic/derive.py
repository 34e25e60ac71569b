"""What is derived from a declaration: the score, the level score, targets in the noise.

    score(y | x)        d/dy log p(y | x)            the regression target of denoising score matching (Vincent 2011)
    level_score(y | x)  d/dlevel log p(y | x)        the second target of dual score matching (Guth et al. 2025)

When y = g(x, e) is declared, both are written in the noise e, so that nothing cancels as the level goes to zero.
With L(e, level) = log f(e; level) - log|g_e|, the log density of y at y = g(x, e):

    score       = L_e / g_e
    level score = L_level - (g_level / g_e) L_e

Sources: Vincent, Neural Computation 23 (2011); Guth, Kadkhodaie and Simoncelli, arXiv 2506.05310 (2025).
"""

from functools import singledispatch

import sympy as sp

from symdsm.errors import DerivationError
from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.logs import exact_log
from symdsm.symbolic.nodes import plain

__all__ = ["level_score", "noise_targets", "readable", "require_level_score", "score"]

_SECONDS = 1.0


def derivative(expr: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """d expr / d symbol almost everywhere: the atoms that kinks and steps leave behind are dropped."""
    slope = sp.diff(expr, symbol)
    if slope.has(sp.DiracDelta):
        slope = slope.replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    if any(p.exp.free_symbols and p.base is not sp.E for p in slope.atoms(sp.Pow)):
        slope = sp.powsimp(slope, combine="exp")  # |u|^b / |u| is 0/0 at zero, |u|^(b - 1) is not
    return slope


@singledispatch
def score(declaration):
    """d/dy log p(y | x), in nodes; other kinds of declarations register their own rule."""
    return derivative(declaration.log_density, declaration.noisy)


@singledispatch
def level_score(declaration):
    """d/dlevel log p(y | x), in nodes; needs a level and a normalised density."""
    require_level_score(declaration)
    return derivative(declaration.log_density, declaration.level)


@singledispatch
def require_level_score(declaration) -> None:
    if declaration.level is None:
        raise DerivationError(
            given="a kernel without a level",
            expected="the parameter that sets the amount of noise",
            fix="declare the kernel with level=..., one of its parameters",
        )
    if declaration.normalised is not True:
        raise DerivationError(
            given=f"a kernel whose normalising factor is not known, so d/d{declaration.level} log p is not either",
            expected="a normalised density, because the factor may depend on the level",
            fix="give the density with its normaliser, or train with objective='dsm'",
        )


def noise_targets(declaration) -> tuple[sp.Expr, sp.Expr | None] | None:
    """(score, level score) as expressions in the noise variable; None when the map is not one to one."""
    noise = declaration.noise
    if noise is None or not noise.monotone:
        return None
    e, g = noise.variable, noise.map
    g_e = derivative(g, e)
    log_slope = exact_log(sp.factor_terms(g_e)) if g_e.is_Add else exact_log(g_e)
    log_density = noise.log_density - log_slope
    slope = derivative(log_density, e)
    score_in_noise = slope / g_e
    if declaration.level is None:
        return score_in_noise, None
    lam = declaration.level
    g_lam = derivative(g, lam)
    ratio = g_lam / g_e
    if sp.count_ops(ratio) < 12:
        ratio = min((ratio, sp.cancel(ratio)), key=sp.count_ops)
    return score_in_noise, derivative(log_density, lam) - ratio * slope


def readable(expr: sp.Expr) -> sp.Expr:
    """The shortest of a few rewritings that never change a value; `simplify` is not among them.

    (SymPy's simplify turns sign(u) u into a Piecewise with 0/0.) Each candidate is tried on numbers.
    """
    expr = plain(expr)
    if expr.has(sp.Sum) or sp.count_ops(expr) > 300:
        return expr
    candidates = [expr, sp.factor_terms(expr)]
    if not expr.has(sp.Piecewise) and sp.count_ops(expr) < 60:
        try:
            candidates += bounded(_SECONDS, lambda: [sp.factor_terms(sp.cancel(sp.together(expr))), sp.factor(expr)])
        except OutOfTime:  # a polynomial of degree 500000, say: it is read as it stands
            pass
    if not expr.has(sp.Piecewise) and sp.count_ops(expr) < 150:
        opened = sp.expand_log(expr.replace(_is_log_of_one, lambda e: sp.log(sp.together(e.args[0]))))
        flat = sp.Add(*(sp.expand_mul(term, deep=False) for term in sp.Add.make_args(opened)))
        candidates += [flat, *(sp.collect(flat, u) for u in _logs_and_powers(flat))]
    return next(c for c in sorted(candidates, key=_length) if _same(c, expr))


def _is_log_of_one(e: sp.Basic) -> bool:
    """log(1 + 1/nu): of one symbol, so that it can be opened without spoiling log(1 + z**2/nu)."""
    return isinstance(e, sp.log) and len(e.free_symbols) == 1


def _length(e: sp.Expr) -> tuple[int, int]:
    """Operations, a minus sign in front of a sum counting three, then characters."""
    coefficient, rest = e.as_coeff_Mul()
    return sp.count_ops(e) + 3 * int(coefficient.is_negative and rest.is_Add), len(str(e))


def _logs_and_powers(flat: sp.Expr) -> list[sp.Expr]:
    """What the terms of an expanded sum may be collected by: logarithms and inverse powers of symbols."""
    found = flat.atoms(sp.log) | {p for p in flat.atoms(sp.Pow) if p.base.is_Symbol and p.exp == -1}
    return sorted(found, key=sp.default_sort_key)


def _same(candidate: sp.Expr, expr: sp.Expr) -> bool:
    """Equal values at two points, each evaluated by itself: SymPy needs seconds to see that a difference is zero."""
    if candidate == expr:
        return True
    symbols = sorted(expr.free_symbols | candidate.free_symbols, key=lambda s: s.name)
    for shift in (sp.Rational(7, 10), sp.Rational(13, 10)):
        point = {s: shift + sp.Rational(k * 31 % 17, 23) for k, s in enumerate(symbols)}
        try:
            mine, other = (bounded(_SECONDS, sp.N, e.xreplace(point), 20) for e in (candidate, expr))
        except OutOfTime:
            return False
        if not (mine.is_finite and other.is_finite) or abs(mine - other) > 1e-12 * (1 + abs(other)):
            return False
    return True
