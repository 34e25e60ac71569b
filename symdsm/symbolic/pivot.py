"""A density recognised as a gamma, beta-prime or generalised inverse Gaussian law in a pivot r.

With u = u(r) from a short list, the law of r is read off the factors of f(u(r)) |du/dr|:

    r^(A-1) e^(-c r)       Gamma(A, c)            mass Gamma(A) c^-A,   E r^i = Gamma(A+i)/Gamma(A) c^-i
    r^(A-1) (1+r)^-(A+B)   beta-prime(A, B)       mass B(A, B),         E r^i (1+r)^j = B(A+i, B-i-j)/B(A, B)
    r^(A-1) e^(-cr-d/r)    generalised inverse Gaussian, w = 2 sqrt(c d):
                           mass 2 (d/c)^(A/2) K_A(w),        E r^i = (d/c)^(i/2) K_(A+i)(w)/K_A(w)

finite iff A + i > 0 (and B - i - j > 0): the condition comes with the value. For an even density on the whole line
|u| = u(r) counts twice. Factors are matched, never substituted inside sums, and r is a positive symbol.

Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions (1994, 1995), chapters 17 and 25.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.laws import Draw
from symdsm.symbolic.nodes import LogBesselK, plain

__all__ = ["Pivot", "find_pivot", "merge_gammas", "pivots"]

R = sp.Symbol("r", positive=True)
_SECONDS = 0.7


@dataclass(frozen=True)
class Pivot:
    """u = map(R), R ~ R^(shape-1) (1+R)^power e^(-rate R - inverse/R) e^const; `twice`: also at -map(R)."""

    map: sp.Expr
    shape: sp.Expr
    power: sp.Expr
    rate: sp.Expr
    inverse: sp.Expr
    const: sp.Expr
    twice: bool

    @property
    def log_mass(self) -> sp.Expr:
        both = sp.log(2) if self.twice else sp.S.Zero
        a, b, c, d = self.shape, self.other_shape, self.rate, self.inverse
        if d != 0:
            return self.const + both + sp.log(2) + a / 2 * sp.log(d / c) + _log_k(a, 2 * sp.sqrt(c * d))
        if c != 0:
            return self.const + both + sp.loggamma(a) - a * sp.log(c)
        return self.const + both + sp.loggamma(a) + sp.loggamma(b) - sp.loggamma(a + b)

    @property
    def other_shape(self) -> sp.Expr:
        return -self.power - self.shape

    @property
    def draw(self) -> sp.Expr | None:
        """The variable u in primitive draws, in logarithms where the map takes one; None where it has no such form."""
        if self.inverse != 0:
            return None
        kind, up = ("loggamma", sp.exp) if self.map.has(sp.log) else ("gamma", lambda g: g)
        if self.rate != 0:
            r = up(_draw(kind, self.shape)) / self.rate
        else:
            r = up(_draw(kind, self.shape)) / up(_draw(kind, self.other_shape, slot=1))
        value = self.map.xreplace({R: r})
        return value * sp.sign(2 * _draw("uniform", slot=2) - 1) if self.twice else value

    def moment(self, i: sp.Expr, j: sp.Expr) -> tuple[sp.Expr, sp.Basic] | None:
        """(E R^i (1+R)^j, where it is finite)."""
        a, b, c, d = self.shape, self.other_shape, self.rate, self.inverse
        if d != 0:
            w = 2 * sp.sqrt(c * d)
            value = (d / c) ** (i / 2) * sp.exp(_log_k(a + i, w) - _log_k(a, w))
            return (value, sp.true) if j == 0 else None
        if c != 0:
            value = merge_gammas(sp.gamma(a + i) / sp.gamma(a)) * c ** (-i)
            return (value, sp.Gt(a + i, 0)) if j == 0 else None
        value = sp.gamma(a + i) * sp.gamma(b - i - j) * sp.gamma(a + b)
        value /= sp.gamma(a + b - j) * sp.gamma(a) * sp.gamma(b)
        return merge_gammas(value), sp.And(sp.Gt(a + i, 0), sp.Gt(b - i - j, 0))


def merge_gammas(expr: sp.Expr) -> sp.Expr:
    """Gamma(a + n) = a (a+1) .. (a+n-1) Gamma(a) for the arguments that differ by integers."""
    arguments = sorted({sp.expand(g.args[0]) for g in expr.atoms(sp.gamma)}, key=sp.default_sort_key)
    put = {}
    for a in arguments:
        gaps = [sp.expand(a - other) for other in arguments]
        n = max((g for g in gaps if g.is_Integer), default=sp.S.Zero)
        put[a] = sp.gamma(a - n) * sp.Mul(*[a - n + k for k in range(int(n))])
    return expr.replace(sp.gamma, lambda a: put.get(sp.expand(a), sp.gamma(a)))


def _log_k(order, w):
    """log K_order(w), written out at half-integer orders."""
    if order.is_Rational and order.q == 2:
        n = int(abs(order) - sp.S.Half)
        series = sum(sp.binomial(n, k) * sp.rf(n + 1, k) / (2 * w) ** k for k in range(n + 1))
        return -w + sp.log(sp.pi / (2 * w)) / 2 + sp.log(series)
    return LogBesselK(order, w)


def _draw(kind, *shapes, slot=0):
    return Draw(sp.Symbol(kind), sp.Integer(slot), *map(sp.sympify, shapes))


def find_pivot(log_f: sp.Expr, u: sp.Symbol, support: sp.Set) -> Pivot | None:
    return next(pivots(log_f, u, support), None)


def pivots(log_f: sp.Expr, u: sp.Symbol, support: sp.Set):
    """Every pivot of the list under which the law is a gamma or a beta-prime, within a time budget."""
    log_f = plain(log_f)
    for image, twice in _images(log_f, u, support):
        slope = sp.log(sp.Abs(sp.factor(sp.together(sp.diff(image, R)))))
        try:
            law = bounded(_SECONDS, lambda at, more: _law(_put(log_f, u, at) + more), image, slope)
        except OutOfTime:  # powers of a million, say: such a law is none of these
            return
        if law is not None:
            yield Pivot(image, *law, twice)


def _images(log_f, u, support):
    if not isinstance(support, (sp.Interval, type(sp.S.Reals))):
        return
    low, high = support.inf, support.sup
    powers = sorted({p.exp for p in log_f.atoms(sp.Pow) if p.base in (u, sp.Abs(u)) and not p.exp.is_number}, key=str)
    if low == 0 and high == sp.oo:
        yield from ((image, False) for image in (R, sp.sqrt(R), 1 / R, sp.sqrt(2 * R), 1 / sp.sqrt(R)))
        yield from ((R ** (1 / p), False) for p in powers)
        yield sp.log(1 + R), False
    elif low == 0 and high == 1:
        yield R / (1 + R), False
        yield from (((R / (1 + R)) ** (1 / p), False) for p in powers)
        yield sp.exp(-R), False
    elif low == -high and _even(log_f, u):
        if high == sp.oo:
            scales = [p.base for p in log_f.atoms(sp.Pow)] + [a.args[0] for a in log_f.atoms(sp.log)]
            nus = sorted({_scale(b, u) for b in scales} - {None}, key=str)
            yield from ((image, True) for image in (R, sp.sqrt(R), *[sp.sqrt(nu * R) for nu in nus]))
            yield from ((R ** (1 / p), True) for p in powers)
        elif high == 1:
            yield sp.sqrt(R / (1 + R)), True
    elif low == -sp.oo and high == sp.oo:
        yield -sp.log(R), False
        yield sp.log(R), False
        yield sp.log(R) / 2, False


def _even(log_f, u):
    return sp.expand(log_f.xreplace({u: -u}) - log_f) == 0


def _scale(base, u):
    """nu with base proportional to 1 + u^2/nu."""
    if not base.is_Add or not base.is_polynomial(u) or sp.degree(base, u) != 2:
        return None
    c2, c1, c0 = (base.coeff(u, k) for k in (2, 1, 0))
    nu = sp.cancel(c0 / c2)
    return nu if c1 == 0 and nu.is_positive else None


def _put(log_f, u, image):
    """u -> image: u is real or positive, the image positive, so Abs and powers resolve by themselves."""
    return log_f.xreplace({sp.Abs(u): sp.Abs(image)}).subs(u, image)


def _law(log_h):
    """(A, Q, c, d, const) with log h = (A-1) log r + Q log(1+r) - c r - d/r + const."""
    log_h = log_h.replace(sp.log, lambda a: sp.expand_log(sp.log(sp.factor(sp.together(a))), force=True))
    log_h = sp.expand(sp.expand_log(sp.powdenest(sp.expand(log_h), force=True), force=True))
    log_h = sp.expand(log_h.replace(lambda e: e.is_Pow and e.base == sp.E, lambda e: sp.exp(sp.expand_log(e.exp))))
    own_terms = [t for t in sp.Add.make_args(log_h) if not t.has(sp.log)]
    rational = sp.Add(*own_terms)
    if rational.is_rational_function(R):
        log_h = log_h - rational + sp.expand(sp.cancel(sp.together(rational)))
    power = rest = rate = inverse = const = sp.S.Zero
    for term in sp.Add.make_args(log_h):
        k, own = term.as_independent(R, as_Add=False)
        if own == 1:
            const += k
        elif own == sp.log(R):
            power += k
        elif own == sp.log(R + 1):
            rest += k
        elif own == R:
            rate -= k
        elif own == 1 / R:
            inverse -= k
        else:
            return None
    shape = sp.factor_terms(power + 1)
    if rest != 0 and rate == inverse == 0:
        return shape, rest, rate, inverse, const
    if rest != 0 or rate.is_positive is False or inverse.is_positive is False and inverse != 0:
        return None
    return None if rate == 0 else (shape, rest, rate, inverse, const)
