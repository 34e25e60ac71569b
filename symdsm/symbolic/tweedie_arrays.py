r"""The rules for Gaussians of many coordinates: y | x ~ Normal(m(x), S) with a covariance S free of x.

    score = -S^-1 (y - m(x)),  so  E[m(x) | y] = y + S l                            l = grad log q(y)

Vector SDEs have m = F x + c with F of full column rank, and x is the statistic itself:

    E[x | y] = (F' S^-1 F)^-1 F' (S^-1 (y - c) + l)

which is F^-1 (y - c + S l) for a square F. When F has more rows than columns the score is overdetermined: every left
inverse of F gives the same number at the exact l, and this one gives errors of l the weight S^-1.

Coupled kernels keep the statistic m(x), the clean event as the noise meets it (A x for a linear operator; x itself when
that is what the noise is added to). S l is written out where S can be read off: a diagonal precision, a precision or
covariance matrix that is a parameter; else with the array Sigma, the covariance of y given x.

Source: Efron, Journal of the American Statistical Association 106 (2011), for the identity.
"""

import sympy as sp

from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.indexed import event_indices
from symdsm.symbolic.indexed_adjoint import Contribution, adjoint
from symdsm.symbolic.indexed_gaussian import centre, is_quadratic
from symdsm.symbolic.indexed_nodes import Axis, Solve
from symdsm.symbolic.indexed_words import in_event_index
from symdsm.symbolic.tweedie_form import Tweedie, free_name
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["coupled_tweedie", "is_diagonal", "matrix_factor", "vector_parts", "vector_tweedie"]


def vector_tweedie(declaration: VectorDeclaration) -> Tweedie:
    """E[x | y] of a Gaussian of a small state; one expression, or a column when the clean value is one."""
    law, y = declaration.transition, declaration.noisy
    name = free_name({s.name for s in (*declaration.noisy_symbols, *law.clean, *declaration.params)})
    l = sp.ImmutableDenseMatrix([sp.Symbol(f"{name}_{s.name}", real=True) for s in declaration.noisy_symbols])  # noqa: E741
    if law.covariance.free_symbols & set(law.clean):
        return Tweedie(l, reason="the covariance depends on the clean value")
    (F, c), S = vector_parts(declaration), law.covariance
    residual = y - c
    det, adjugate = S.det(method="berkowitz"), S.adjugate()
    if F.is_square:
        mean = F.adjugate() * (residual + S * l) / F.det(method="berkowitz")
    else:
        G = F.T * adjugate * F
        mean = G.adjugate() * F.T * (adjugate * residual + det * l) / G.det(method="berkowitz")
    mean = mean[0] if len(law.clean) == 1 else sp.ImmutableDenseMatrix(mean)
    return Tweedie(l, declaration.clean, mean, mean)


def vector_parts(declaration: VectorDeclaration) -> tuple[sp.MatrixBase, sp.MatrixBase]:
    """(F, c) of the mean F x + c."""
    mean, x = declaration.transition.mean, declaration.transition.clean
    return mean.jacobian(sp.ImmutableDenseMatrix(x)), mean.xreplace({s: sp.S.Zero for s in x})


def coupled_tweedie(declaration: CoupledDeclaration) -> Tweedie:
    """E[m(x) | y] = y + S l of a coupled Gaussian, in the event's indices; m(x) is the mean of y given x."""
    d = declaration.density
    names = {s.name for s in d.expr.atoms(sp.Symbol)} | {str(b) for b in d.shapes}
    base = sp.IndexedBase(free_name(names), real=True)
    if not is_quadratic(d):
        return Tweedie(base, reason="the coupled density is no Gaussian, and its score no posterior mean")
    if any(_holds(c.seed, d.clean) for c in _precision(d)):
        return Tweedie(base, reason="the covariance depends on the clean value")
    found, event = centre(d), event_indices(d)
    if found is None:
        return Tweedie(base, reason="the mean of the noisy event could not be read off the density")
    mean = d.restore(d.noisy[event] + _smoothed(d, base, event, names))
    statistic = found[0](event)
    return Tweedie(base, d.restore(statistic), mean, mean if statistic in (d.clean, _entry(d.clean, event)) else None)


