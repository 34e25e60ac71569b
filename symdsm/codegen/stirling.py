"""Gamma functions of large arguments, whose logarithms cancel against their neighbours.

With Stirling's remainder  e(a) = log Gamma(a) - (a - 1/2) log a + a - log(2 pi)/2:

    a log v - v - log Gamma(a)   = -a g(log(v/a)) + log(a/(2 pi))/2 - e(a),      g(u) = exp u - 1 - u
    log Gamma(a + c) - log Gamma(a) = (a - 1/2) log(1 + c/a) + c log(a + c) - c + e(a + c) - e(a)

so that nothing of size a is added and taken away again. Source: Loader, Fast and Accurate Computation of Binomial
Probabilities (2000).
"""

import sympy as sp

from symdsm.symbolic.logs import exact_log
from symdsm.symbolic.nodes import ExpGap, Log1p, LogAbs, StirlingError

__all__ = ["stirling"]


def stirling(expr: sp.Add) -> sp.Expr:
    """The sum with every gamma law and every ratio of gamma functions in it written without cancellation."""
    for term in expr.args:
        if isinstance(-term, sp.loggamma) and (-term).free_symbols:
            written = _gamma_law(expr, (-term).args[0])
            if written is not None:
                return written
    return _ratio(expr)


def _gamma_law(expr, a) -> sp.Expr | None:
    spread = sp.expand(sp.expand_log(expr.replace(LogAbs, lambda u: sp.log(sp.Abs(u)))))
    for term in expr.args:
        v = -term
        if not v.is_nonnegative or not v.free_symbols or v.has(sp.log, sp.loggamma, LogAbs):
            continue
        rest = sp.expand(spread - sp.expand(a * sp.expand_log(sp.log(v))) + sp.expand(v) + sp.loggamma(a))
        if not any(t.has(sp.log) and _coefficient(t).free_symbols & a.free_symbols for t in sp.Add.make_args(rest)):
            gap = exact_log(v / a) if v.has(sp.exp) else sp.log(v / a)
            return rest - a * ExpGap(gap) + sp.log(a / (2 * sp.pi)) / 2 - StirlingError(a)
    return None


def _coefficient(term) -> sp.Expr:
    return sp.Mul(*[f for f in sp.Mul.make_args(term) if not f.has(sp.log)])


def _ratio(expr) -> sp.Expr:
    found = {}
    for term in expr.args:
        k, function = term.as_coeff_Mul()
        if isinstance(function, sp.loggamma):
            found[function.args[0]] = k
    for u, k in found.items():
        for a, other in found.items():
            c = sp.expand(u - a)
            if k == -other and c.is_number and c.is_positive:
                pair = k * (sp.loggamma(u) - sp.loggamma(a))
                written = (a - sp.S.Half) * Log1p(c / a) + c * sp.log(u) - c + StirlingError(u) - StirlingError(a)
                return _ratio(expr - pair + k * written)
    return expr
