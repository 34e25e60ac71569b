"""A density recognised as a gamma or a beta-prime law in a pivot r.

With u = u(r) from a short list, the law of r is read off the factors of f(u(r)) |du/dr|:

    r^(A-1) e^(-c r)       Gamma(A, c)            mass Gamma(A) c^-A,   E r^i = Gamma(A+i)/Gamma(A) c^-i
    r^(A-1) (1+r)^-(A+B)   beta-prime(A, B)       mass B(A, B),         E r^i (1+r)^j = B(A+i, B-i-j)/B(A, B)

finite iff A + i > 0 (and B - i - j > 0): the condition comes with the value. For an even density on the whole line
|u| = u(r) counts twice. Factors are matched, never substituted inside sums, and r is a positive symbol.

Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions (1994, 1995), chapters 17 and 25.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.symbolic.nodes import Expm1, Log1p, LogAbs, Softplus, plain

__all__ = ["Pivot", "find_pivot", "pivots"]

R = sp.Symbol("r", positive=True)


@dataclass(frozen=True)
class Pivot:
    """u = map(R), R ~ R^(A-1) (1+R)^Q e^(-c R) up to the factor e^const; `twice`: -map(R) as well."""

    map: sp.Expr
    shape: sp.Expr
    power: sp.Expr
    rate: sp.Expr
    const: sp.Expr
    twice: bool

    @property
    def log_mass(self) -> sp.Expr:
        both = sp.log(2) if self.twice else sp.S.Zero
        return self.const + both + self._log_mass(0, 0)

    def moment(self, i: sp.Expr, j: sp.Expr) -> tuple[sp.Expr, sp.Basic]:
        """(E R^i (1+R)^j, where it is finite)."""
        if self.rate != 0:
            a = self.shape + i
            value = sp.gamma(a) / sp.gamma(self.shape) * self.rate ** (-i)
            return sp.gammasimp(value), sp.Gt(a, 0)
        a, b = self.shape, -self.power - self.shape
        value = sp.gamma(a + i) * sp.gamma(b - i - j) * sp.gamma(a + b)
        value /= sp.gamma(a + b - j) * sp.gamma(a) * sp.gamma(b)
        return sp.gammasimp(value), sp.And(sp.Gt(a + i, 0), sp.Gt(b - i - j, 0))

    def _log_mass(self, i, j):
        if self.rate != 0:
            return sp.loggamma(self.shape) - self.shape * sp.log(self.rate)
        b = -self.power - self.shape
        return sp.loggamma(self.shape) + sp.loggamma(b) - sp.loggamma(self.shape + b)


def find_pivot(log_f: sp.Expr, u: sp.Symbol, support: sp.Set) -> Pivot | None:
    return next(pivots(log_f, u, support), None)


def pivots(log_f: sp.Expr, u: sp.Symbol, support: sp.Set):
    """Every pivot of the list under which the law is a gamma or a beta-prime."""
    log_f = plain(log_f)
    for image, twice in _images(log_f, u, support):
        law = _law(_put(log_f, u, image) + sp.log(sp.Abs(sp.diff(image, R))))
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
    """(A, Q, c, const) with log h = (A-1) log r + Q log(1+r) - c r + const."""
    log_h = log_h.replace(sp.log, lambda a: sp.expand_log(sp.log(sp.factor(sp.together(a))), force=True))
    log_h = sp.expand(sp.expand_log(sp.powdenest(sp.expand(log_h), force=True), force=True))
    log_h = sp.expand(log_h.replace(lambda e: e.is_Pow and e.base == sp.E, lambda e: sp.exp(sp.expand_log(e.exp))))
    power = rest = rate = const = sp.S.Zero
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
        else:
            return None
    shape = power + 1
    if rate != 0 and rest == 0 and rate.is_positive is not False:
        return shape, sp.S.Zero, rate, const
    if rate == 0 and rest != 0:
        return shape, rest, sp.S.Zero, const
    return None
