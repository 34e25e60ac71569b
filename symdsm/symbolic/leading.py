r"""The leading term of an expression as d -> 0+, by rules instead of by `limit`.

    f(d) ~ c d^p (-log d)^m exp(E(d)),        c free of d,   E -> +-oo or E = 0

Sums take their largest term, products and powers multiply terms, and a function of something with a finite limit is
its Taylor polynomial there. Where the largest terms of a sum cancel, the Taylor polynomial in d itself is tried;
where an order depends on the sign of an unknown, there is no answer (None), never a guess. Exponents may hold
parameters, so that one pass answers for every shape.

Conditions: f is real; Abs, sign and Piecewise are settled before. Source: Olver, Asymptotics and Special Functions
(1974), chapters 1 and 7; DLMF 7.12, 10.30 and 10.40 for the error function and the Bessel functions.
"""

from dataclasses import dataclass

import sympy as sp

__all__ = ["Lead", "d", "leading", "limit_of", "tends_to"]

d = sp.Symbol("_d", positive=True)
_ORDERS = 4


@dataclass(frozen=True)
class Lead:
    """c d^p (-log d)^m exp(E); c = 0 is the zero function."""

    c: sp.Expr
    p: sp.Expr = sp.S.Zero
    m: sp.Expr = sp.S.Zero
    E: sp.Expr = sp.S.Zero

    def times(self, other: "Lead") -> "Lead":
        return Lead(self.c * other.c, self.p + other.p, self.m + other.m, sp.expand(self.E + other.E))

    def power(self, n) -> "Lead | None":
        """The n-th power of what is real, so that a broken power has a positive base."""
        if not n.is_integer and self.c.is_negative:
            return None
        if self.c == 0:
            return self if n.is_positive else None
        return Lead(self.c**n, sp.expand(self.p * n), self.m * n, sp.expand(self.E * n))

    @property
    def bare(self) -> bool:
        """A finite limit c."""
        return self.p == 0 and self.m == 0 and self.E == 0


def leading(e: sp.Expr) -> Lead | None:
    """The leading term of e, or None when the rules do not reach it."""
    if d not in e.free_symbols:
        return None if e.has(sp.oo, -sp.oo, sp.zoo, sp.nan) else Lead(e)
    if e == d:
        return Lead(sp.S.One, sp.S.One)
    if e.is_Mul:
        return _product([leading(a) for a in e.args])
    if isinstance(e, sp.exp):
        return _exponential(e.args[0])
    if e.is_Pow:
        return _power(e)
    if e.is_Add:
        return _sum(e)
    if isinstance(e, sp.log):
        return _logarithm(e.args[0])
    return _function(e) if isinstance(e, sp.Function) and e.args else None


def tends_to(lead: Lead | None) -> sp.Expr | None:
    """The limit of a leading term: 0, c, or oo times the sign of c; None where a sign is unknown."""
    if lead is None:
        return None
    if lead.c == 0:
        return sp.S.Zero
    if lead.E != 0:
        end = tends_to(leading(lead.E))
        return None if end is None or not end.is_infinite else sp.S.Zero if end == -sp.oo else _infinite(lead.c)
    p, m = sp.expand(lead.p), lead.m
    if p.is_zero:
        return lead.c if m == 0 else sp.S.Zero if m.is_negative else _infinite(lead.c) if m.is_positive else None
    if p.is_positive:
        return sp.S.Zero
    return _infinite(lead.c) if p.is_negative else None


def limit_of(e: sp.Expr) -> sp.Expr | None:
    """lim_{d -> 0+} e by leading terms; None when undecided."""
    return tends_to(leading(e))


def _infinite(c):
    return sp.oo if c.is_positive else -sp.oo if c.is_negative else sp.oo * sp.sign(c)


def _product(leads):
    total = Lead(sp.S.One)
    for lead in leads:
        if lead is None:
            return None
        total = total.times(lead)
    return total


