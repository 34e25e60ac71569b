"""Rewriting of derivatives: fewer and cheaper operations with the same digits.

A stabilised log density keeps exponentials of logarithms apart because its values need it; its derivatives often do
not. Every rule is exact for real arguments and leaves out cancellation or transcendental functions:

    exp(log a + 2 log|b| - log c) - 1 = a b^2/c - 1          c (a/c - 1) = a - c
    c exp u - c = c expm1 u                                  2 c sigma(u) - c = c tanh(u/2)
    sigma(log(a/b)) = a/(a + b)                              softmax of two = sigma of their difference
    sign(log(a/b)) = sign(a - b)                             1/a + 1/(1 - a) = 1/(a (1 - a))
    sin u cos u = sin(2u)/2, where neither stands alone      log a - log b = log(a/b)
    exp(log I_(n+1)(u) - log I_n(u)) = I_(n+1)(u)/I_n(u)
    1/(1 + a/b) = b/(a + b)                                  a sigma(u) + b sigma(-u) as one fraction

sigma is the logistic function.
"""

import sympy as sp

from symdsm.codegen.stabilise import whole_powers
from symdsm.symbolic.nodes import (
    BesselIRatio,
    Blend,
    Exp,
    Expm1,
    Log1p,
    LogAbs,
    LogBesselI,
    Sigmoid,
    Softmax,
    Softplus,
    Square,
)

__all__ = ["fewer_divisions", "powers_by_logs", "shorten"]


def powers_by_logs(expr: sp.Expr, y: sp.Symbol) -> sp.Expr:
    """u^k -> exp(k log u) for a positive u that depends on y: faster than a power, and the logarithm may be shared."""
    return expr.replace(
        lambda e: e.is_Pow and not e.exp.is_number and e.base.is_positive and y in e.base.free_symbols,
        lambda e: Exp(e.exp * sp.log(e.base)),
    )


def fewer_divisions(expr: sp.Expr) -> sp.Expr:
    """1/(1 + a/b) -> b/(a + b) for products of positive symbols; two logistic weights as one function."""
    return expr.replace(_is_inverse_ratio, _cleared).replace(lambda e: e.is_Add and len(e.args) == 2, _blend)


def _is_inverse_ratio(expr: sp.Basic) -> bool:
    if not (expr.is_Pow and expr.exp.is_Integer and expr.exp < 0 and expr.base.is_Add and len(expr.base.args) == 2):
        return False
    one, ratio = expr.base.as_coeff_Add()
    symbols = [f.base if f.is_Pow and f.exp == -1 else f for f in sp.Mul.make_args(ratio)]
    return one == 1 and 2 <= len(symbols) <= 4 and all(f.is_Symbol and f.is_positive for f in symbols)


def _cleared(expr: sp.Expr) -> sp.Expr:
    a, b = sp.fraction(expr.base - 1)
    return (b / (a + b)) ** -expr.exp


def _blend(expr: sp.Expr) -> sp.Expr:
    """a sigma(u) + b sigma(-u), where a and b hold no other logistic function."""
    weights = [[f for f in sp.Mul.make_args(term) if isinstance(f, Sigmoid)] for term in expr.args]
    if any(len(w) != 1 for w in weights) or weights[0][0].args[0] != -weights[1][0].args[0]:
        return expr
    (upper,), (lower,) = sorted(weights, key=lambda w: w[0].args[0].could_extract_minus_sign())
    a, b = (next(t / w for t in expr.args if w in sp.Mul.make_args(t)) for w in (upper, lower))
    return expr if a.has(Sigmoid) or b.has(Sigmoid) else Blend(upper.args[0], a, b)


def shorten(expr: sp.Expr) -> sp.Expr:
    """The same function in fewer operations."""
    return _half_angles(_walk(expr))


def _walk(expr: sp.Basic) -> sp.Basic:
    if not expr.args:
        return expr
    args = [_walk(a) for a in expr.args]
    expr = expr.func(*args) if tuple(args) != expr.args else expr
    for kind, rule in _RULES:
        if isinstance(expr, kind):
            expr = rule(expr)
    return expr


