"""Nodes of elementary functions: logs and exponentials that lose digits when written out.

    Softplus(u) = log(1 + exp u)        Sigmoid(u) = 1 / (1 + exp(-u))
    AbsPower(u, b) = |u|^b, also at u = 0
    LogCosh(u), LogSinh(u)              LogExpm1(u) = log(exp u - 1), u > 0
    Log1mExp(u) = log(1 - exp u), u < 0 LogAbs(u) = log |u|
    Log1p(u) = log(1 + u)               Expm1(u) = exp(u) - 1
    Exp(u) = exp u, also of a logarithm         LogGap(r) = r - 1 - log r, r > 0

Their derivatives are textbook rules. SymPy has no log1p and no expm1, it turns exp(a log u) into u**a, which is slower
and shares no logarithm, and it rewrites sqrt(u**2) and log(u**2) in ways that are complex left of zero; LogAbs is real
on both sides, and its derivative is 1/u on both.
"""

import mpmath
import sympy as sp

from symdsm.symbolic.nodes_base import Node

__all__ = [
    "AbsPower",
    "Exp",
    "ExpGap",
    "Expm1",
    "Log1mExp",
    "Log1p",
    "LogAbs",
    "LogCosh",
    "LogExpm1",
    "LogGap",
    "LogSinh",
    "Sigmoid",
    "Softplus",
]


class Softplus(Node):
    """log(1 + exp u); derivative Sigmoid(u)."""

    nargs, sign = 1, +1

    @classmethod
    def eval(cls, u):
        if u in (-sp.oo, sp.oo):
            return sp.S.Zero if u == -sp.oo else sp.oo
        return sp.log(2) if u.is_zero else None

    @staticmethod
    def numeric(u):
        return mpmath.log1p(mpmath.exp(u)) if u < 0 else u + mpmath.log1p(mpmath.exp(-u))

    def as_plain(self):
        return sp.log(1 + sp.exp(self.args[0]))

    def fdiff(self, argindex=1):
        return Sigmoid(self.args[0])

    def tex(self, u):
        return rf"\log\left(1 + e^{{{u}}}\right)"


class Sigmoid(Node):
    """1/(1 + exp(-u)); derivative Sigmoid(u) Sigmoid(-u)."""

    nargs, sign = 1, +1

    @classmethod
    def eval(cls, u):
        if u in (-sp.oo, sp.oo):
            return sp.S.Zero if u == -sp.oo else sp.S.One
        return sp.S.Half if u.is_zero else None

    @staticmethod
    def numeric(u):
        return 1 / (1 + mpmath.exp(-u))

    def as_plain(self):
        return 1 / (1 + sp.exp(-self.args[0]))

    def fdiff(self, argindex=1):
        return self * Sigmoid(-self.args[0])

    def tex(self, u):
        return rf"\sigma\left({u}\right)"


class LogCosh(Node):
    """log cosh u, even; derivative tanh u."""

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
        s = mpmath.sinh(u / 2)
        u = abs(u)
        return mpmath.log1p(2 * s * s) if u < 1 else u - mpmath.log(2) + mpmath.log1p(mpmath.exp(-2 * u))

    def as_plain(self):
        return sp.log(sp.cosh(self.args[0]))

    def fdiff(self, argindex=1):
        return sp.tanh(self.args[0])

    def tex(self, u):
        return rf"\log\cosh\left({u}\right)"


class LogSinh(Node):
    """log sinh u for u > 0; derivative coth u."""

    nargs = 1

    @staticmethod
    def numeric(u):
        return u - mpmath.log(2) + mpmath.log(-mpmath.expm1(-2 * u))

    def as_plain(self):
        return sp.log(sp.sinh(self.args[0]))

    def fdiff(self, argindex=1):
        return 1 / sp.tanh(self.args[0])

    def tex(self, u):
        return rf"\log\sinh\left({u}\right)"


