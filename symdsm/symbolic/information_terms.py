"""The mean of a squared score, term by term: the rules that symbolic/information.py tries.

Each rule takes (log f, u, support, score) and gives (E score^2, where it is finite), or None.
"""

import sympy as sp

from symdsm.symbolic.nodes import LogBesselI, plain
from symdsm.symbolic.pivot import R, pivots

__all__ = ["normal_mean", "pivot_mean", "von_mises_mean"]


def normal_mean(log_f, u, support, score):
    """u standard normal, score^2 a sum of c u^p e^(ku):  E u^p e^(ku) = e^(k^2/2) E (u + k)^p."""
    if support != sp.S.Reals or sp.expand(log_f + u**2 / 2).has(u):
        return None
    square = sp.expand(sp.powsimp(sp.expand(plain(score))) ** 2)
    total = sp.S.Zero
    for term in sp.Add.make_args(sp.expand(sp.expand_power_exp(square))):
        c, own = sp.powsimp(term).as_independent(u, as_Add=False)
        p, k = sp.S.Zero, sp.S.Zero
        for factor in sp.Mul.make_args(own):
            if isinstance(factor, sp.exp):
                slope = sp.expand(factor.exp).coeff(u, 1)
                rest = sp.expand(factor.exp - slope * u)
                if rest.has(u):
                    return None
                k, c = k + slope, c * sp.exp(rest)
            else:
                base, power = factor.as_base_exp()
                if base != u and factor != 1 or not power.is_Integer or power < 0:
                    return None
                p += power if base == u else 0
        moment = sum(sp.binomial(p, m) * sp.factorial2(m - 1) * k ** (p - m) for m in range(0, int(p) + 1, 2))
        total += c * sp.exp(k**2 / 2) * moment
    return tidy(total), sp.true


def von_mises_mean(log_f, u, support, score):
    """log f = kappa cos(u - m) + const on a circle, score = c d/du log f:  c^2 kappa I_1(kappa)/I_0(kappa)."""
    if support.inf.is_infinite or sp.cancel(support.sup - support.inf - 2 * sp.pi) != 0:
        return None
    slope = sp.diff(plain(log_f), u)
    for m in (sp.S.Zero, *sorted(log_f.free_symbols - {u}, key=str)):
        kappa = -sp.diff(slope, u).subs(u, m)
        if slope.subs(u, m) == 0 and kappa.is_positive and sp.Abs(slope.subs(u, m + sp.pi / 2)) == kappa:
            scale = sp.cancel(score.subs(u, m + sp.pi / 2) / kappa)
            return scale**2 * kappa * sp.exp(LogBesselI(1, kappa) - LogBesselI(0, kappa)), sp.true
    return None


def pivot_mean(log_f, u, support, score):
    """score^2 as a sum of c R^i (1+R)^j; infinite where a term that is there has no finite mean."""
    for pivot in pivots(log_f, u, support):
        monomials = _monomials(plain(score), u, pivot.map)
        if monomials is None:
            continue
        found = _mean(pivot, monomials)
        if found is not None:
            return found
    return None


def _monomials(score, u, image):
    """{(i, j): c} with score^2 = sum c R^i (1+R)^j at u = image > 0; None when it is no such sum."""
    put = score.xreplace({sp.Abs(u): image, sp.sign(u): sp.S.One}).subs(u, image)
    put = put.replace(sp.sign, lambda a: sp.S.One if a.is_positive else sp.sign(a))
    put = put.replace(sp.log, lambda a: sp.expand_log(sp.log(sp.factor(sp.together(a))), force=True))
    put = put.replace(sp.exp, lambda a: sp.exp(sp.expand_log(a, force=True)))
    put = sp.powdenest(sp.powsimp(sp.expand(put), force=True), force=True)
    square = sp.expand(sp.factor(sp.together(put)) ** 2, deep=False)
    square = sp.factor(sp.powsimp(square)) if not square.is_Add else square
    out: dict = {}
    for term in _terms(square):
        c, own = term.as_independent(R, as_Add=False)
        i = j = sp.S.Zero
        for factor in sp.Mul.make_args(sp.powdenest(own, force=True)):
            base, power = factor.as_base_exp()
            if base == R:
                i += power
            elif sp.expand(base - R - 1) == 0:
                j += power
            elif sp.expand(base + R + 1) == 0 and power.is_integer:
                c, j = c * (-1) ** power, j + power
            elif factor != 1:
                return None
        key = (sp.expand(i), sp.expand(j))
        out[key] = out.get(key, 0) + c
    return {key: sp.factor(c) for key, c in out.items() if sp.expand(c) != 0}


