r"""The Fisher information E[score^2 | x] of the noisy value and of the level, in closed form where there is one.

    I(x) = E[(d/dy log p(y | x))^2 | x],        I_level(x) = E[(d/dlevel log p(y | x))^2 | x]

Both are means in the noise u, y = g(x, u) (the score in u is that of symbolic/derive.py), so that a location or scale
family gives I_u / s^2 or I_u / x^2 by itself. The squared score is a sum of terms whose means are known:

    pivot      c R^i (1+R)^j under a gamma, beta-prime or generalised inverse Gaussian R (symbolic/pivot.py)
    normal     c z^p e^(kz) under a normal z:  e^(k^2/2) E (z + k)^p
    von Mises  I = kappa I_1(kappa) / I_0(kappa)

Each term of a pivot says where it is finite; a term is harmless where its coefficient vanishes, so that isolated
finite points appear (gamma speckle: L > 2, and L = 1). The quantity is E score^2, never -E of the second derivative:
the two differ when the density does not vanish at an edge. Every value is compared with quadrature before it is given.

Source: Lehmann and Casella, Theory of Point Estimation (1998), section 2.5.
"""

from dataclasses import dataclass, replace
from functools import singledispatch

import mpmath
import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import derivative, noise_targets
from symdsm.symbolic.findings import tidy_boolean
from symdsm.symbolic.information_terms import constant_mean, normal_mean, pivot_mean, von_mises_mean
from symdsm.symbolic.probe import numeric, probes
from symdsm.symbolic.quadrature import break_points, integrals

__all__ = ["Information", "derived_information", "fisher_information", "mean_of_square", "noisy_information"]

_SECONDS = 2.0
_FAILURES = (OutOfTime, NotImplementedError, ValueError, TypeError, AttributeError, RecursionError, KeyError)
_CACHE: dict = {}
_NOISY: dict = {}
_RULES = (
    ("constant", constant_mean),
    ("normal", normal_mean),
    ("von Mises", von_mises_mean),
    ("pivot", pivot_mean),
)


@dataclass(frozen=True)
class Information:
    """E score^2 as `expr`, finite exactly where `condition` holds; None and a reason in `method` where not known."""

    expr: sp.Expr | None
    condition: sp.Basic
    method: str
    level_expr: sp.Expr | None = None
    level_condition: sp.Basic = sp.true
    level_method: str = "none was sought for this kind of kernel"

    @property
    def exact(self) -> sp.Expr:
        """expr where it is finite, oo elsewhere."""
        return _where(self.expr, self.condition)

    @property
    def exact_level(self) -> sp.Expr:
        """level_expr where it is finite, oo elsewhere."""
        return _where(self.level_expr, self.level_condition)


def _where(expr, condition):
    pieces = expr.args if isinstance(expr, sp.Piecewise) else [(expr, sp.true)]
    finite = [(e, tidy_boolean(sp.And(when, condition))) for e, when in pieces]
    return sp.Piecewise(*finite, (sp.oo, True))


def fisher_information(declaration) -> Information:
    """The information in y and, for a normalised kernel with a level, in the level.

    `expr` is in the clean symbol and the parameters. `condition` is the Boolean under which it is finite; where the
    condition is false, no parameter values make it finite and expr is oo.
    """
    if declaration not in _CACHE:
        _CACHE[declaration] = derived_information(declaration)
    return _CACHE[declaration]


@singledispatch
def derived_information(declaration) -> Information:
    """The rule of one kind of declaration; the others register theirs. A kernel of arrays has none in general."""
    return Information(None, sp.true, "no closed form is sought for this kind of kernel; the program computes it")


def noisy_information(declaration: Declaration) -> Information:
    """The part of `fisher_information` in y of a scalar kernel, which is all that its code needs."""
    if declaration not in _NOISY:
        _NOISY[declaration] = _in_noisy(declaration)
    return _NOISY[declaration]


