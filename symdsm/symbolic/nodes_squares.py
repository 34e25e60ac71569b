"""Nodes of squares, which leave the range of float32 long before the functions of them do.

    Square(u) = u**2, kept whole: SymPy would spread (r/s)**2 to r**2/s**2, and s**2 underflows before r/s does
    Log1pSquare(u) = log(1 + u**2)          Hump(u) = u/(1 + u**2), half its derivative
    Hypot(c, u) = sqrt(c**2 + u**2)         SoftSign(u) = u/sqrt(1 + u**2), its slope at c = 1

A Student or Cauchy residual of 1e25 scales has a log density of -115 and a score of 1e-25, but no square in float32.
"""

import mpmath
import sympy as sp

from symdsm.symbolic.nodes_base import Node

__all__ = ["Hump", "Hypot", "Log1pSquare", "SoftSign", "Square"]


class Square(Node):
    """u**2, never spread over a product; derivative 2 u."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        return u**2 if u.is_Atom else None

    def _eval_is_nonnegative(self):
        return self.args[0].is_real or None

    @staticmethod
    def numeric(u):
        return u * u

    def as_plain(self):
        return self.args[0] ** 2

    def fdiff(self, argindex=1):
        return 2 * self.args[0]

    def tex(self, u):
        return rf"\left({u}\right)^2"


class Log1pSquare(Node):
    """log(1 + u**2), even; derivative 2 Hump(u)."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        if u.is_zero:
            return sp.S.Zero
        return cls(-u) if u.could_extract_minus_sign() else None

    def _eval_is_nonnegative(self):
        return self.args[0].is_real or None

    @staticmethod
    def numeric(u):
        return mpmath.log1p(u * u)

    def as_plain(self):
        return sp.log(1 + self.args[0] ** 2)

    def fdiff(self, argindex=1):
        return 2 * Hump(self.args[0])

    def tex(self, u):
        return rf"\log\left(1 + \left({u}\right)^2\right)"


class Hump(Node):
    """u/(1 + u**2), odd; derivative 2 q**2 - q with q = 1/(1 + u**2)."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        if u.is_zero:
            return sp.S.Zero
        return -cls(-u) if u.could_extract_minus_sign() else None

    @staticmethod
    def numeric(u):
        return u / (1 + u * u)

    def as_plain(self):
        return self.args[0] / (1 + self.args[0] ** 2)

    def fdiff(self, argindex=1):
        q = 1 / (1 + self.args[0] ** 2)
        return 2 * q**2 - q

    def tex(self, u):
        return rf"\frac{{{u}}}{{1 + \left({u}\right)^2}}"


class Hypot(Node):
    """sqrt(c**2 + u**2); derivatives c/Hypot and SoftSign(u/c)."""

    nargs, sign = 2, +1

    @classmethod
    def eval(cls, c, u):
        return cls(c, -u) if u.could_extract_minus_sign() else None

    @staticmethod
    def numeric(c, u):
        return mpmath.sqrt(c * c + u * u)

    def as_plain(self):
        return sp.sqrt(self.args[0] ** 2 + self.args[1] ** 2)

    def fdiff(self, argindex=1):
        c, u = self.args
        return c / self if argindex == 1 else SoftSign(u / c)

    def tex(self, c, u):
        return rf"\sqrt{{\left({c}\right)^2 + \left({u}\right)^2}}"


class SoftSign(Node):
    """u/sqrt(1 + u**2), odd; derivative (1 + u**2)**(-3/2)."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        if u.is_zero:
            return sp.S.Zero
        return -cls(-u) if u.could_extract_minus_sign() else None

    @staticmethod
    def numeric(u):
        return u / mpmath.sqrt(1 + u * u)

    def as_plain(self):
        return self.args[0] / sp.sqrt(1 + self.args[0] ** 2)

    def fdiff(self, argindex=1):
        return Hypot(sp.S.One, self.args[0]) ** -3

    def tex(self, u):
        return rf"\frac{{{u}}}{{\sqrt{{1 + \left({u}\right)^2}}}}"
