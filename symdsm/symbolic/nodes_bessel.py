"""Nodes of the modified Bessel functions of real order.

    LogBesselI(nu, z) = log I_nu(z), nu > -1, z > 0      BesselIRatio(nu, z) = I_{nu+1}(z) / I_nu(z)
    LogBesselK(nu, z) = log K_nu(z), z > 0               BesselKRatio(nu, z) = K_{nu+1}(z) / K_nu(z)
    LogBesselIOrder, LogBesselKOrder: their derivatives in the order nu.
    LogBesselIe = log(exp(-z) I_nu(z)), LogBesselKe = log(exp(z) K_nu(z)), BesselIGap = 1 - BesselIRatio: for sums in
    which the leading z cancels, as kappa cos(d) - log I_0(kappa) of von Mises.

With r = BesselIRatio and q = BesselKRatio (DLMF 10.29.2),

    d log I / dz = r + nu/z,   dr/dz = 1 - (2 nu + 1) r / z - r**2,
    d log K / dz = nu/z - q,   dq/dz = q**2 - (2 nu + 1) q / z - 1.

There is no closed form for the derivative in nu, so it is a node; everything else follows by exchanging the two
derivatives, for instance dr/dnu = r (D(nu + 1, z) - D(nu, z)) with D = LogBesselIOrder.
"""

from functools import lru_cache

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

from symdsm.symbolic.nodes_base import Node, derivative_in_order
from symdsm.symbolic.nodes_elementary import LogCosh, LogSinh, Sigmoid

__all__ = [
    "BesselIGap",
    "BesselIRatio",
    "BesselKRatio",
    "LogBesselI",
    "LogBesselIOrder",
    "LogBesselIe",
    "LogBesselK",
    "LogBesselKOrder",
    "LogBesselKe",
]


class LogBesselI(Node):
    """log I_nu(z) for nu > -1 and z > 0. Orders 1/2 and -1/2 are elementary and evaluate themselves."""

    nargs = 2

    @classmethod
    def eval(cls, nu, z):
        if nu == sp.S.Half:
            return LogSinh(z) + sp.log(2 / (sp.pi * z)) / 2
        if nu == -sp.S.Half:
            return LogCosh(z) + sp.log(2 / (sp.pi * z)) / 2
        return None

    @staticmethod
    def numeric(nu, z):
        return mpmath.log(mpmath.besseli(nu, z))

    def as_plain(self):
        return sp.log(sp.besseli(*self.args))

    def fdiff(self, argindex=1):
        nu, z = self.args
        return LogBesselIOrder(nu, z) if argindex == 1 else BesselIRatio(nu, z) + nu / z

    def tex(self, nu, z):
        return rf"\log I_{{{nu}}}\left({z}\right)"


class BesselIRatio(Node):
    """I_{nu+1}(z)/I_nu(z) for nu > -1 and z > 0, between 0 and 1 for nu >= -1/2."""

    nargs, sign = 2, +1

    @classmethod
    def eval(cls, nu, z):
        if nu == -sp.S.Half:
            return sp.tanh(z)
        return sp.S.Zero if z.is_zero else None

    @staticmethod
    def numeric(nu, z):
        return mpmath.besseli(nu + 1, z) / mpmath.besseli(nu, z)

    def as_plain(self):
        nu, z = self.args
        return sp.besseli(nu + 1, z) / sp.besseli(nu, z)

    def fdiff(self, argindex=1):
        nu, z = self.args
        if argindex == 1:
            return self * (LogBesselIOrder(nu + 1, z) - LogBesselIOrder(nu, z))
        return 1 - (2 * nu + 1) * self / z - self**2

    def tex(self, nu, z):
        return rf"\frac{{I_{{{nu} + 1}}\left({z}\right)}}{{I_{{{nu}}}\left({z}\right)}}"


