"""The exact logarithm of a positive expression, taken factor by factor.

A density is positive inside its support, so log f = sum of log|factor| there, and each factor's logarithm has a
stable form that is written down once, here, instead of being hoped for from a simplifier:

    log e^u = u                     log |b|^p = p log|b|               log (1 + e^u) = Softplus(u)
    log (1 - e^u) = Log1mExp(u)     log (e^u - 1) = LogExpm1(u)        log cosh u = LogCosh(u)
    log erfc u = log 2 + LogNdtr(-sqrt(2) u)                          log (sum of positive e^..) = LSE(..)
    log |sum of c e^u| = SignedLSE(c, u, ..) where a sign is not known
    log Gamma(a, x) = log Gamma(a) + LogGammaQ(a, x)                  log I_x(a, b) = LogBetaInc(a, b, x)
    log I_nu(z) = LogBesselI        log K_nu(z) = LogBesselK           log Gamma(z) = loggamma(z)

Condition: the whole expression is positive where it is used. The absolute values are then exact, because the
product of the factors' signs is +1. `expand_log(force=True)` is not used: it makes complex numbers left of a zero.
"""

import sympy as sp

from symdsm.symbolic.nodes import (
    LSE,
    Expm1,
    Log1mExp,
    LogAbs,
    LogBesselI,
    LogBesselK,
    LogBetaInc,
    LogCosh,
    LogExpm1,
    LogGammaP,
    LogGammaQ,
    LogNdtr,
    LogSinh,
    SignedLSE,
    Softplus,
)

__all__ = ["exact_log", "stable_logs"]


def exact_log(f: sp.Expr) -> sp.Expr:
    """log|f|, factor by factor, in stable nodes. Exact wherever f is not zero."""
    f = sp.sympify(f)
    if f.is_number and not f.has(sp.gamma, sp.beta):
        return sp.log(sp.Abs(f))
    if f.is_Mul:
        return sp.Add(*[exact_log(factor) for factor in f.args])
    if f.is_Pow and f.base is not sp.E:
        if _is_ratio(f.base) or isinstance(f.base, Expm1) and f.exp.is_Rational and f.exp.q % 2 == 0:
            return f.exp * sp.log(f.base)  # a root is real where its base is positive
        return f.exp * exact_log(f.base)
    if isinstance(f, sp.exp):
        return f.exp
    if f.is_Add:
        return _log_of_sum(f)
    if isinstance(f, sp.Piecewise):
        return sp.Piecewise(*[(exact_log(value), condition) for value, condition in f.args])
    if isinstance(f, sp.Product):
        return sp.Sum(exact_log(f.function), *f.limits)
    rule = _FUNCTIONS.get(f.func)
    if rule is not None:
        return rule(*f.args)
    return sp.log(f) if f.is_positive else LogAbs(f)


def stable_logs(expression: sp.Basic) -> sp.Basic:
    """The same expression with every log(...) in it taken by `exact_log`, bottom up."""
    if not expression.args or not expression.has(sp.log):
        return expression
    args = [stable_logs(a) if isinstance(a, sp.Basic) else a for a in expression.args]
    if isinstance(expression, sp.log):
        if _is_ratio(args[0]):
            return sp.log(args[0])
        taken = exact_log(args[0])
        return sp.log(args[0]) if isinstance(taken, LogAbs) else taken
    return expression.func(*args)


def _is_ratio(f: sp.Expr) -> bool:
    """A product of positive symbols and their inverses: one logarithm of it is the best there is."""
    factors = sp.Mul.make_args(f)
    simple = all(a.is_number or a.is_Symbol or (a.is_Pow and a.base.is_Symbol and a.exp == -1) for a in factors)
    return simple and all(a.is_positive for a in factors)


def _log_of_sum(f: sp.Add) -> sp.Expr:
    """log of 1 + e^u, 1 - e^u, e^u - 1, 1 +- erf(u), or of a sum of positive terms; else log of the sum itself."""
    if len(f.args) == 2 and f.args[0] in (sp.S.One, sp.S.NegativeOne):
        sign, other = f.args
        for candidate, log_of in ((other, _plus), (-other, _minus)):
            if isinstance(candidate, sp.erf) and sign is sp.S.One:
                root = sp.sqrt(2) * candidate.args[0]
                return sp.log(2) + LogNdtr(root if candidate is other else -root)
            if _is_power(candidate):
                return log_of(sign, exact_log(candidate))
    known = _two_minus_erfc(f) or _one_plus_wave(f) or _one_fraction(f)
    if known is not None:
        return known
    if any(term.has(sp.exp) or _is_power(term) for term in f.args):
        if all(t.is_positive for t in f.args):
            return LSE(*[exact_log(term) for term in f.args])
        return SignedLSE(*[part for term in f.args for part in _signed(term)])
    return sp.log(f) if f.is_positive else LogAbs(f)


