"""Rewriting for code: the same numbers with fewer roundings.

    log(1 + u) -> Log1p(u)        exp(u) - 1 -> Expm1(u)        log(1 + u^2) -> Log1pSquare(u)
    sqrt(c^2 + u^2) -> Hypot(c, u)
    a^2 b^2/c^2 -> Square(a b/c), because c^2 leaves the range of float32 before the ratio does; other powers likewise
    log(a/(b c)) -> log(a/b) - log c, because b c leaves that range as well
    a log v - v - log Gamma(a) and ratios of gamma functions -> codegen/stirling.py
    a long sum of numbers -> its value
    log(...) inside a declared log density -> the stable nodes of symbolic/logs.py
    c (log y - log x) -> c log(y/x)                 log L - log(L y) -> -log y
    exp(log r) - 1 - log r -> LogGap(r)
    |u|^b -> AbsPower(u, b), whose derivative is not 0/0 at u = 0
    k cos u - log I_0(k) -> -2 k sin(u/2)^2 - log (I_0(k) e^-k)
    nu x + nu (1 - x) -> nu
    pieces -> pieces whose unused branches see a harmless argument (safe `where`)

The derivatives of a stabilised log density are again made of stable nodes, so the score is derived after this step.
"""

import sympy as sp

from symdsm.codegen.stirling import stirling
from symdsm.symbolic.logs import stable_logs
from symdsm.symbolic.nodes import (
    AbsPower,
    ExpGap,
    Expm1,
    Hypot,
    Log1p,
    Log1pSquare,
    LogAbs,
    LogBesselI,
    LogBesselIe,
    LogGap,
    Square,
)

__all__ = ["stabilise", "whole_powers"]


def stabilise(expr: sp.Expr) -> sp.Expr:
    expr = stable_logs(expr.replace(_collapses, sp.expand))
    return _walk(stirling(expr) if expr.is_Add else expr)


def _collapses(expr: sp.Basic) -> bool:
    """A short sum that is a single symbol when multiplied out."""
    return (
        expr.is_Add
        and len(expr.args) == 2
        and any(a.is_Mul and a.has(sp.Add) for a in expr.args)
        and (sp.expand(expr).is_Symbol)
    )


def _walk(expr: sp.Basic) -> sp.Basic:
    if not expr.args:
        return expr
    args = [_walk(a) for a in expr.args]
    expr = expr.func(*args) if tuple(args) != expr.args else expr
    if isinstance(expr, sp.log) and expr.args[0].is_Add:
        one, rest = expr.args[0].as_coeff_Add()
        if one is sp.S.One:
            root = _root(rest)
            return Log1p(rest) if root is None else Log1pSquare(root)
    if isinstance(expr, Log1p) and _root(expr.args[0]) is not None:
        return Log1pSquare(_root(expr.args[0]))
    if isinstance(expr, (sp.log, LogAbs)) and len(expr.args[0].free_symbols) > 2:
        return _few_factors(expr)
    if expr.is_Mul:
        return whole_powers(sp.Mul(*[_one_log(a) for a in expr.args]))
    if expr.is_Pow and expr.exp in (sp.S.Half, -sp.S.Half) and expr.base.is_Add:
        return _hypot(expr)
    if expr.is_Pow and not expr.exp.is_number and expr.base.has(sp.Abs):
        return _abs_power(expr)
    if isinstance(expr, ExpGap) and isinstance(expr.args[0], sp.log):
        return LogGap(*expr.args[0].args)
    return _expm1(_fold(_wave(_fewer_logs(expr)))) if expr.is_Add else expr


def _few_factors(expr: sp.Expr) -> sp.Expr:
    """The logarithm of a product of more than two factors, one of them by one, the first two together."""
    factors = [f for f in sp.Mul.make_args(expr.args[0]) if not f.is_number]
    if len(factors) < 3:
        return expr
    logs = [f.exp * expr.func(f.base) if f.is_Pow and f.exp in (1, -1) else expr.func(f) for f in factors[2:]]
    return expr.func(expr.args[0] / sp.Mul(*factors[2:])) + sp.Add(*logs)


def _root(expr: sp.Expr) -> sp.Expr | None:
    """u with u^2 = expr, for a product of squares and positive factors that holds a square."""
    squares, others = _squares(expr)
    if not squares or not all(f.is_positive for f in others):
        return None
    return sp.Mul(*squares, *(sp.sqrt(f) for f in others))


def _hypot(expr: sp.Pow) -> sp.Expr:
    """sqrt(c^2 + u^2) of a positive c and a square u^2; its inverse likewise."""
    if len(expr.base.args) == 2:
        for constant, square in (expr.base.args, expr.base.args[::-1]):
            c, u = sp.sqrt(constant), _root(square)
            if constant.is_positive and u is not None:
                return Hypot(c, u) ** (2 * expr.exp)
    return expr