class BesselIGap(Node):
    """1 - I_{nu+1}(z)/I_nu(z), about (nu + 1/2)/z for large z."""

    nargs = 2

    @classmethod
    def eval(cls, nu, z):
        if nu == -sp.S.Half:
            return 2 * Sigmoid(-2 * z)
        return sp.S.One if z.is_zero else None

    @staticmethod
    def numeric(nu, z):
        with mpmath.mp.extraprec(max(0, mpmath.mag(z))):
            return 1 - BesselIRatio.numeric(nu, z)

    def as_plain(self):
        return 1 - BesselIRatio(*self.args).as_plain()

    def fdiff(self, argindex=1):
        return -BesselIRatio(*self.args).fdiff(argindex)

    def tex(self, nu, z):
        return rf"\left(1 - \frac{{I_{{{nu} + 1}}\left({z}\right)}}{{I_{{{nu}}}\left({z}\right)}}\right)"


class LogBesselIe(Node):
    """log(exp(-z) I_nu(z)), about -log(2 pi z)/2 for large z."""

    nargs = 2

    @staticmethod
    def numeric(nu, z):
        with mpmath.mp.extraprec(max(0, mpmath.mag(z))):
            return LogBesselI.numeric(nu, z) - z

    def as_plain(self):
        nu, z = self.args
        return sp.log(sp.exp(-z) * sp.besseli(nu, z))

    def fdiff(self, argindex=1):
        nu, z = self.args
        return LogBesselIOrder(nu, z) if argindex == 1 else nu / z - BesselIGap(nu, z)

    def tex(self, nu, z):
        return rf"\log\left(e^{{-{z}}} I_{{{nu}}}\left({z}\right)\right)"


class LogBesselIOrder(Node):
    """d log I_nu(z) / d nu."""

    nargs = 2

    @staticmethod
    def numeric(nu, z):
        return mpmath.diff(lambda m: LogBesselI.numeric(m, z), nu)

    def as_plain(self):
        nu, z = self.args
        return derivative_in_order(lambda m: sp.log(sp.besseli(m, z)), nu)

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        nu, z = self.args
        return 1 / z + BesselIRatio(nu, z) * (LogBesselIOrder(nu + 1, z) - self)

    def tex(self, nu, z):
        return rf"\partial_\nu \log I_{{{nu}}}\left({z}\right)"


@lru_cache(maxsize=4096)
def _scaled_k(nu, z, precision):
    """exp(z) K_nu(z) = integral of exp(-z (cosh t - 1)) cosh(nu t) over t > 0 (DLMF 10.32.9), by the trapezoidal rule.

    The integrand is entire and falls doubly exponentially. With D digits' worth of nats and the bump's curvature
    S = sqrt(nu^2 + z^2) the error of the step h is about exp(-2 pi^2/(h^2 S)) where S is large, and exp(-pi^2/h) else.
    mpmath's own K is a limit of two series at integer orders, some five times slower.
    """
    with mpmath.workprec(precision + 20):
        nats, curvature = precision * mpmath.ln2 + 8, mpmath.hypot(nu, z)
        h = mpmath.mpf("0.8") * min(mpmath.pi**2 / nats, 2 * mpmath.pi / mpmath.sqrt(2 * nats * curvature))
        peak, least = mpmath.asinh(nu / z), mpmath.ldexp(1, -precision - 10)
        step, turn = mpmath.exp(h), mpmath.exp(nu * h)
        total, grown, turned, t = mpmath.mpf(1) / 2, step, turn, h
        while True:
            term = mpmath.exp(-z * (grown - 1) ** 2 / (2 * grown)) * (turned + 1 / turned) / 2
            total += term
            if t > peak and term < least * total:
                return h * total
            grown, turned, t = grown * step, turned * turn, t + h


def _bessel_ke(nu, z):
    """exp(z) K_nu(z) for real nu and z > 0 in the working precision; NaN elsewhere."""
    nu, z = mpmath.mpmathify(nu), mpmath.mpmathify(z)
    if mpmath.im(z) or not z > 0 or not mpmath.isfinite(z):
        return mpmath.besselk(nu, z) * mpmath.exp(z)
    return +_scaled_k(abs(nu), z, mpmath.mp.prec)