def _power(e):
    base, n = e.as_base_exp()
    if d in n.free_symbols:
        return _exponential(sp.expand(n * sp.log(base)))
    lead = leading(base)
    return None if lead is None else lead.power(n)


def _exponential(u):
    """exp of a sum: what vanishes is dropped, constants and logarithms leave, the rest is E."""
    total, rest = Lead(sp.S.One), []
    for term in sp.Add.make_args(sp.expand(u)):
        lead = leading(term)
        if lead is None:
            return None
        k, own = term.as_independent(d, as_Add=False)
        if isinstance(own, sp.log) and own.args[0] != d:
            inner = leading(own.args[0])
            powered = None if inner is None else inner.power(k)
            if powered is None:
                return None
            total = total.times(powered)
        elif own == sp.log(d):
            total = total.times(Lead(sp.S.One, k))
        else:
            end = tends_to(lead)
            if end is None:
                return None
            if end.has(sp.oo, -sp.oo):
                rest.append(term)
            else:
                total = total.times(Lead(sp.exp(end)))
    return total.times(Lead(sp.S.One, E=sp.Add(*rest))) if _diverges(rest) else None


def _diverges(terms):
    """Divergent terms of both signs must not cancel: their sum has to diverge as well."""
    if len(terms) < 2:
        return True
    end = tends_to(leading(sp.Add(*terms)))
    return end is not None and end.has(sp.oo, -sp.oo)


def _logarithm(u):
    lead = leading(u)
    if lead is None or lead.c == 0:
        return None
    if lead.E != 0:
        return leading(lead.E)
    if lead.p != 0:
        return Lead(-lead.p, m=sp.S.One)
    if lead.m != 0:
        return None
    if lead.c == 1:
        return leading(sp.expand(u - 1))
    return None if lead.c.is_negative else Lead(sp.log(lead.c))


def _sum(e):
    """The largest term; the sum of those of the same order."""
    leads = [leading(a) for a in e.args]
    if None in leads:
        return _taylor(e)
    leads = [lead for lead in leads if lead.c != 0]
    best = []
    for lead in leads:
        order = _compare(lead, best[0]) if best else 1
        if order is None:
            return None
        if order > 0:
            best = [lead]
        elif order == 0:
            best.append(lead)
    c = sp.Add(*[lead.c for lead in best])
    c = sp.factor_terms(sp.expand(c)) if len(best) > 1 else c
    if c == 0 or c.is_zero or (len(best) > 1 and c.is_positive is None and _vanishes(c)):
        return _taylor(e)
    return Lead(c, best[0].p, best[0].m, best[0].E)


def _vanishes(c):
    """Is c zero at all of a few random points? It is then the zero function for our purpose: no leading term."""
    symbols = sorted(c.free_symbols, key=lambda s: s.name)
    for shift in (3, 7):
        put = {s: sp.Rational(k * 29 % 31 + shift, 23) for k, s in enumerate(symbols)}
        value = c.xreplace(put).evalf(30)
        if not value.is_number or abs(value) > 1e-20:
            return False
    return True


def _compare(a: Lead, b: Lead) -> int | None:
    """1 when a is the larger as d -> 0, -1 when b is, 0 for the same order."""
    if a.E != b.E:
        end = tends_to(leading(sp.expand(a.E - b.E)))
        if end in (sp.oo, -sp.oo):
            return 1 if end == sp.oo else -1
        return None
    gap = sp.expand(a.p - b.p)
    if gap != 0:
        return -1 if gap.is_positive else 1 if gap.is_negative else None
    gap = a.m - b.m
    return 0 if gap == 0 else 1 if gap.is_positive else -1 if gap.is_negative else None