def _entry(base, event):
    return base[event] if isinstance(base, sp.IndexedBase) else base


def _holds(e, base):
    return base in e.free_symbols or any(entry.base == base for entry in e.atoms(sp.Indexed))


def _precision(d) -> list[Contribution]:
    """The contributions to -d^2 log p / dy[j] dy[k]; the target is that of y[j] and then that of y[k]."""
    found = []
    for first in d.score:
        fresh = {limit[0]: Axis(limit[0].name) for limit in first.limits}
        limits = tuple(sp.Tuple(*limit).xreplace(fresh) for limit in first.limits)
        target = tuple(t.xreplace(fresh) for t in first.target)
        for second in adjoint(first.seed.xreplace(fresh), d.noisy):
            seed = -sp.expand(second.seed)
            if seed != 0:
                found.append(Contribution(seed, limits + second.limits, target + second.target))
    return found


def _smoothed(d, base, event, names):
    """(S l)[event], in the symbols of d.expr."""
    precision, half = _precision(d), d.event_ndim
    if is_diagonal(d):
        parts = [in_event_index(Contribution(c.seed, c.limits, c.target[:half]), event, d.shapes[d.noisy])
                 for c in precision]  # fmt: skip
        return base[event] / sp.factor_terms(sp.Add(*parts))
    if factor := matrix_factor(d):
        matrix, scale, is_covariance = factor
        k, size = Axis("k"), d.shapes[d.noisy][0]
        if is_covariance:
            return sp.Sum(matrix[event[0], k] * base[k], (k, 0, size - 1)) / scale
        return Solve(matrix.label, size, sp.Lambda(k, base[k]), event[0]) / scale
    others = [Axis(n) for n in ("p", "q", "r")[:half]]
    covariance = sp.IndexedBase(free_name(names, "Sigma"), real=True)
    limits = [(o, 0, size - 1) for o, size in zip(others, d.shapes[d.noisy], strict=True)]
    return sp.Sum(covariance[(*event, *others)] * base[tuple(others)], *limits)


def is_diagonal(d) -> bool:
    """Do no two coordinates meet in the quadratic form?"""
    return all(c.target[: d.event_ndim] == c.target[d.event_ndim :] for c in _precision(d))


def matrix_factor(d):
    """(P, scale, False) for a precision scale * P, (C, scale, True) for scale * C^-1, of a parameter; else None."""
    return (_precision_parameter(d) or _covariance_parameter(d)) if d.event_ndim == 1 else None


def _precision_parameter(d):
    precision = _precision(d)
    if len(precision) != 1:
        return None
    ((seed, _, (a, b)),) = precision
    total = {}
    for term in sp.Add.make_args(seed):
        scale, entry = term.as_independent(sp.Indexed, as_Add=False)
        if not isinstance(entry, sp.Indexed) or entry.indices not in ((a, b), (b, a)):
            return None
        total[entry.base] = total.get(entry.base, sp.S.Zero) + scale
    ((matrix, scale),) = total.items() if len(total) == 1 else ((None, None),)
    return (matrix, scale, False) if matrix in d.positive_definite else None


def _covariance_parameter(d):
    if len(d.score) != 1:
        return None
    ((seed, _, target),) = d.score
    total = {}
    for term in sp.Add.make_args(seed):
        scale, solve = term.as_independent(Solve, as_Add=False)
        if not isinstance(solve, Solve) or solve.form != "positive" or not isinstance(solve.args[0], sp.Symbol):
            return None
        matrix, _, rhs, index, _ = solve.args
        (k,) = rhs.variables
        if (index,) != target or sp.diff(rhs.expr, d.noisy[k]) != 1 or _holds(scale, d.noisy):
            return None
        total[matrix] = total.get(matrix, sp.S.Zero) - scale
    ((matrix, scale),) = total.items() if len(total) == 1 else ((None, None),)
    return None if matrix is None else (sp.IndexedBase(matrix, real=True), scale, True)
