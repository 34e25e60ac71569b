"""Nodes of the normal law: its tail, and the normal wrapped on a circle.

    LogNdtr(u) = log Phi(u)          Mills(u) = phi(u) / Phi(u)        MillsGap(u) = u + Mills(u)
    Erfcx(u) = exp(u**2) erfc(u)

    LogNdtr' = Mills,  Mills' = -Mills MillsGap,  MillsGap' = 1 - Mills MillsGap.

MillsGap is a node of its own because u + Mills(u) ~ -1/u cancels in the left tail.

The wrapped normal with standard deviation s has, at the angle d from its mean, the density

    p(d) = sum_k N(d + 2 pi k; 0, s**2) = (1 + 2 sum_{m>0} exp(-m**2 s**2 / 2) cos(m d)) / (2 pi)

(Poisson's summation formula; Mardia and Jupp, Directional Statistics, section 3.5.7). The first sum serves small s,
the second large s. LogWrappedNormal is log p, and WrappedNormalMoment(n, d, s) is the n-th derivative of p in d over
p; with M_n for the latter and the heat equation dp/ds = s d2p/dd2,

    d log p / dd = M_1,  d log p / ds = s M_2,
    d M_n / dd = M_{n+1} - M_n M_1,  d M_n / ds = s (M_{n+2} - M_n M_2).
"""

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

from symdsm.symbolic.nodes_base import Node

__all__ = ["Erfcx", "LogNdtr", "LogWrappedNormal", "Mills", "MillsGap", "WrappedNormalMoment"]


class LogNdtr(Node):
    """log Phi(u), Phi the standard normal distribution function; derivative Mills(u)."""

    nargs, sign = 1, -1

    @classmethod
    def eval(cls, u):
        return -sp.log(2) if u.is_zero else None

    @staticmethod
    def numeric(u):
        v = u / mpmath.sqrt(2)
        return mpmath.log1p(-mpmath.erfc(v) / 2) if u > 0 else mpmath.log(mpmath.erfc(-v) / 2)

    def as_plain(self):
        return sp.log(sp.erfc(-self.args[0] / sp.sqrt(2)) / 2)

    def fdiff(self, argindex=1):
        return Mills(self.args[0])

    def tex(self, u):
        return rf"\log\Phi\left({u}\right)"


class Mills(Node):
    """phi(u)/Phi(u), the inverse Mills ratio of the lower tail; derivative -Mills(u) MillsGap(u)."""

    nargs, sign = 1, +1

    @classmethod
    def eval(cls, u):
        return sp.sqrt(2 / sp.pi) if u.is_zero else None

    @staticmethod
    def numeric(u):
        with mpmath.mp.extraprec(2 * max(0, mpmath.mag(u))):
            return mpmath.npdf(u) * 2 / mpmath.erfc(-u / mpmath.sqrt(2))

    def as_plain(self):
        u = self.args[0]
        return sp.sqrt(2 / sp.pi) * sp.exp(-(u**2) / 2) / sp.erfc(-u / sp.sqrt(2))

    def fdiff(self, argindex=1):
        return -self * MillsGap(self.args[0])

    def tex(self, u):
        return rf"\frac{{\varphi\left({u}\right)}}{{\Phi\left({u}\right)}}"


class MillsGap(Node):
    """u + phi(u)/Phi(u), positive, about -1/u in the left tail; derivative 1 - Mills(u) MillsGap(u)."""

    nargs, sign = 1, +1

    @classmethod
    def eval(cls, u):
        return sp.sqrt(2 / sp.pi) if u.is_zero else None

    @staticmethod
    def numeric(u):
        with mpmath.mp.extraprec(4 * max(0, mpmath.mag(u))):
            return u + Mills.numeric(u)

    def as_plain(self):
        return self.args[0] + Mills(self.args[0]).as_plain()

    def fdiff(self, argindex=1):
        return 1 - Mills(self.args[0]) * self

    def tex(self, u):
        return rf"\left({u} + \frac{{\varphi\left({u}\right)}}{{\Phi\left({u}\right)}}\right)"