def _two_minus_erfc(f: sp.Add) -> sp.Expr | None:
    """log (2 - erfc u) = log erfc(-u), which SymPy writes the other way round; times a constant."""
    if len(f.args) != 2:
        return None
    two, other = f.args
    c, function = other.as_coeff_Mul()
    if isinstance(function, sp.erfc) and two == -2 * c:
        return exact_log(-c) + sp.log(2) + LogNdtr(sp.sqrt(2) * function.args[0])
    return None


def _one_fraction(f: sp.Add) -> sp.Expr | None:
    """log (1/a + 1/(1 - a)) = -log a - log|1 - a|: inverses whose common numerator is a number."""
    if len(f.args) != 2 or not all(a.is_Pow and a.exp == -1 and (a.base.is_Symbol or a.base.is_Add) for a in f.args):
        return None
    above, below = sp.fraction(sp.together(f))
    above = sp.expand(above)
    return exact_log(above / below) if above.is_number else None


def _one_plus_wave(f: sp.Add) -> sp.Expr | None:
    """log(1 +- cos u) by half angles; log(1 + tanh t) = log 2 - Softplus(-2t), u/sqrt(c + u^2) being such a tanh."""
    one, wave = f.as_coeff_Add()
    if one is not sp.S.One or wave.is_Add:
        return None
    sign, inner = wave.as_coeff_Mul()
    if isinstance(inner, sp.cos) and sign in (1, -1):
        return sp.log(2) + 2 * LogAbs((sp.cos if sign == 1 else sp.sin)(inner.args[0] / 2))
    if isinstance(inner, sp.tanh) and sign in (1, -1):
        return sp.log(2) - Softplus(-2 * sign * inner.args[0])
    roots = [p for p in sp.Mul.make_args(wave) if p.is_Pow and p.exp == -sp.S.Half]
    if len(roots) != 1:
        return None
    u = wave / roots[0]
    c = sp.expand(roots[0].base - u**2)
    return sp.log(2) - Softplus(-2 * sp.asinh(u / sp.sqrt(c))) if c.is_positive else None


def _signed(term: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(c, u) with term = c e^u; c gathers the factors whose sign is not known."""
    positive = [a for a in sp.Mul.make_args(term) if a.is_positive]
    rest = sp.Mul(*[a for a in sp.Mul.make_args(term) if not a.is_positive])
    return rest, exact_log(sp.Mul(*positive))


def _is_power(term: sp.Expr) -> bool:
    """Is |term| = e^u with a u that can be large: exp(u), or a positive base to a symbolic power?"""
    if isinstance(term, sp.exp):
        return True
    if term.is_Pow:
        return not term.exp.is_number and bool(term.base.is_positive)
    if term.is_Mul:
        return any(_is_power(a) for a in term.args) and all(a.is_positive for a in term.args)
    return False


def _plus(sign: sp.Expr, u: sp.Expr) -> sp.Expr:
    return Softplus(u) if sign is sp.S.One else LogExpm1(u)


def _minus(sign: sp.Expr, u: sp.Expr) -> sp.Expr:
    return Log1mExp(u) if sign is sp.S.One else Softplus(u)


def _incomplete_gamma(node, a: sp.Expr, x: sp.Expr, function) -> sp.Expr:
    """log Gamma(a, x) = log Gamma(a) + log Q(a, x) for positive a and x, where the node is defined."""
    return sp.loggamma(a) + node(a, x) if a.is_positive and x.is_positive else LogAbs(function(a, x))


def _incomplete_beta(a: sp.Expr, b: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    if low.is_zero and a.is_positive and b.is_positive:
        return LogBetaInc(a, b, high)
    return LogAbs(sp.betainc_regularized(a, b, low, high))


_FUNCTIONS = {
    sp.Abs: lambda u: sp.log(u) if u.is_positive else exact_log(u),
    sp.cosh: LogCosh,
    sp.sech: lambda u: -LogCosh(u),
    sp.sinh: lambda u: LogSinh(sp.Abs(u) if not u.is_positive else u),
    sp.csch: lambda u: -LogSinh(sp.Abs(u) if not u.is_positive else u),
    sp.erfc: lambda u: sp.log(2) + LogNdtr(-sp.sqrt(2) * u),
    sp.gamma: sp.loggamma,
    sp.beta: lambda a, b, *_: sp.loggamma(a) + sp.loggamma(b) - sp.loggamma(a + b),
    sp.factorial: lambda n: sp.loggamma(n + 1),
    sp.binomial: lambda n, k: sp.loggamma(n + 1) - sp.loggamma(k + 1) - sp.loggamma(n - k + 1),
    sp.uppergamma: lambda a, x: _incomplete_gamma(LogGammaQ, a, x, sp.uppergamma),
    sp.lowergamma: lambda a, x: _incomplete_gamma(LogGammaP, a, x, sp.lowergamma),
    sp.betainc_regularized: _incomplete_beta,
    sp.besseli: LogBesselI,
    sp.besselk: LogBesselK,
}
