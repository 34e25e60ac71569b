"""Nodes of the gamma family: incomplete gamma and beta functions in logs, 1F1 in logs, Stirling's error.

    LogGammaP(a, x) = log P(a, x), LogGammaQ(a, x) = log Q(a, x): regularised, a > 0, x > 0
    LogBetaInc(a, b, x) = log I_x(a, b), a, b > 0, 0 < x < 1
    LogHyp1F1(a, b, z) = log 1F1(a; b; z), a, b > 0 (and b > a where z < 0)

Derivatives in the variable are ratios "density over probability", which are nodes too: with
g = x**(a-1) exp(-x) / Gamma(a),

    GammaHazardP = g/P,  dlog P/dx = GammaHazardP,   dGammaHazardP/dx = GammaHazardP ((a-1)/x - 1 - GammaHazardP)
    GammaHazardQ = g/Q,  dlog Q/dx = -GammaHazardQ,  dGammaHazardQ/dx = GammaHazardQ ((a-1)/x - 1 + GammaHazardQ)

and likewise BetaHazard = x**(a-1) (1-x)**(b-1) / (B(a, b) I_x(a, b)), and Hyp1F1Ratio(a, b, z) =
1F1(a+1; b+1; z)/1F1(a; b; z) with d log 1F1/dz = (a/b) Hyp1F1Ratio (DLMF 8.8, 8.17, 13.3). Derivatives in the
shapes have no closed form; LogGammaPShape, LogGammaQShape, LogBetaIncShape(k, ..) and LogHyp1F1Shape(k, ..) are
nodes for them, k = 1, 2 saying which shape.
"""

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

from symdsm.symbolic.nodes_base import Node, derivative_in_order

__all__ = [
    "BetaHazard",
    "ErlangCdf",
    "GammaHazardP",
    "GammaHazardQ",
    "Hyp1F1Ratio",
    "LogBetaInc",
    "LogBetaIncShape",
    "LogGammaP",
    "LogGammaPShape",
    "LogGammaQ",
    "LogGammaQShape",
    "LogHyp1F1",
    "LogHyp1F1Shape",
]


def _whole(k, least, most, name):
    if not (k.is_Integer and least <= k <= most):
        raise ValueError(f"{name}: the index {k} is not one of {least}..{most}")


def _log_gamma_density(a, x):
    return (a - 1) * mpmath.log(x) - x - mpmath.loggamma(a)


class ErlangCdf(Node):
    """P(k, u) = 1 - exp(-u) sum_{j<k} u^j/j! for a whole number k from 1 to 8; derivative u^(k-1) exp(-u)/(k-1)!."""

    nargs, sign = 2, +1

    @classmethod
    def eval(cls, k, u):
        _whole(k, 1, 8, "ErlangCdf")

    @staticmethod
    def numeric(k, u):
        return u**k * mpmath.exp(-u) * mpmath.hyp1f1(1, k + 1, u) / mpmath.factorial(k)

    def as_plain(self):
        k, u = self.args
        return 1 - sp.exp(-u) * sp.Add(*(u**j / sp.factorial(j) for j in range(k)))

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        k, u = self.args
        return u ** (k - 1) * sp.exp(-u) / sp.factorial(k - 1)

    def tex(self, k, u):
        return rf"P\left({k}, {u}\right)"


class LogGammaP(Node):
    """log P(a, x), the lower regularised incomplete gamma function."""

    nargs, sign = 2, -1

    @staticmethod
    def numeric(a, x):
        if x < a + 1:
            series = mpmath.hyp1f1(1, a + 1, x)
            return a * mpmath.log(x) - x - mpmath.loggamma(a + 1) + mpmath.log(series)
        return mpmath.log1p(-mpmath.gammainc(a, x, regularized=True))

    def as_plain(self):
        a, x = self.args
        return sp.log(sp.lowergamma(a, x) / sp.gamma(a))

    def fdiff(self, argindex=1):
        return LogGammaPShape(*self.args) if argindex == 1 else GammaHazardP(*self.args)

    def tex(self, a, x):
        return rf"\log P\left({a}, {x}\right)"


class LogGammaQ(Node):
    """log Q(a, x), the upper regularised incomplete gamma function."""

    nargs, sign = 2, -1

    @staticmethod
    def numeric(a, x):
        with mpmath.mp.extraprec(2 * abs(mpmath.mag(a)) if x < a + 1 else 0):
            if x < a + 1:
                return mpmath.log1p(-mpmath.exp(LogGammaP.numeric(a, x)))
            return mpmath.log(mpmath.gammainc(a, x, regularized=True))

    def as_plain(self):
        a, x = self.args
        return sp.log(sp.uppergamma(a, x) / sp.gamma(a))

    def fdiff(self, argindex=1):
        return LogGammaQShape(*self.args) if argindex == 1 else -GammaHazardQ(*self.args)

    def tex(self, a, x):
        return rf"\log Q\left({a}, {x}\right)"


