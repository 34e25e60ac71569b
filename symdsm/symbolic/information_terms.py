"""The mean of a squared score, term by term: the rules that symbolic/information.py tries.

Each rule takes (log f, u, support, score) and gives (E score^2, where it is finite), or None. A power of log R is a
derivative of a moment: E R^i (log R)^m = d^m/di^m E R^i, finite where E R^i is.
"""

import sympy as sp

from symdsm.symbolic.nodes import LogBesselI, plain
from symdsm.symbolic.pivot import R, merge_gammas, pivots

__all__ = ["constant_mean", "normal_mean", "pivot_mean", "von_mises_mean"]


def constant_mean(log_f, u, support, score):
    """A score without u, such as 0 for a uniform noise."""
    score = sp.factor_terms(score)
    return None if u in score.free_symbols else (tidy(score**2), sp.true)


def normal_mean(log_f, u, support, score):
    """u standard normal, score^2 a sum of c u^p e^(ku):  E u^p e^(ku) = e^(k^2/2) E (u + k)^p."""
    if support != sp.S.Reals or sp.expand(log_f + u**2 / 2).has(u):
        return None
    square = sp.expand(sp.powsimp(sp.expand(_in_one_power(plain(score), u))) ** 2)
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


def _in_one_power(score, u):
    """A rational function of one w = exp(c + k u), such as that of a logistic map, as a sum of powers of w."""
    powers = [e for e in score.atoms(sp.exp) if u in e.free_symbols]
    if not powers or not score.has(sp.Pow) or not any(p.exp.is_negative for p in score.atoms(sp.Pow)):
        return score
    w, unit = sp.Dummy("w", positive=True), min(powers, key=sp.count_ops).args[0]
    ratios = {e: sp.cancel(e.args[0] / unit) for e in powers}
    if not all(r.is_Integer for r in ratios.values()):
        return score
    above, below = sp.fraction(sp.cancel(sp.together(score.xreplace({e: w**r for e, r in ratios.items()}))))
    scale, rest = sp.factor(below).as_independent(w, as_Add=False)
    terms = sp.collect(sp.expand(above / rest), w, evaluate=False)
    return sp.Add(*[sp.factor(c / scale) * v for v, c in terms.items()]).xreplace({w: sp.exp(unit)})


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
    """{(i, j, m, n): c}: score^2 = sum c R^i (1+R)^j log(R)^m log(1+R)^n at u = image > 0; None if it is not."""
    put = score.xreplace({sp.Abs(u): image, sp.sign(u): sp.S.One}).subs(u, image)
    put = put.replace(sp.sign, lambda a: sp.S.One if a.is_positive else sp.sign(a))
    put = put.replace(sp.log, lambda a: sp.expand_log(sp.log(sp.factor(sp.together(a))), force=True))
    put = put.replace(sp.exp, lambda a: sp.exp(sp.expand_log(a, force=True)))
    put = sp.powdenest(sp.powsimp(sp.expand(put), force=True), force=True)
    square = sp.factor(sp.powsimp(sp.factor(sp.together(put)) ** 2))
    out: dict = {}
    for term in _terms(square):
        c, own = term.as_independent(R, as_Add=False)
        i = j = m = n = sp.S.Zero
        for factor in sp.Mul.make_args(sp.powdenest(own, force=True)):
            base, power = factor.as_base_exp()
            if base == R:
                i += power
            elif base == sp.log(R):
                m += power
            elif base == sp.log(R + 1):
                n += power
            elif sp.expand(base - R - 1) == 0:
                j += power
            elif sp.expand(base + R + 1) == 0 and power.is_integer:
                c, j = c * (-1) ** power, j + power
            elif factor != 1:
                return None
        if not all(p.is_Integer and p >= 0 for p in (m, n)):
            return None
        key = (sp.expand(i), sp.expand(j), m, n)
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


