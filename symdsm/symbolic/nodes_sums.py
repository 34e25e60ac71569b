"""Nodes for logarithms of sums of exponentials, which overflow, underflow and cancel when written out.

    LSE(a, b, ..) = log(exp a + exp b + ..)
    Softmax(k, a, b, ..) = exp(a_k - LSE(a, b, ..)), k counted from 0
    Blend(u, a, b) = a/(1 + exp(-u)) + b/(1 + exp(u))
    SignedLSE(c, a, d, b, ..) = log |c exp a + d exp b + ..|
    SignedWeight(k, c, a, d, b, ..) = exp(a_k) / (c exp a + d exp b + ..)

A mixture of densities is the first, also where all its parts underflow; its score is the softmax average of theirs, for
two parts a blend. The signed form serves sums of terms whose signs are not known, such as w p + (1 - w) q.
"""

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

from symdsm.symbolic.nodes_base import Node
from symdsm.symbolic.nodes_elementary import Sigmoid

__all__ = ["LSE", "Blend", "SignedLSE", "SignedWeight", "Softmax"]


class LSE(Node):
    """log(exp a + exp b + ..) of any number of arguments; derivative in the k-th one Softmax(k, a, b, ..)."""

    @classmethod
    def eval(cls, *args):
        return args[0] if len(args) == 1 else None

    @staticmethod
    def numeric(*args):
        top = max(args)
        return top + mpmath.log(sum(mpmath.exp(a - top) for a in args))

    def as_plain(self):
        return sp.log(sp.Add(*(sp.exp(a) for a in self.args)))

    def fdiff(self, argindex=1):
        return Softmax(argindex - 1, *self.args)

    def tex(self, *args):
        return r"\log\left(" + " + ".join(f"e^{{{a}}}" for a in args) + r"\right)"


class Blend(Node):
    """a/(1 + exp(-u)) + b/(1 + exp(u)), which goes from b to a as u grows."""

    nargs = 3

    @staticmethod
    def numeric(u, a, b):
        return a / (1 + mpmath.exp(-u)) + b / (1 + mpmath.exp(u))

    def as_plain(self):
        u, a, b = self.args
        return a / (1 + sp.exp(-u)) + b / (1 + sp.exp(u))

    def fdiff(self, argindex=1):
        u, a, b = self.args
        upper, lower = Sigmoid(u), Sigmoid(-u)
        return ((a - b) * upper * lower, upper, lower)[argindex - 1]

    def tex(self, u, a, b):
        return rf"\left({a} \sigma\left({u}\right) + {b} \sigma\left(-{u}\right)\right)"


class Softmax(Node):
    """exp(a_k) / (exp a_0 + exp a_1 + ..): the weight of the k-th argument, k a whole number counted from 0."""

    sign = +1

    @classmethod
    def eval(cls, k, *args):
        if not (k.is_Integer and 0 <= k < len(args)):
            raise ValueError(f"Softmax: the index {k} is not one of 0..{len(args) - 1}")
        return sp.S.One if len(args) == 1 else None

    @staticmethod
    def numeric(k, *args):
        top = max(args)
        return mpmath.exp(args[int(k)] - top) / sum(mpmath.exp(a - top) for a in args)

    def as_plain(self):
        k, *args = self.args
        return sp.exp(args[int(k)]) / sp.Add(*(sp.exp(a) for a in args))

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        k, *args = self.args
        j = argindex - 2
        return self * (int(k == j) - Softmax(j, *args))

    def tex(self, k, *args):
        total = " + ".join(f"e^{{{a}}}" for a in args)
        return rf"\frac{{e^{{{args[int(k)]}}}}}{{{total}}}"


def _pairs(args):
    return list(zip(args[::2], args[1::2], strict=True))


class SignedLSE(Node):
    """log |c_1 exp u_1 + c_2 exp u_2 + ..|; derivative in c_k: SignedWeight(k - 1, ..), in u_k: c_k times that."""

    @staticmethod
    def numeric(*args):
        top = max(u for _, u in _pairs(args))
        return top + mpmath.log(abs(sum(c * mpmath.exp(u - top) for c, u in _pairs(args))))

    def as_plain(self):
        return sp.log(sp.Abs(sp.Add(*(c * sp.exp(u) for c, u in _pairs(self.args)))))

    def fdiff(self, argindex=1):
        k, in_exponent = divmod(argindex - 1, 2)
        weight = SignedWeight(k, *self.args)
        return self.args[2 * k] * weight if in_exponent else weight

    def tex(self, *args):
        return r"\log\left|" + " + ".join(rf"({c}) e^{{{u}}}" for c, u in _pairs(args)) + r"\right|"


class SignedWeight(Node):
    """exp(u_k) / (c_1 exp u_1 + c_2 exp u_2 + ..), k a whole number counted from 0."""

    @staticmethod
    def numeric(k, *args):
        top = max(u for _, u in _pairs(args))
        return mpmath.exp(args[2 * int(k) + 1] - top) / sum(c * mpmath.exp(u - top) for c, u in _pairs(args))

    def as_plain(self):
        k, *args = self.args
        return sp.exp(args[2 * int(k) + 1]) / sp.Add(*(c * sp.exp(u) for c, u in _pairs(args)))

    def fdiff(self, argindex=1):
        if argindex == 1:
            raise ArgumentIndexError(self, argindex)
        k, *args = self.args
        j, in_exponent = divmod(argindex - 2, 2)
        other = SignedWeight(j, *args)
        return self * (int(k == j) - args[2 * j] * other) if in_exponent else -self * other

    def tex(self, k, *args):
        total = " + ".join(rf"({c}) e^{{{u}}}" for c, u in _pairs(args))
        return rf"\frac{{e^{{{args[2 * int(k) + 1]}}}}}{{{total}}}"