def _factor(term: sp.Expr) -> sp.Expr | None:
    """exp(term), where that is a small whole power of something that is there."""
    n, f = term.as_coeff_Mul()
    if not (n.is_Integer and abs(n) <= 2):
        return None
    if isinstance(f, sp.log) and not f.args[0].is_number:
        return f.args[0] ** n
    if isinstance(f, LogAbs):
        return sp.Abs(f.args[0]) ** n
    if isinstance(f, Log1p):
        return (1 + f.args[0]) ** n
    if isinstance(f, Softplus):
        return Sigmoid(-f.args[0]) ** -n if n == -1 else None
    return None


def _expm1(expr: sp.Expr) -> sp.Expr:
    factors = [_factor(term) for term in sp.Add.make_args(expr.args[0])]
    if None in factors or len(factors) > 4:
        return expr
    return _walk(sp.Mul(*factors)) - 1


def _log_abs(expr: sp.Expr) -> sp.Expr:
    return sp.log(expr.args[0]) if expr.args[0].is_positive else expr


def _sigmoid(expr: sp.Expr) -> sp.Expr:
    sign, f = expr.args[0].as_coeff_Mul()
    if sign not in (1, -1) or not isinstance(f, sp.log) or not f.args[0].is_positive:
        return expr
    above, below = sp.fraction(f.args[0] ** sign)
    return above / (above + below)


def _softmax(expr: sp.Expr) -> sp.Expr:
    k, *args = expr.args
    if len(args) != 2 or expr.has(sp.Piecewise):  # a part may be empty, minus infinity: then softmax guards
        return expr
    difference = _one_square(args[0] - args[1])
    return _walk(Sigmoid(difference if k == 0 else -difference))


def _one_square(expr: sp.Expr) -> sp.Expr:
    """a Square(r/s) - b Square(r/t) -> (a/s^2 - b/t^2) r^2: where both overflow their difference has a sign."""
    sums = {f for node in expr.atoms(Square) for f in sp.Mul.make_args(node.args[0]) if f.is_Add}
    marks = {f: sp.Dummy(positive=True) for f in sorted(sums, key=sp.default_sort_key)}
    spread = expr.xreplace(marks).replace(Square, lambda u: u**2)
    for f, mark in marks.items():
        if expr.xreplace({f: mark}).xreplace({f: sp.S.Zero}).has(f):
            return expr
        parts = sp.collect(spread, mark**2, evaluate=False)
        spread = sp.Add(*(p * _one_product(c) if p != 1 else c for p, c in parts.items())).xreplace({mark: f})
    return spread


def _one_product(expr: sp.Expr) -> sp.Expr:
    """1 - 1/(1 + b) -> b/(1 + b), where the common numerator is a product."""
    whole = sp.factor(expr)
    return expr if any(f.is_Add for f in sp.Mul.make_args(sp.numer(whole))) else whole


def _sign(expr: sp.Expr) -> sp.Expr:
    f = expr.args[0]
    if isinstance(f, sp.log) and f.args[0].is_positive:
        above, below = sp.fraction(f.args[0])
        return sp.sign(above - below)
    return expr


def _product(expr: sp.Expr) -> sp.Expr:
    """c (a/c - 1) -> a - c, for a symbol c; c (2 a - 2 b) -> 2 c (a - b)."""
    content, sums = sp.S.One, []
    for factor in expr.args:
        common, rest = factor.primitive() if factor.is_Add else (sp.S.One, factor)
        content, sums = content * common, [*sums, rest]
    if content is not sp.S.One and len(expr.args) > 2:
        expr = sp.Mul(content, *sums)
    for factor in expr.args:
        if factor.is_Add and len(factor.args) == 2 and sp.S.NegativeOne in factor.args:
            ratio = factor + 1
            for c in expr.args:
                if c.is_Symbol and 1 / c in ratio.args:
                    return expr / c / factor * (c * ratio - c)
    return whole_powers(expr)


def _sum(expr: sp.Expr) -> sp.Expr:
    for rule in (_paired, _one_log, _one_fraction):
        if expr.is_Add:
            expr = rule(expr)
    return expr