def _moment(pivot, i, j, m, n):
    p, q = sp.Dummy("p", real=True), sp.Dummy("q", real=True)
    found = pivot.moment(i, j)
    if found is None or m == n == 0:
        return found
    general = pivot.moment(p, sp.S.Zero if n == 0 else q)
    if general is None or pivot.inverse != 0:
        return None
    value = general[0].diff(p, int(m)) if m else general[0]
    value = value.diff(q, int(n)) if n else value
    value = value.xreplace({p: i, q: j}).doit()
    return value.replace(sp.polygamma, lambda order, a: sp.expand_func(sp.polygamma(order, a))), found[1]


def _mean(pivot, monomials):
    total, condition, doubtful = sp.S.Zero, sp.true, []
    for powers, c in monomials.items():
        found = _moment(pivot, *powers)
        if found is None:
            return None
        value, finite = found
        total += c * value
        condition = sp.And(condition, tidy_condition(finite))
        if finite != sp.true:
            doubtful.append(c)
    general, condition = tidy(total), strongest(condition)
    pieces, whole = [], condition
    for symbol, at in _exceptions(doubtful):
        if condition.xreplace({symbol: at}) == sp.true:
            continue
        put = {symbol: at}
        special = {tuple(k.xreplace(put) for k in key): c.xreplace(put) for key, c in monomials.items()}
        special = {key: c for key, c in special.items() if sp.expand(c) != 0}
        found = _mean(_at(pivot, put), special) if special else (sp.S.Zero, sp.true)
        if found is not None and found[1] != sp.false:
            pieces.append((found[0], sp.Eq(symbol, at)))
            whole = sp.Or(whole, sp.And(sp.Eq(symbol, at), found[1]))
    if whole == sp.false:
        return sp.oo, sp.false
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


def _at(pivot, put):
    fields = {f: getattr(pivot, f) for f in pivot.__dataclass_fields__}
    return type(pivot)(**{f: v.xreplace(put) if isinstance(v, sp.Basic) else v for f, v in fields.items()})


def tidy(expr: sp.Expr) -> sp.Expr:
    """One factored fraction, or the form with the fewest gamma functions."""
    candidates = [expr, sp.factor_terms(expr)]
    if sp.count_ops(expr) < 250:
        candidates.append(sp.factor(sp.cancel(sp.together(sp.powsimp(expr)))))
        if expr.has(sp.gamma):
            merged = sp.factor(sp.together(sp.powsimp(merge_gammas(expr))))
            return min(candidates[:1] + [merged], key=lambda e: (len(e.atoms(sp.gamma)), sp.count_ops(e), str(e)))
    return min(candidates, key=lambda e: (sp.count_ops(e), str(e)))


def tidy_condition(condition):
    """L - 2 > 0 becomes L > 2, and 1 - 2/k > 0 becomes k > 2 for a positive k."""
    if isinstance(condition, sp.And):
        return sp.And(*[tidy_condition(c) for c in condition.args])
    if not isinstance(condition, sp.Gt):
        return condition
    numerator, denominator = sp.fraction(sp.together(condition.lhs - condition.rhs))
    gap = sp.expand(numerator if denominator.is_positive else condition.lhs - condition.rhs)
    if gap.is_positive:
        return sp.true
    for symbol in sorted(gap.free_symbols, key=str):
        slope = gap.coeff(symbol, 1)
        if gap.is_polynomial(symbol) and sp.degree(gap, symbol) == 1 and slope.is_number and slope > 0:
            return sp.Gt(symbol, sp.expand(-gap.coeff(symbol, 0) / slope))
    return sp.Gt(gap, 0)


def strongest(condition):
    """a > 1 and a > 2 is a > 2."""
    parts = list(condition.args) if isinstance(condition, sp.And) else [condition]
    bounds = [c for c in parts if isinstance(c, sp.Gt)]

    def implied(c):
        return any(o != c and (sp.expand((c.lhs - c.rhs) - (o.lhs - o.rhs))).is_nonnegative for o in bounds)

    return sp.And(*[c for c in parts if not (isinstance(c, sp.Gt) and implied(c))])
