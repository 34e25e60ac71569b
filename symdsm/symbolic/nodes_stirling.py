"""Stirling's formula and what is left over.

    StirlingError(a) = log Gamma(a) - (a - 1/2) log a + a - log(2 pi)/2 = 1/(12 a) - ..
    StirlingSlope(a) = StirlingError'(a) = psi(a) - log a + 1/(2 a) = -1/(12 a^2) + ..

Written so, nothing of the size of log Gamma(a) or log a cancels. Source: C. Loader, "Fast and accurate computation of
binomial probabilities", 2000.
"""

import mpmath
import sympy as sp

from symdsm.symbolic.nodes_base import Node

__all__ = ["StirlingError", "StirlingSlope"]


class StirlingError(Node):
    """log Gamma(a) minus Stirling's formula (a - 1/2) log a - a + log(2 pi)/2; about 1/(12 a)."""

    nargs, sign = 1, +1

    @staticmethod
    def numeric(a):
        with mpmath.mp.extraprec(3 * max(0, mpmath.mag(a))):
            return mpmath.loggamma(a) - (a - 0.5) * mpmath.log(a) + a - mpmath.log(2 * mpmath.pi) / 2

    def as_plain(self):
        a = self.args[0]
        return sp.loggamma(a) - (a - sp.S.Half) * sp.log(a) + a - sp.log(2 * sp.pi) / 2

    def fdiff(self, argindex=1):
        a = self.args[0]
        return StirlingSlope(a)


class StirlingSlope(Node):
    """psi(a) - log a + 1/(2 a), about -1/(12 a^2)."""

    nargs, sign = 1, -1

    @staticmethod
    def numeric(a):
        with mpmath.mp.extraprec(3 * max(0, mpmath.mag(a))):
            return mpmath.digamma(a) - mpmath.log(a) + 1 / (2 * a)

    def as_plain(self):
        a = self.args[0]
        return sp.digamma(a) - sp.log(a) + 1 / (2 * a)

    def fdiff(self, argindex=1):
        a = self.args[0]
        return sp.trigamma(a) - 1 / a - 1 / (2 * a**2)