class Erfcx(Node):
    """exp(u**2) erfc(u); derivative 2 u Erfcx(u) - 2/sqrt(pi)."""

    nargs, sign = 1, +1

    @classmethod
    def eval(cls, u):
        return sp.S.One if u.is_zero else None

    @staticmethod
    def numeric(u):
        with mpmath.mp.extraprec(2 * max(0, mpmath.mag(u))):
            return mpmath.exp(u * u) * mpmath.erfc(u)

    def as_plain(self):
        return sp.exp(self.args[0] ** 2) * sp.erfc(self.args[0])

    def fdiff(self, argindex=1):
        return 2 * self.args[0] * self - 2 / sp.sqrt(sp.pi)


def _wrapped_derivative(n, d, s):
    """The n-th derivative in d of the wrapped normal density, to the working precision.

    A term left out of the direct sum is below exp(-((2K-1) pi)**2 / (2 s**2)) times a power, one left out of
    the other sum below exp(-K**2 s**2 / 2) times a power: K is where that is 2**-prec of the density.
    """
    mp = mpmath.mp
    nats = mp.prec * mpmath.log(2)
    if s < 2.5:
        d = d - 2 * mp.pi * mpmath.nint(d / (2 * mp.pi))
        reach = int(mpmath.ceil(s * mpmath.sqrt(2 * nats) / (2 * mp.pi))) + 2 + n
        total = mpmath.mpf(0)
        for k in range(-reach, reach + 1):
            u = (d + 2 * mp.pi * k) / s
            total += mpmath.npdf(u) * (-1 / s) ** n / s * _hermite(n, u)
        return total
    reach = int(mpmath.ceil(mpmath.sqrt(2 * nats) / s)) + 2 + n
    waves = [m**n * mpmath.exp(-((m * s) ** 2) / 2) * mpmath.cos(m * d + n * mp.pi / 2) for m in range(1, reach)]
    return (mpmath.fsum(waves) + (mpmath.mpf(1) / 2 if n == 0 else 0)) / mp.pi


def _hermite(n, u):
    """The probabilists' Hermite polynomial He_n(u)."""
    before, now = mpmath.mpf(0), mpmath.mpf(1)
    for k in range(n):
        before, now = now, u * now - k * before
    return now


def _wrapped_sum(n, d, s):
    """The n-th derivative in d of the direct sum, for people."""
    k, v = sp.Dummy("k", integer=True), sp.Dummy("v", real=True)
    term = sp.exp(-((v + 2 * sp.pi * k) ** 2) / (2 * s**2)) / (s * sp.sqrt(2 * sp.pi))
    return sp.Sum(term.diff(v, n).subs(v, d), (k, -sp.oo, sp.oo))


class LogWrappedNormal(Node):
    """log of the wrapped normal density at the angle d from its mean, s > 0 its standard deviation on the line."""

    nargs = 2

    @classmethod
    def eval(cls, d, s):
        return cls(-d, s) if d.could_extract_minus_sign() else None

    @staticmethod
    def numeric(d, s):
        return mpmath.log(_wrapped_derivative(0, d, s))

    def as_plain(self):
        return sp.log(_wrapped_sum(0, *self.args))

    def fdiff(self, argindex=1):
        d, s = self.args
        return WrappedNormalMoment(1, d, s) if argindex == 1 else s * WrappedNormalMoment(2, d, s)

    def tex(self, d, s):
        return rf"\log \mathrm{{WN}}\left({d}; {s}\right)"


class WrappedNormalMoment(Node):
    """p^(n)(d)/p(d) for the wrapped normal density p with standard deviation s; n a whole number."""

    nargs = 3

    @classmethod
    def eval(cls, n, d, s):
        if not (n.is_Integer and n >= 0):
            raise ValueError(f"WrappedNormalMoment: the order {n} is not a whole number >= 0")
        if n == 0:
            return sp.S.One
        return (-1) ** n * cls(n, -d, s) if d.could_extract_minus_sign() else None

    @staticmethod
    def numeric(n, d, s):
        return _wrapped_derivative(int(n), d, s) / _wrapped_derivative(0, d, s)

    def as_plain(self):
        n, d, s = self.args
        return _wrapped_sum(int(n), d, s) / _wrapped_sum(0, d, s)

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        n, d, s = self.args

        def moment(m):
            return WrappedNormalMoment(m, d, s)

        if argindex == 2:
            return moment(n + 1) - self * moment(1)
        return s * (moment(n + 2) - self * moment(2))

    def tex(self, n, d, s):
        primes = rf"^{{({n})}}"
        return rf"\frac{{\mathrm{{WN}}{primes}\left({d}; {s}\right)}}{{\mathrm{{WN}}\left({d}; {s}\right)}}"