def _taylor(e):
    """The first term of the Taylor polynomial at d = 0, for what is smooth there."""
    if e.has(sp.log(d)) or e.atoms(sp.Derivative) or sp.count_ops(e) > 300:
        return None
    slope, factorial = e, sp.S.One
    for k in range(_ORDERS + 1):
        value = slope.subs(d, 0)
        if value.has(sp.nan, sp.zoo, sp.oo, sp.log(0)):
            return None
        value = sp.factor_terms(sp.expand(value))
        if value != 0 and not _vanishes(value):
            return Lead(value / factorial, sp.Integer(k))
        slope, factorial = sp.diff(slope, d), factorial * (k + 1)
    return Lead(sp.S.Zero) if e.is_rational_function(d) and sp.cancel(sp.together(e)) == 0 else None


def _function(e):
    """f(u) with a finite limit a of u by Taylor; the functions below at infinity and at their own singular point."""
    u = e.args[-1]
    if isinstance(e, sp.Piecewise) or any(d in a.free_symbols for a in e.args[:-1]):
        return None
    inner = leading(u)
    end = tends_to(inner)
    if end is None:
        return None
    if end in (sp.oo, -sp.oo):
        return _at_infinity(e, u, inner, end)
    if end == 0 and isinstance(e, sp.besselk):
        return _bessel_k_at_zero(e.args[0], inner)
    if end == 0 and isinstance(e, sp.besseli):
        nu = e.args[0]
        return _product([Lead(1 / (sp.gamma(nu + 1) * 2**nu)), inner.power(nu)]) if inner.power(nu) else None
    if end.has(sp.oo, -sp.oo):
        return None
    gap = sp.expand(u - end)
    z = sp.Dummy("z", real=True)
    rule, factorial = e.func(*e.args[:-1], z), sp.S.One
    for k in range(_ORDERS):
        value = rule.subs(z, end)
        if value.has(sp.nan, sp.zoo, sp.oo):
            return None
        if value != 0 and not _vanishes(value):
            power = leading(gap).power(sp.Integer(k)) if k else Lead(sp.S.One)
            return None if power is None else power.times(Lead(value / factorial))
        rule, factorial = sp.diff(rule, z), factorial * (k + 1)
    return None


def _bessel_k_at_zero(nu, inner):
    nu = sp.Abs(nu) if nu.is_number else nu if nu.is_positive else -nu if nu.is_negative else None
    if nu is None:
        return None
    if nu == 0:
        return Lead(inner.p, m=sp.S.One) if inner.p.is_positive else None
    base = inner.power(sp.Integer(-1))
    power = None if base is None else Lead(base.c * 2, base.p, base.m, base.E).power(nu)
    return None if power is None else power.times(Lead(sp.gamma(nu) / 2))


def _at_infinity(e, u, inner, end):
    positive = end == sp.oo
    if isinstance(e, sp.tanh | sp.erf):
        return Lead(sp.S.One if positive else sp.S.NegativeOne)
    if isinstance(e, sp.atan):
        return Lead(sp.pi / 2 if positive else -sp.pi / 2)
    if isinstance(e, sp.erfc) and not positive:
        return Lead(sp.Integer(2))
    size = u if positive else -u
    if isinstance(e, sp.cosh | sp.sinh):
        grown = _exponential(size)
        sign = -1 if isinstance(e, sp.sinh) and not positive else 1
        return None if grown is None else grown.times(Lead(sp.Rational(sign, 2)))
    if isinstance(e, sp.erfc):
        return _with(_exponential(-sp.expand(u**2)), inner.power(sp.S.NegativeOne), 1 / sp.sqrt(sp.pi))
    if isinstance(e, sp.besseli | sp.besselk) and positive:
        root = inner.power(-sp.S.Half)
        if isinstance(e, sp.besseli):
            return _with(_exponential(u), root, 1 / sp.sqrt(2 * sp.pi))
        return _with(_exponential(-u), root, sp.sqrt(sp.pi / 2))
    return None


def _with(a, b, c):
    return None if a is None or b is None else a.times(b).times(Lead(c))