class GammaHazardP(Node):
    """x**(a-1) exp(-x) / (Gamma(a) P(a, x)): the derivative of log P in x."""

    nargs, sign = 2, +1

    @staticmethod
    def numeric(a, x):
        return mpmath.exp(_log_gamma_density(a, x) - LogGammaP.numeric(a, x))

    def as_plain(self):
        a, x = self.args
        return x ** (a - 1) * sp.exp(-x) / sp.lowergamma(a, x)

    def fdiff(self, argindex=1):
        a, x = self.args
        if argindex == 1:
            return self * (sp.log(x) - sp.digamma(a) - LogGammaPShape(a, x))
        return self * ((a - 1) / x - 1 - self)


class GammaHazardQ(Node):
    """x**(a-1) exp(-x) / (Gamma(a) Q(a, x)): the hazard rate, minus the derivative of log Q in x."""

    nargs, sign = 2, +1

    @staticmethod
    def numeric(a, x):
        return mpmath.exp(_log_gamma_density(a, x) - LogGammaQ.numeric(a, x))

    def as_plain(self):
        a, x = self.args
        return x ** (a - 1) * sp.exp(-x) / sp.uppergamma(a, x)

    def fdiff(self, argindex=1):
        a, x = self.args
        if argindex == 1:
            return self * (sp.log(x) - sp.digamma(a) - LogGammaQShape(a, x))
        return self * ((a - 1) / x - 1 + self)


class LogGammaPShape(Node):
    """d log P(a, x) / da, negative: more shape moves the gamma law to the right."""

    nargs, sign = 2, -1

    @staticmethod
    def numeric(a, x):
        return mpmath.diff(lambda b: LogGammaP.numeric(b, x), a)

    def as_plain(self):
        a, x = self.args
        return derivative_in_order(lambda b: LogGammaP(b, x).as_plain(), a)

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        a, x = self.args
        return GammaHazardP(a, x) * (sp.log(x) - sp.digamma(a) - self)


class LogGammaQShape(Node):
    """d log Q(a, x) / da, positive."""

    nargs, sign = 2, +1

    @staticmethod
    def numeric(a, x):
        return mpmath.diff(lambda b: LogGammaQ.numeric(b, x), a)

    def as_plain(self):
        a, x = self.args
        return derivative_in_order(lambda b: LogGammaQ(b, x).as_plain(), a)

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        a, x = self.args
        return -GammaHazardQ(a, x) * (sp.log(x) - sp.digamma(a) - self)


class LogBetaInc(Node):
    """log I_x(a, b), the regularised incomplete beta function."""

    nargs, sign = 3, -1

    @staticmethod
    def numeric(a, b, x):
        if x <= a / (a + b):
            return _log_beta_left(a, b, x)
        with mpmath.mp.extraprec(2 * abs(mpmath.mag(b))):
            return mpmath.log1p(-mpmath.exp(_log_beta_left(b, a, 1 - x)))

    def as_plain(self):
        a, b, x = self.args
        return sp.log(sp.betainc_regularized(a, b, 0, x))

    def fdiff(self, argindex=1):
        if argindex == 3:
            return BetaHazard(*self.args)
        return LogBetaIncShape(argindex, *self.args)

    def tex(self, a, b, x):
        return rf"\log I_{{{x}}}\left({a}, {b}\right)"


def _log_beta_left(a, b, x):
    """log I_x(a, b) by the hypergeometric series with positive terms, DLMF 8.17.8."""
    log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
    series = mpmath.hyp2f1(a + b, 1, a + 1, x)
    return a * mpmath.log(x) + b * mpmath.log1p(-x) - mpmath.log(a) - log_beta + mpmath.log(series)


class BetaHazard(Node):
    """x**(a-1) (1-x)**(b-1) / (B(a, b) I_x(a, b)): the derivative of log I_x(a, b) in x."""

    nargs, sign = 3, +1

    @staticmethod
    def numeric(a, b, x):
        log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
        log_density = (a - 1) * mpmath.log(x) + (b - 1) * mpmath.log1p(-x) - log_beta
        return mpmath.exp(log_density - LogBetaInc.numeric(a, b, x))

    def as_plain(self):
        a, b, x = self.args
        return x ** (a - 1) * (1 - x) ** (b - 1) / (sp.beta(a, b) * sp.betainc_regularized(a, b, 0, x))

    def fdiff(self, argindex=1):
        a, b, x = self.args
        if argindex == 3:
            return self * ((a - 1) / x - (b - 1) / (1 - x) - self)
        shape, log_part = (a, sp.log(x)) if argindex == 1 else (b, sp.log(1 - x))
        return self * (log_part - sp.digamma(shape) + sp.digamma(a + b) - LogBetaIncShape(argindex, a, b, x))


