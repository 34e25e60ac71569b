r"""Nodes of the hypergeometric series with one repeated lower parameter, in the logarithm of its argument.

    log 0Fm(; v, .., v; e^u) = log sum_k e^(k u) / ((v)_k^m k!),      m >= 1, v > 0
    Hyp0FMean(m, v, u) = the mean of k under the terms of the sum = d/du
    Hyp0FShape(m, v, u) = d/dv

m = 1 is log(Gamma(v) e^((1-v)u/2) I_{v-1}(2 e^(u/2))). With n = m + 1 and u = log(1 - delta) + sum_i a_i it is in the
multivariate log-gamma law, a negative binomial mixture over k of n independent log-gamma variables of shape v + k,

    LogGammaMixture(v, delta, a_1, .., a_n) = v log delta + sum_i [v a_i - e^a_i - log Gamma(v)] + log 0Fm

(Demirhan and Hamurkaroglu, Journal of Statistical Planning and Inference 141 (2011), 1141). Its code sums over k, where
nothing cancels.
"""

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

from symdsm.symbolic.nodes_base import Node, derivative_in_order

__all__ = ["Hyp0FGap", "Hyp0FMean", "Hyp0FShape", "LogGammaMixture"]


def _peak(m, v, u):
    """The largest term: k >= 0 with m log(v + k) + log(k + 1) = u, by bisection."""
    low, high = mpmath.mpf(0), mpmath.exp(u / (m + 1)) + 1
    while high - low > max(0.5, mpmath.sqrt(high) / 100):
        middle = (low + high) / 2
        low, high = (middle, high) if m * mpmath.log(v + middle) + mpmath.log(middle + 1) < u else (low, middle)
    return mpmath.floor(low)


def _terms(m, v, u):
    """(k, log of the term, stride) around the largest term; far out every stride-th one (Poisson's formula)."""
    m = int(m)
    with mpmath.mp.extraprec(max(0, int(2 * u / (m + 1)))):
        peak = _peak(m, v, u)
    spread = 1 / mpmath.sqrt(m / (v + peak) + 1 / (peak + 1))
    digits = mpmath.mp.dps + 10
    stride = max(mpmath.floor(spread / mpmath.sqrt(digits)), mpmath.mpf(1))
    reach = mpmath.ceil((mpmath.sqrt(2 * digits * mpmath.log(10)) * spread * mpmath.mpf("1.2") + 80) / stride)
    first = max(peak - reach * stride, mpmath.mpf(0))
    ks = [first + stride * i for i in range(int(2 * reach) + 1)]
    with mpmath.mp.extraprec(2 * max(0, mpmath.mag(peak + 1)) + 10):
        logs = [k * u - m * (mpmath.loggamma(v + k) - mpmath.loggamma(v)) - mpmath.loggamma(k + 1) for k in ks]
        top = max(logs)
        return ks, [mpmath.exp(t - top) for t in logs], top + mpmath.log(stride)


def log_hyp0f(m, v, u):
    """log 0Fm in numbers."""
    _, weights, top = _terms(m, v, u)
    return top + mpmath.log(mpmath.fsum(weights))


class LogGammaMixture(Node):
    """log p(a_1, .., a_n) of (v, delta, a_1, .., a_n): log-gamma variables of one shape v + k, k negative binomial."""

    @staticmethod
    def numeric(v, delta, *a):
        rest = v * mpmath.log(delta) + mpmath.fsum(v * t - mpmath.exp(t) - mpmath.loggamma(v) for t in a)
        return rest + log_hyp0f(len(a) - 1, v, mpmath.log1p(-delta) + mpmath.fsum(a))

    def as_plain(self):
        v, delta, *a = self.args
        rest = v * sp.log(delta) + sp.Add(*[v * t - sp.exp(t) for t in a]) - len(a) * sp.loggamma(v)
        return rest + sp.log(sp.hyper((), (v,) * (len(a) - 1), (1 - delta) * sp.exp(sp.Add(*a))))

    def fdiff(self, argindex=1):
        v, delta, *a = self.args
        m, u = sp.Integer(len(a) - 1), sp.log(1 - delta) + sp.Add(*a)
        if argindex == 1:
            return sp.log(delta) + sp.Add(*a) - len(a) * sp.digamma(v) + Hyp0FShape(m, v, u)
        if argindex == 2:
            return v / delta - Hyp0FMean(m, v, u) / (1 - delta)
        return Hyp0FGap(m, v, u, a[argindex - 3])

    def tex(self, v, delta, *a):
        return rf"\log p_{{{v}, {delta}}}\left({', '.join(a)}\right)"


class Hyp0FGap(Node):
    """v + Hyp0FMean(m, v, u) - e^a: the slope of LogGammaMixture in one variable."""

    nargs = 4

    @staticmethod
    def numeric(m, v, u, a):
        return v + Hyp0FMean.numeric(m, v, u) - mpmath.exp(a)

    def as_plain(self):
        m, v, u, a = self.args
        return v + Hyp0FMean(m, v, u).as_plain() - sp.exp(a)

    def fdiff(self, argindex=1):
        m, v, u, a = self.args
        if argindex == 4:
            return -sp.exp(a)
        return Hyp0FMean(m, v, u).fdiff(argindex) + int(argindex == 2)


class Hyp0FMean(Node):
    """The mean of k under the weights e^(k u) / ((v)_k^m k!): d/du log 0Fm."""

    nargs, sign = 3, +1

    @staticmethod
    def numeric(m, v, u):
        ks, weights, _ = _terms(m, v, u)
        return mpmath.fsum(k * w for k, w in zip(ks, weights, strict=True)) / mpmath.fsum(weights)

    def as_plain(self):
        m, v, u = self.args
        one = sp.hyper((), (v + 1,) * int(m), sp.exp(u)) / sp.hyper((), (v,) * int(m), sp.exp(u))
        return sp.exp(u) / v**m * one

    def fdiff(self, argindex=1):
        m, v, u = self.args
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        above = Hyp0FMean(m, v + 1, u) if argindex == 3 else Hyp0FShape(m, v + 1, u)
        own = Hyp0FMean(m, v, u) if argindex == 3 else Hyp0FShape(m, v, u)
        extra = sp.S.One if argindex == 3 else -m / v
        return self * (extra + above - own)


class Hyp0FShape(Node):
    """d/dv log 0Fm(; v, .., v; e^u)."""

    nargs = 3

    @staticmethod
    def numeric(m, v, u):
        ks, weights, _ = _terms(m, v, u)
        base = mpmath.digamma(v)
        total = mpmath.fsum((mpmath.digamma(v + k) - base) * w for k, w in zip(ks, weights, strict=True))
        return -m * total / mpmath.fsum(weights)

    def as_plain(self):
        m, v, u = self.args
        return derivative_in_order(lambda t: sp.log(sp.hyper((), (t,) * int(m), sp.exp(u))), v)

    def fdiff(self, argindex=1):
        if argindex != 3:
            raise ArgumentIndexError(self, argindex)
        return Hyp0FMean(*self.args).fdiff(2)
