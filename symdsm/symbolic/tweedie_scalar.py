"""The rule for scalar kernels: write the score as b(y) T(x) + c(y), or say what it identifies instead.

The score is expanded (logarithms, products, sines of sums) and each term split into a factor in x and one in y:

    d/dy log p(y | x) = sum_k A_k(x) b_k(y) + c(y)

The A_k may be dependent once the constant is counted among them (for N(x, a x + b), A_1 = x/v and A_2 = 1/v with
v = a x + b are): each is m_k T + n_k when there is one statistic only, which the ratios of the derivatives tell. Then

    b = sum_k m_k b_k,    c <- c + sum_k n_k b_k.

Expanding takes liberties with signs and branches, so the result is compared with the score at random admissible
points before it is used. b must not vanish inside the support: there the score would say nothing of x.
"""

import itertools

import mpmath
import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import derivative, readable
from symdsm.symbolic.invert import invert
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.probe import numeric, probes
from symdsm.symbolic.tweedie_form import Tweedie, free_name

__all__ = ["scalar_tweedie"]

_SECONDS, _READABLE = 2.0, 160
_FAILURES = (OutOfTime, NotImplementedError, ValueError, TypeError, AttributeError, RecursionError, ZeroDivisionError)
_FACTORS = (sp.Rational(1, 3), sp.Rational(4, 5), 1, sp.Rational(7, 5), 3)


def scalar_tweedie(declaration: Declaration) -> Tweedie:
    """E[T(x) | y] of a scalar kernel, or what its score identifies."""
    y, x = declaration.noisy, declaration.clean
    names = {s.name for s in (y, x, *declaration.params)}
    l = sp.Symbol(free_name(names), real=True)  # noqa: E741
    if declaration.transition is not None:
        return _linear_gaussian(declaration, l)
    score = derivative(declaration.log_density, y)
    if x not in score.free_symbols:
        return Tweedie(l, reason=f"the score {readable(score)} does not depend on {x}, so it tells nothing of it")
    parts = _attempt(_parts, score, declaration)
    if parts is None:
        return _combination(declaration, score, l, f"the score gives the posterior mean of no function of {x} alone")
    slope, statistic, rest = parts
    mean = _solved(l, slope, rest)
    place = _zero_inside(declaration, slope)
    if place is not None:
        why = f"the score tells nothing of {x} at {y} = {place}; elsewhere E[{statistic} | {y}] = {mean}"
        return Tweedie(l, statistic, mean, reason=why)
    return Tweedie(l, statistic, mean, _inverse(declaration, statistic, mean))


def _linear_gaussian(declaration, l) -> Tweedie:  # noqa: E741
    """The transition kernel of an SDE, N(a x + b, v): E[x | y] = (y - b + v l)/a."""
    law, x = declaration.transition, declaration.clean
    b = law.mean.xreplace({x: sp.S.Zero})
    mean = (declaration.noisy - b + law.covariance * l) / sp.diff(law.mean, x)
    return Tweedie(l, x, mean, mean)


def _solved(l, slope, rest) -> sp.Expr:  # noqa: E741
    """(l - c)/b, the shorter of one fraction and two."""
    whole, apart = readable((l - rest) / slope), l * readable(1 / slope) + readable(-rest / slope)
    return min(_fewest_minuses(whole), apart, key=lambda e: (sp.count_ops(e), len(str(e))))


def _fewest_minuses(fraction: sp.Expr) -> sp.Expr:
    """L y/(L - 1) instead of -L y/(1 - L)."""
    numerator, denominator = sp.fraction(fraction)
    return min(fraction, -numerator / -denominator, key=lambda e: (str(e).count("-"), str(e)[0] == "-"))


def _attempt(rule, *arguments):
    try:
        return bounded(_SECONDS, rule, *arguments)
    except _FAILURES:
        return None


def _parts(score, declaration):
    """(b, T, c) with score = b T + c, checked on numbers; None when there is no such form."""
    y, x = declaration.noisy, declaration.clean
    given = {y: sp.Symbol(y.name, positive=True)} if _is_positive(declaration.support) else {}
    back = {positive: real for real, positive in given.items()}
    points = probes(declaration, 4, seed=3)
    flat = _opened(plain(score), points, y).xreplace(given)
    for rewritten in (sp.sympify, sp.together, sp.cancel):
        split = _split(_expanded(rewritten(flat)), given.get(y, y), x)
        found = split and _one_statistic(*split, x, [p[x] for p in points])
        if found:
            b, statistic, c = (e.xreplace(back) for e in found)
            if _agree(declaration, score, b * statistic + c):
                return b, statistic, c
    return None