class LogBetaIncShape(Node):
    """d log I_x(a, b) / da for k = 1, / db for k = 2."""

    nargs = 4

    @classmethod
    def eval(cls, k, a, b, x):
        _whole(k, 1, 2, cls.__name__)

    @staticmethod
    def numeric(k, a, b, x):
        if k == 1:
            return mpmath.diff(lambda t: LogBetaInc.numeric(t, b, x), a)
        return mpmath.diff(lambda t: LogBetaInc.numeric(a, t, x), b)

    def as_plain(self):
        k, a, b, x = self.args
        if k == 1:
            return derivative_in_order(lambda t: LogBetaInc(t, b, x).as_plain(), a)
        return derivative_in_order(lambda t: LogBetaInc(a, t, x).as_plain(), b)

    def fdiff(self, argindex=1):
        if argindex != 4:
            raise ArgumentIndexError(self, argindex)
        k, a, b, x = self.args
        return BetaHazard(a, b, x).fdiff(int(k))


class LogHyp1F1(Node):
    """log 1F1(a; b; z), Kummer's function, for a, b > 0, and b > a where z < 0."""

    nargs = 3

    @classmethod
    def eval(cls, a, b, z):
        if z.is_negative and (a - b).is_positive:
            raise ValueError(f"LogHyp1F1: 1F1({a}; {b}; {z}) with a > b changes its sign at z < 0 and has no logarithm")
        if z.is_zero:
            return sp.S.Zero
        return z if a == b else None

    @staticmethod
    def numeric(a, b, z):
        return mpmath.log(mpmath.hyp1f1(a, b, z))

    def as_plain(self):
        a, b, z = self.args
        return sp.log(sp.hyper((a,), (b,), z))

    def fdiff(self, argindex=1):
        a, b, z = self.args
        if argindex == 3:
            return a / b * Hyp1F1Ratio(a, b, z)
        return LogHyp1F1Shape(argindex, a, b, z)

    def tex(self, a, b, z):
        return rf"\log {{}}_1F_1\left({a}; {b}; {z}\right)"


class Hyp1F1Ratio(Node):
    """1F1(a+1; b+1; z) / 1F1(a; b; z)."""

    nargs, sign = 3, +1

    @classmethod
    def eval(cls, a, b, z):
        return sp.S.One if z.is_zero or a == b else None

    @staticmethod
    def numeric(a, b, z):
        return mpmath.hyp1f1(a + 1, b + 1, z) / mpmath.hyp1f1(a, b, z)

    def as_plain(self):
        a, b, z = self.args
        return sp.hyper((a + 1,), (b + 1,), z) / sp.hyper((a,), (b,), z)

    def fdiff(self, argindex=1):
        a, b, z = self.args
        if argindex == 3:
            return self * ((a + 1) / (b + 1) * Hyp1F1Ratio(a + 1, b + 1, z) - a / b * self)
        return self * (LogHyp1F1Shape(argindex, a + 1, b + 1, z) - LogHyp1F1Shape(argindex, a, b, z))


class LogHyp1F1Shape(Node):
    """d log 1F1(a; b; z) / da for k = 1, / db for k = 2."""

    nargs = 4

    @classmethod
    def eval(cls, k, a, b, z):
        _whole(k, 1, 2, cls.__name__)
        return sp.S.Zero if z.is_zero else None

    @staticmethod
    def numeric(k, a, b, z):
        if k == 1:
            return mpmath.diff(lambda t: LogHyp1F1.numeric(t, b, z), a)
        return mpmath.diff(lambda t: LogHyp1F1.numeric(a, t, z), b)

    def as_plain(self):
        k, a, b, z = self.args
        if k == 1:
            return derivative_in_order(lambda t: LogHyp1F1(t, b, z).as_plain(), a)
        return derivative_in_order(lambda t: LogHyp1F1(a, t, z).as_plain(), b)

    def fdiff(self, argindex=1):
        if argindex != 4:
            raise ArgumentIndexError(self, argindex)
        k, a, b, z = self.args
        ratio = Hyp1F1Ratio(a, b, z)
        direct = ratio / b if k == 1 else -a * ratio / b**2
        return direct + a / b * ratio.fdiff(int(k))