def besselk(nu, z):
    """K_nu(z) as a number."""
    return mpmath.exp(-z) * _bessel_ke(nu, z)


class LogBesselK(Node):
    """log K_nu(z) for real nu and z > 0, even in nu. Order 1/2 is elementary and evaluates itself."""

    nargs = 2

    @classmethod
    def eval(cls, nu, z):
        if nu == sp.S.Half:
            return sp.log(sp.pi / (2 * z)) / 2 - z
        return cls(-nu, z) if nu.could_extract_minus_sign() else None

    @staticmethod
    def numeric(nu, z):
        return mpmath.log(_bessel_ke(nu, z)) - z

    def as_plain(self):
        return sp.log(sp.besselk(*self.args))

    def fdiff(self, argindex=1):
        nu, z = self.args
        return LogBesselKOrder(nu, z) if argindex == 1 else nu / z - BesselKRatio(nu, z)

    def tex(self, nu, z):
        return rf"\log K_{{{nu}}}\left({z}\right)"


class LogBesselKe(Node):
    """log(exp(z) K_nu(z)), even in nu, about log(pi/(2 z))/2 for large z."""

    nargs = 2

    @classmethod
    def eval(cls, nu, z):
        if nu == sp.S.Half:
            return sp.log(sp.pi / (2 * z)) / 2
        return cls(-nu, z) if nu.could_extract_minus_sign() else None

    @staticmethod
    def numeric(nu, z):
        return mpmath.log(_bessel_ke(nu, z))

    def as_plain(self):
        nu, z = self.args
        return sp.log(sp.exp(z) * sp.besselk(nu, z))

    def fdiff(self, argindex=1):
        nu, z = self.args
        return LogBesselKOrder(nu, z) if argindex == 1 else nu / z - BesselKRatio(nu, z) + 1

    def tex(self, nu, z):
        return rf"\log\left(e^{{{z}}} K_{{{nu}}}\left({z}\right)\right)"


class BesselKRatio(Node):
    """K_{nu+1}(z)/K_nu(z) for real nu and z > 0."""

    nargs, sign = 2, +1

    @classmethod
    def eval(cls, nu, z):
        return sp.S.One if nu == -sp.S.Half else None

    @staticmethod
    def numeric(nu, z):
        return _bessel_ke(nu + 1, z) / _bessel_ke(nu, z)

    def as_plain(self):
        nu, z = self.args
        return sp.besselk(nu + 1, z) / sp.besselk(nu, z)

    def fdiff(self, argindex=1):
        nu, z = self.args
        if argindex == 1:
            return self * (LogBesselKOrder(nu + 1, z) - LogBesselKOrder(nu, z))
        return self**2 - (2 * nu + 1) * self / z - 1

    def tex(self, nu, z):
        return rf"\frac{{K_{{{nu} + 1}}\left({z}\right)}}{{K_{{{nu}}}\left({z}\right)}}"


class LogBesselKOrder(Node):
    """d log K_nu(z) / d nu, odd in nu."""

    nargs = 2

    @classmethod
    def eval(cls, nu, z):
        if nu.is_zero:
            return sp.S.Zero
        return -cls(-nu, z) if nu.could_extract_minus_sign() else None

    @staticmethod
    def numeric(nu, z):
        return mpmath.diff(lambda m: LogBesselK.numeric(m, z), nu)

    def as_plain(self):
        nu, z = self.args
        return derivative_in_order(lambda m: sp.log(sp.besselk(m, z)), nu)

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        nu, z = self.args
        return 1 / z - BesselKRatio(nu, z) * (LogBesselKOrder(nu + 1, z) - self)

    def tex(self, nu, z):
        return rf"\partial_\nu \log K_{{{nu}}}\left({z}\right)"