class LogExpm1(Node):
    """log(exp u - 1) for u > 0, the inverse of Softplus; derivative 1/(1 - exp(-u))."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        return u.args[0] if isinstance(u, Softplus) else None

    @staticmethod
    def numeric(u):
        return u + mpmath.log(-mpmath.expm1(-u))

    def as_plain(self):
        return sp.log(sp.exp(self.args[0]) - 1)

    def fdiff(self, argindex=1):
        return -1 / Expm1(-self.args[0])

    def tex(self, u):
        return rf"\log\left(e^{{{u}}} - 1\right)"


class Log1mExp(Node):
    """log(1 - exp u) for u < 0; derivative 1/(1 - exp(-u))."""

    nargs, sign = 1, -1

    @staticmethod
    def numeric(u):
        return mpmath.log(-mpmath.expm1(u)) if u > -1 else mpmath.log1p(-mpmath.exp(u))

    def as_plain(self):
        return sp.log(1 - sp.exp(self.args[0]))

    def fdiff(self, argindex=1):
        return -1 / Expm1(-self.args[0])

    def tex(self, u):
        return rf"\log\left(1 - e^{{{u}}}\right)"


class LogAbs(Node):
    """log |u|, even; derivative 1/u on both sides of zero."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        if u in (sp.S.One, sp.S.NegativeOne):
            return sp.S.Zero
        if isinstance(u, sp.exp) and u.args[0].is_extended_real:
            return u.args[0]
        return cls(-u) if u.could_extract_minus_sign() else None

    @staticmethod
    def numeric(u):
        return mpmath.log(abs(u))

    def as_plain(self):
        return sp.log(sp.Abs(self.args[0]))

    def fdiff(self, argindex=1):
        return 1 / self.args[0]

    def tex(self, u):
        return rf"\log\left|{u}\right|"


class AbsPower(Node):
    """|u|^b for b > 0; derivative b |u|^(b-1) sign u, which is not 0/0 at u = 0 as b |u|^b / u is."""

    nargs = 2

    @classmethod
    def eval(cls, u, b):
        if b.is_zero:
            return sp.S.One
        if b.is_number or u.is_positive:
            return sp.Abs(u) ** b
        return cls(-u, b) if u.could_extract_minus_sign() else None

    def _eval_is_nonnegative(self):
        return self._eval_is_real()

    @staticmethod
    def numeric(u, b):
        return mpmath.power(abs(u), b)

    def as_plain(self):
        return sp.Abs(self.args[0]) ** self.args[1]

    def fdiff(self, argindex=1):
        u, b = self.args
        return b * AbsPower(u, b - 1) * sp.sign(u) if argindex == 1 else self * LogAbs(u)

    def tex(self, u, b):
        return rf"\left|{u}\right|^{{{b}}}"


class Log1p(Node):
    """log(1 + u) for u > -1; derivative 1/(1 + u)."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        return sp.S.Zero if u.is_zero else None

    @staticmethod
    def numeric(u):
        return mpmath.log1p(u)

    def as_plain(self):
        return sp.log(1 + self.args[0])

    def fdiff(self, argindex=1):
        return 1 / (1 + self.args[0])

    def tex(self, u):
        return rf"\log\left(1 + {u}\right)"


class Expm1(Node):
    """exp(u) - 1; derivative exp u."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        if isinstance(u, sp.log):
            return u.args[0] - 1
        return sp.S.Zero if u.is_zero else None

    def _eval_is_positive(self):
        return self.args[0].is_positive

    def _eval_is_negative(self):
        return self.args[0].is_negative

    @staticmethod
    def numeric(u):
        return mpmath.expm1(u)

    def as_plain(self):
        return sp.exp(self.args[0]) - 1

    def fdiff(self, argindex=1):
        return sp.exp(self.args[0])

    def tex(self, u):
        return rf"\left(e^{{{u}}} - 1\right)"


class Exp(Node):
    """exp u, which is not rewritten as a power; its own derivative."""

    nargs, sign = 1, +1

    @staticmethod
    def numeric(u):
        return mpmath.exp(u)

    def as_plain(self):
        return sp.exp(self.args[0])

    def fdiff(self, argindex=1):
        return self

    def tex(self, u):
        return rf"e^{{{u}}}"


class ExpGap(Node):
    """exp(u) - 1 - u, never negative; derivative Expm1(u). With u = log(x/m) it is the deviance of a Gamma law."""

    nargs = 1

    @classmethod
    def eval(cls, u):
        return sp.S.Zero if u.is_zero else None

    @staticmethod
    def numeric(u):
        with mpmath.mp.extraprec(2 * max(0, -mpmath.mag(u)) if u else 0):
            return mpmath.expm1(u) - u

    def as_plain(self):
        return sp.exp(self.args[0]) - 1 - self.args[0]

    def fdiff(self, argindex=1):
        return Expm1(self.args[0])

    def tex(self, u):
        return rf"\left(e^{{{u}}} - 1 - {u}\right)"


class LogGap(Node):
    """r - 1 - log r for r > 0, never negative: ExpGap(log r); derivative (r - 1)/r."""

    nargs = 1

    @classmethod
    def eval(cls, r):
        return sp.S.Zero if r is sp.S.One else None

    @staticmethod
    def numeric(r):
        return ExpGap.numeric(mpmath.log(r))

    def as_plain(self):
        return self.args[0] - 1 - sp.log(self.args[0])

    def fdiff(self, argindex=1):
        return (self.args[0] - 1) / self.args[0]

    def tex(self, r):
        return rf"\left({r} - 1 - \log {r}\right)"