def whole_powers(expr: sp.Expr) -> sp.Expr:
    """a^n b^n/c^n -> (a b/c)^n in a product, by squaring, so that no power is larger than the whole.

    Likewise a^5/b^2 -> a (a^2/b)^2: of different exponents the common even part is taken.
    """
    powers, others = {}, []
    for factor in sp.Mul.make_args(expr):
        n = factor.exp if factor.is_Pow and factor.exp.is_Integer else sp.S.One
        if abs(n) > 1:
            powers[factor.base] = n
        else:
            others.append(factor)
    if len(powers) < 2:
        return expr
    if len({abs(n) for n in powers.values()}) > 1 and {n > 0 for n in powers.values()} == {True, False}:
        others += [b ** sp.sign(n) for b, n in powers.items() if n % 2]
        powers = {b: n - sp.sign(n) * (n % 2) for b, n in powers.items()}
        return sp.Mul(*others, Square(sp.Mul(*(b ** (n / 2) for b, n in powers.items()))))
    groups = {}
    for base, n in powers.items():
        groups.setdefault(abs(n), []).append(base ** sp.sign(n))
    if all(len(bases) == 1 for bases in groups.values()):
        return expr
    return sp.Mul(*others, *(_power(sp.Mul(*bases), n) for n, bases in groups.items()))


def _power(u: sp.Expr, n: sp.Integer) -> sp.Expr:
    if n == 1 or u.is_Atom:
        return u**n
    return Square(_power(u, n / 2)) if n % 2 == 0 else u * _power(u, n - 1)


def _squares(expr: sp.Expr) -> tuple[list, list]:
    """The roots of the squared factors of a product, and its other factors."""
    squares, others = [], []
    for factor in sp.Mul.make_args(expr):
        if isinstance(factor, Square):
            squares.append(factor.args[0])
        elif factor.is_Pow and factor.exp in (2, -2):
            squares.append(factor.base ** (factor.exp / 2))
        else:
            others.append(factor)
    return squares, others


def _one_log(expr: sp.Expr) -> sp.Expr:
    """log y - log x -> log(y/x) in a factor: near y = x only the quotient keeps its digits."""
    if not expr.is_Add or len(expr.args) != 2:
        return expr
    minus = next((a for a in expr.args if isinstance(-a, sp.log) and (-a).args[0].is_Symbol), None)
    plus = sp.Add(*[a for a in expr.args if a is not minus])
    if minus is None or not isinstance(plus, (sp.log, LogAbs)) or plus.args[0].is_number:
        return expr
    ratio = plus.args[0] / (-minus).args[0]
    return plus.func(ratio) if len(ratio.free_symbols) <= 2 else expr


def _fewer_logs(expr: sp.Expr) -> sp.Expr:
    """log L - log(L y) -> -log y: a logarithm of positive factors is taken apart where the sum becomes shorter."""
    for term in expr.args:
        k, function = term.as_coeff_Mul()
        if isinstance(function, sp.log) and function.args[0].is_Mul:
            apart = expr - term + sp.Add(*[k * t for t in sp.Add.make_args(sp.expand_log(function))])
            if (len(apart.atoms(sp.log)), apart.count_ops()) < (len(expr.atoms(sp.log)), expr.count_ops()):
                return _fewer_logs(apart) if apart.is_Add else apart
    return expr


def _abs_power(expr: sp.Pow) -> sp.Expr:
    factors = sp.Mul.make_args(expr.base)
    signed = [f.args[0] if isinstance(f, sp.Abs) else f for f in factors]
    known = all(isinstance(f, sp.Abs) or f.is_positive for f in factors)
    return AbsPower(sp.Mul(*signed), expr.exp) if known else expr


def _wave(expr: sp.Add) -> sp.Expr:
    """k cos u - log I_nu(k) without the k that cancels between the two."""
    for term in expr.args:
        if isinstance(-term, LogBesselI):
            nu, k = (-term).args
            waves = [t / k for t in expr.args if isinstance(t / k, sp.cos)] if k.is_positive else []
            if waves:
                half = sp.sin(waves[0].args[0] / 2)
                return expr - term - k * waves[0] - LogBesselIe(nu, k) - 2 * k * half**2
    return expr


def _fold(expr: sp.Add) -> sp.Expr:
    """A long sum of numbers as one number; log(2*pi)/2 stays readable."""
    constants = [a for a in expr.args if a.is_number]
    total = sp.Add(*constants)
    if len(constants) < 2 or sp.count_ops(total) < 8:
        return expr
    return sp.Add(*[a for a in expr.args if not a.is_number], sp.Float(total.evalf(25), 17))


def _expm1(expr: sp.Expr) -> sp.Expr:
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