def _in_noisy(declaration: Declaration) -> Information:
    if declaration.parts:
        return Information(None, sp.true, "a mixture has no closed form; the program uses quadrature")
    law = _law(declaration)
    if law is None:
        return Information(None, sp.true, "the support is not an interval; the program uses quadrature")
    *noise, _ = law
    return Information(*_one(declaration, *noise))


@derived_information.register
def _(declaration: Declaration) -> Information:
    found, law = noisy_information(declaration), None if declaration.parts else _law(declaration)
    if law is None or law[-1] is None:
        return found
    *noise, _, level_score = law
    level_expr, level_condition, level_method = _one(declaration, *noise, level_score)
    return replace(found, level_expr=level_expr, level_condition=level_condition, level_method=level_method)


def _law(declaration):
    """(log f, u, support, score in u, level score in u or None)."""
    noise, targets = declaration.noise, noise_targets(declaration)
    level = declaration.level if declaration.normalised is True else None
    if targets is not None:
        score, level_score = targets
        u, log_f, support = noise.variable, noise.log_density, noise.support
    else:
        u, log_f, support = declaration.noisy, declaration.log_density, declaration.support
        score, level_score = derivative(log_f, u), derivative(log_f, level) if level is not None else None
    if declaration.period is not None and support == sp.S.Reals:
        support = sp.Interval(-declaration.period / 2, declaration.period / 2)
    if not isinstance(support, (sp.Interval, type(sp.S.Reals))):
        return None
    return log_f, u, support, score, level_score if level is not None else None


def _one(declaration, log_f, u, support, score):
    tried = []
    for name, rule in _RULES:
        try:
            found = bounded(_SECONDS, rule, log_f, u, support, score)
        except _FAILURES as failure:
            tried.append(f"{name} ({type(failure).__name__})")
            continue
        if found is None:
            tried.append(name)
            continue
        expr, condition = found
        if _agrees(declaration, log_f, u, support, score, expr, condition):
            return expr, condition, name
        tried.append(f"{name} (disagreed with quadrature)")
    return None, sp.true, f"no closed form found (tried {', '.join(tried)}); the program uses quadrature"


def _agrees(declaration, log_f, u, support, score, expr, condition) -> bool:
    """At random admissible points: the same number where finite, divergence where the condition fails."""
    symbols = [declaration.clean, *declaration.params]
    compared = 0
    for p in _trials(declaration, expr):
        finite = condition.xreplace({s: sp.Float(p[s]) for s in symbols})
        if finite not in (sp.true, sp.false):
            return False
        if finite == sp.false and compared:
            continue
        value = mean_of_square(log_f, u, support, score, p)
        if value is None:
            continue
        if finite == sp.false:
            if mpmath.isfinite(value) and value < 1e8:
                return False
        else:
            own = mpmath.mpmathify(numeric(expr, symbols)(*[p[s] for s in symbols]))
            if not mpmath.isfinite(own) or not mpmath.isfinite(value):
                return False
            if abs(own - value) > 1e-6 * abs(value):
                return False
        compared += 1
        if compared == 3:
            return True
    return compared > 0


def _trials(declaration, expr):
    """Random admissible points; first those at which a piece of the expression begins to count."""
    points = probes(declaration, 8, seed=9)
    special = [e.args for e in expr.atoms(sp.Eq)] if points else []
    return [points[0] | {symbol: float(at)} for symbol, at in special if at.is_number] + points


def mean_of_square(log_f, u, support, score, point):
    """E score^2 at one point by quadrature; inf where it diverges, None where it is not known."""
    values = {s: sp.Float(v, 60) for s, v in point.items()}
    low, high = (mpmath.mpmathify(numeric(e, list(point))(*point.values())) for e in (support.inf, support.sup))
    breaks = break_points(log_f + score, u, point, low, high)
    weight = log_f.xreplace(values).as_independent(u, as_Add=True)[1]
    slope = numeric(score.xreplace(values), [u])
    total = integrals(numeric(weight, [u]), [lambda v: 1, lambda v: slope(v) ** 2], breaks)
    return None if total is None or total[0] == 0 else total[1] / total[0]
