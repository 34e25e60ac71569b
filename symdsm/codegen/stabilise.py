"""Rewriting for code: the same numbers with fewer roundings.

    log(1 + u) -> Log1p(u)        exp(u) - 1 -> Expm1(u)
    a long sum of numbers -> its value
    log(...) inside a declared log density -> the stable nodes of symbolic/logs.py
    pieces -> pieces whose unused branches see a harmless argument (safe `where`)

The derivatives of a stabilised log density are again made of stable nodes, so the score is derived after this step.
"""

import sympy as sp

from symdsm.symbolic.logs import stable_logs
from symdsm.symbolic.nodes import Expm1, Log1p

__all__ = ["stabilise"]


def stabilise(expr: sp.Expr) -> sp.Expr:
    return _walk(stable_logs(expr))


def _walk(expr: sp.Basic) -> sp.Basic:
    if not expr.args:
        return expr
    args = [_walk(a) for a in expr.args]
    expr = expr.func(*args) if tuple(args) != expr.args else expr
    if isinstance(expr, sp.log) and expr.args[0].is_Add:
        one, rest = expr.args[0].as_coeff_Add()
        if one is sp.S.One:
            return Log1p(rest)
    return _expm1(_fold(expr)) if expr.is_Add else expr


def _fold(expr: sp.Add) -> sp.Expr:
    """A long sum of numbers as one number; log(2*pi)/2 stays readable."""
    constants = [a for a in expr.args if a.is_number]
    total = sp.Add(*constants)
    if len(constants) < 2 or sp.count_ops(total) < 8:
        return expr
    return sp.Add(*[a for a in expr.args if not a.is_number], sp.Float(total.evalf(25), 17))


def _expm1(expr: sp.Add) -> sp.Expr:
    """c (exp(u) - 1) + rest, when a constant -c and one c exp(u) are both there."""
    if not expr.is_Add:
        return expr
    constant, _ = expr.as_coeff_Add()
    if constant.is_zero:
        return expr
    for term in expr.args:
        c, f = term.as_coeff_Mul()
        if isinstance(f, sp.exp) and c == -constant:
            return expr - constant - term + c * Expm1(f.exp)
    return expr