def _paired(expr: sp.Expr) -> sp.Expr:
    """c f - c as one function, for f an exponential or twice a logistic function.

    Not for a power, exp(k log u): a rounding of u moves it by more than expm1 would save.
    """
    constant = expr.as_coeff_Add()[0]
    for term in expr.args:
        for f in sp.Mul.make_args(term):
            c = term / f
            if isinstance(f, Sigmoid):
                c, one = c / 2, sp.tanh(f.args[0] / 2)
            elif isinstance(f, sp.exp) and not any(isinstance(g, sp.log) for g in sp.Mul.make_args(f.args[0])):
                one = Expm1(f.args[0])
            else:
                continue
            if -c in expr.args or (c.is_number and c == -constant):
                return expr - term + c + c * one
    return expr


def _one_log(expr: sp.Expr) -> sp.Expr:
    """log a - log b -> log(a/b), for two at a time; a and b are positive where their logarithms are defined."""
    logs = {s: [t for t in expr.args if _argument(s * t) is not None] for s in (1, -1)}
    for plus, minus in zip(logs[1], logs[-1], strict=False):
        top, bottom = _argument(plus), _argument(-minus)
        both = LogAbs if isinstance(_log_in(plus), LogAbs) or isinstance(_log_in(minus), LogAbs) else sp.log
        expr = expr - plus - minus + both(top / bottom)
    return expr


def _log_in(term: sp.Expr) -> sp.Expr:
    return term if isinstance(term, sp.Function) else -term


def _argument(term: sp.Expr) -> sp.Expr | None:
    """u where the term is log u or log|u| of what is simple and varies."""
    if not isinstance(term, (sp.log, LogAbs, Log1p)):
        return None
    u = 1 + term.args[0] if isinstance(term, Log1p) else term.args[0]
    return (
        u if u.is_Symbol or (u.is_Add and all(a.is_Symbol or (-a).is_Symbol or a.is_number for a in u.args)) else None
    )


def _one_fraction(expr: sp.Expr) -> sp.Expr:
    """1/a + 1/(1 - a) -> 1/(a (1 - a)): inverses whose common numerator is a number."""
    inverses = [t for t in expr.args if t.is_Pow and t.exp == -1 and (t.base.is_Symbol or t.base.is_Add)]
    inverses += [t for t in expr.args if (-t).is_Pow and (-t).exp == -1]
    if len(inverses) != 2:
        return expr
    above, below = sp.fraction(sp.together(sp.Add(*inverses)))
    above = sp.expand(above)
    return expr - sp.Add(*inverses) + above / below if above.is_number else expr


def _bessel_ratio(expr: sp.Expr) -> sp.Expr:
    terms = sp.Add.make_args(expr.args[0])
    for term in terms:
        if isinstance(-term, LogBesselI):
            nu, u = (-term).args
            above = LogBesselI(nu + 1, u)
            if above in terms:
                return sp.exp(expr.args[0] - above - term) * BesselIRatio(nu, u)
    return expr


def _half_angles(expr: sp.Expr) -> sp.Expr:
    """sin u cos u -> sin(2u)/2 where that leaves no other sine or cosine of u."""
    for sine in sorted(expr.atoms(sp.sin), key=sp.default_sort_key):
        cosine = sp.cos(sine.args[0])
        mark = sp.Dummy()
        changed = expr.replace(
            lambda e, s=sine, c=cosine: e.is_Mul and s in e.args and c in e.args,
            lambda e, s=sine, c=cosine, m=mark: e / (s * c) * m,
        )
        if changed != expr and not changed.has(sine, cosine):
            expr = changed.xreplace({mark: sp.sin(2 * sine.args[0]) / 2})
    return expr


_RULES = (
    (LogAbs, _log_abs),
    (Softmax, _softmax),
    (Sigmoid, _sigmoid),
    (sp.sign, _sign),
    (Expm1, _expm1),
    (sp.exp, _bessel_ratio),
    (sp.Mul, _product),
    (sp.Add, _sum),
)