def _is_positive(support) -> bool:
    return isinstance(support, sp.Interval) and bool(support.start.is_nonnegative)


def _opened(e: sp.Expr, points, y) -> sp.Expr:
    """Absolute values of what has one sign at every probe, and exp(c log u), written without."""
    for absolute in e.atoms(sp.Abs):
        inner = absolute.args[0]
        if y not in inner.free_symbols:
            values = [sp.N(inner.xreplace({s: sp.Float(v) for s, v in p.items()})) for p in points]
            if all(v.is_positive for v in values) or all(v.is_negative for v in values):
                e = e.xreplace({absolute: inner if values[0].is_positive else -inner})
    return e.replace(sp.exp, _power)


def _power(u):
    """exp(u), with each term c log(v) of u as the factor v^c."""
    logs = {t: next(f for f in sp.Mul.make_args(t) if isinstance(f, sp.log)) for t in sp.Add.make_args(sp.expand(u))
            if any(isinstance(f, sp.log) for f in sp.Mul.make_args(t))}  # fmt: skip
    return sp.exp(sp.expand(u) - sp.Add(*logs)) * sp.Mul(*(f.args[0] ** (t / f) for t, f in logs.items()))


def _expanded(e: sp.Expr) -> sp.Expr:
    return sp.powsimp(sp.expand(sp.expand_trig(sp.expand_log(sp.expand(e)))))


def _split(expanded, y, x):
    """({b_k: A_k}, c), or None when a term does not fall apart."""
    factors, rest = {}, sp.S.Zero
    for term in sp.Add.make_args(sp.expand(expanded)):
        a, b = term.as_independent(y, as_Add=False)
        if x in b.free_symbols:
            a, b = sp.factor(term).as_independent(y, as_Add=False)
        if x in b.free_symbols:
            return None
        if x in a.free_symbols:
            factors[b] = factors.get(b, sp.S.Zero) + a
        else:
            rest += term
    return factors, rest


def _one_statistic(factors, rest, x, values):
    """(b, T, c) when every A_k is m_k T + n_k; None when the statistics are several."""
    if not factors:
        return None
    statistic = min(factors.values(), key=sp.count_ops)
    slope = sp.diff(statistic, x)
    b, c = sp.S.Zero, rest
    for own, a in factors.items():
        m = _constant(sp.diff(a, x) / slope, x, values)
        n = None if m is None else _constant(a - m * statistic, x, values)
        if n is None:
            return None
        b, c = b + m * own, c + n * own
    return _normal_form(b, statistic, c, x, values)


def _normal_form(b, statistic, c, x, values):
    """T without constant terms and factors; x itself when T is affine."""
    slope = _constant(sp.diff(statistic, x), x, values)
    if slope is not None:
        return b * slope, x, c + b * _constant(statistic - slope * x, x, values)
    shift, moving = statistic.as_independent(x, as_Add=True)
    scale, core = sp.factor_terms(moving).as_independent(x, as_Add=False)
    return b * scale, core, c + b * shift


def _constant(e, x, values):
    """e without x, when its value does not depend on x; else None."""
    e = sp.cancel(sp.together(e))
    if x not in e.free_symbols:
        return e
    at = [e.xreplace({x: sp.nsimplify(v, rational=True)}) for v in values]
    symbols = sorted(e.free_symbols - {x}, key=lambda s: s.name)
    point = {s: sp.Rational(7, 5) + sp.Rational(k, 7) for k, s in enumerate(symbols)}
    numbers = [sp.N(v.xreplace(point), 20) for v in at]
    same = numbers and all(abs(v - numbers[0]) < 1e-15 * (1 + abs(v)) for v in numbers)
    return at[0] if same else None