def _terms(square):
    """The square as products: sums in the numerator are multiplied out, powers of 1 + R are kept whole."""
    kept, sums = [], []
    for factor in sp.Mul.make_args(sp.powsimp(square)):
        base, power = factor.as_base_exp()
        if base.is_Add and base.has(R) and sp.expand(base - R - 1) != 0 and power.is_Integer and power > 0:
            sums.append(factor)
        else:
            kept.append(factor)
    return [t * sp.Mul(*kept) for t in sp.Add.make_args(sp.expand(sp.Mul(*sums)))]


def _mean(pivot, monomials):
    total, condition = sp.S.Zero, sp.true
    doubtful = []
    for (i, j), c in monomials.items():
        found = pivot.moment(i, j)
        if found is None:
            return None
        value, finite = found
        total += c * value
        condition = sp.And(condition, tidy_condition(finite))
        if finite != sp.true:
            doubtful.append(c)
    general = tidy(total)
    pieces = []
    for symbol, at in _exceptions(doubtful):
        if condition.xreplace({symbol: at}) == sp.true:
            continue
        special = {k: c.xreplace({symbol: at}) for k, c in monomials.items()}
        special = {(i.xreplace({symbol: at}), j.xreplace({symbol: at})): c for (i, j), c in special.items() if c != 0}
        found = _mean(_at(pivot, symbol, at), special) if special else (sp.S.Zero, sp.true)
        if found is not None and found[1] == sp.true:
            pieces.append((found[0], sp.Eq(symbol, at)))
    if condition == sp.false and not pieces:
        return sp.oo, sp.false
    whole = sp.Or(condition, *[when for _, when in pieces])
    return (sp.Piecewise(*pieces, (general, True)) if pieces else general), whole


def _exceptions(coefficients):
    """(parameter, value) at which a coefficient vanishes."""
    found = set()
    for c in coefficients:
        for factor in sp.Mul.make_args(sp.factor(c)):
            base = factor.as_base_exp()[0]
            for symbol in base.free_symbols if base.is_Add else ():
                if base.is_polynomial(symbol) and sp.degree(base, symbol) == 1:
                    root = -base.coeff(symbol, 0) / base.coeff(symbol, 1)
                    if root.is_number and (root.is_positive or not symbol.is_positive):
                        found.add((symbol, sp.nsimplify(root)))
    return sorted(found, key=str)


def _at(pivot, symbol, value):
    fields = {f: getattr(pivot, f) for f in pivot.__dataclass_fields__}
    put = {f: v.xreplace({symbol: value}) if isinstance(v, sp.Basic) else v for f, v in fields.items()}
    return type(pivot)(**put)


def tidy(expr: sp.Expr) -> sp.Expr:
    """One factored fraction, where that is shorter."""
    candidates = [expr, sp.factor_terms(expr)]
    if sp.count_ops(expr) < 200:
        candidates.append(sp.factor(sp.cancel(sp.together(sp.powsimp(expr)))))
    return min(candidates, key=lambda e: (sp.count_ops(e), str(e)))


def tidy_condition(condition):
    """L - 2 > 0 becomes L > 2; a positive number times the same, too."""
    if isinstance(condition, sp.And):
        return sp.And(*[tidy_condition(c) for c in condition.args])
    if not isinstance(condition, sp.Gt):
        return condition
    gap = sp.expand(condition.lhs - condition.rhs)
    if gap.is_positive:
        return sp.true
    for symbol in sorted(gap.free_symbols, key=str):
        slope = gap.coeff(symbol, 1)
        if gap.is_polynomial(symbol) and sp.degree(gap, symbol) == 1 and slope.is_number and slope > 0:
            return sp.Gt(symbol, sp.expand(-gap.coeff(symbol, 0) / slope))
    return sp.Gt(gap, 0)