def _combination(declaration, score, l, why) -> Tweedie:  # noqa: E741
    """What is left to say of any kernel: l = E[score | y], with what does not depend on x taken to the left."""
    y, x = declaration.noisy, declaration.clean
    rest, moving = readable(score).as_independent(x, as_Add=True)
    scale, core = sp.factor_terms(moving).as_independent(x, y, as_Add=False)
    if core.has(sp.sin, sp.cos):
        core = _attempt(sp.trigsimp, core) or core
        factor, core = core.as_independent(x, y, as_Add=False)
        scale *= factor
    if core.could_extract_minus_sign():
        scale, core = -scale, -core
    mean = readable((l - rest) / scale)
    what = f"E[{core} | {y}] = {mean} and no more"
    if len(what) > _READABLE:
        what = f"no more than the mean of a long expression in {x} and {y}, which `identified` has"
    return Tweedie(l, core, mean, reason=f"{why}; it identifies {what}")


def _inverse(declaration, statistic, mean):
    """The clean value at which the statistic is `mean`; None when that is not one value."""
    x = declaration.clean
    if statistic == x:
        return mean
    m = sp.Dummy("m", real=True)
    points = probes(declaration, 4, seed=5)
    for form in (statistic, sp.logcombine(statistic, force=True)):
        try:
            branches = invert(form, x, m)
        except DeclarationError:
            continue
        for branch in branches:
            returned = branch.inverse.xreplace({m: statistic})
            if points and all(_close(returned, x, p) for p in points):
                return _fewest_minuses(readable(branch.inverse.xreplace({m: mean})))
    return None


def _close(e, other, point) -> bool:
    symbols = list(point)
    left, right = (mpmath.mpmathify(numeric(f, symbols)(*point.values())) for f in (e, other))
    return abs(left - right) <= 1e-10 * (1 + abs(right))


def _noisy_values(declaration, point) -> list[float]:
    """A few values inside the support at the probe: the anchor, moved both ways."""
    symbols = [declaration.clean, *declaration.params]
    anchor = declaration.anchor if declaration.anchor is not None else sp.S.One
    start = float(mpmath.re(numeric(anchor, symbols)(*point.values())))
    inside = numeric(declaration.inside, [sp.Symbol(declaration.noisy.name, real=True), *symbols])
    moved = [start * float(f) + shift for f, shift in itertools.product(_FACTORS, (0.0, 0.3, -0.7, 2.1))]
    return [v for v in dict.fromkeys(moved) if bool(inside(v, *point.values()))]


def _agree(declaration, score, form) -> bool:
    """The same number at every probe, to 12 digits of the larger."""
    arguments = [declaration.noisy, declaration.clean, *declaration.params]
    exact, derived = numeric(score, arguments), numeric(form, arguments)
    compared = 0
    with mpmath.workdps(30):
        for point in probes(declaration, 4, seed=7):
            for v in _noisy_values(declaration, point):
                values = [mpmath.mpf(v), *(mpmath.mpf(point[s]) for s in arguments[1:])]
                left, right = mpmath.mpmathify(exact(*values)), mpmath.mpmathify(derived(*values))
                if mpmath.isfinite(left) and abs(left - right) > 1e-12 * (1 + abs(left)):
                    return False
                compared += 1
    return compared >= 4


def _zero_inside(declaration, slope):
    """Where b vanishes inside the support: the zero of a factor linear in y, or a change of sign; else None."""
    y, points = declaration.noisy, probes(declaration, 4, seed=11)
    for factor in sp.Mul.make_args(sp.factor(sp.together(slope))):
        base = factor.base if factor.is_Pow and factor.exp.is_positive else factor
        if base == y or base.is_Add and base.is_polynomial(y) and sp.degree(base, y) == 1:
            root = sp.factor(-base.coeff(y, 0) / base.coeff(y, 1))
            if any(_lies_inside(declaration, root, p) for p in points):
                return root
    b = numeric(slope, [y, declaration.clean, *declaration.params])
    for p in points:
        signs = {mpmath.sign(mpmath.re(b(v, *p.values()))) for v in _noisy_values(declaration, p)}
        if len(signs - {0}) == 2:
            return f"a zero of {slope}"
    return None


def _lies_inside(declaration, place, point) -> bool:
    symbols = [declaration.clean, *declaration.params]
    inside = numeric(declaration.inside, [sp.Symbol(declaration.noisy.name, real=True), *symbols])
    return bool(inside(mpmath.re(numeric(place, symbols)(*point.values())), *point.values()))
