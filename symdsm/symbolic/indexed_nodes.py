"""Building blocks of coupled log densities that SymPy does not have.

    Mask(f, c)                 f where the condition c on the indices holds, else 0 (triangular sums)
    LogSumExp(f, limits)       log sum f, f = w exp(a), evaluated without underflow
    LogDet(M)                  log det M of a symmetric positive-definite parameter matrix
    Solve(M, n, b, i, form)    element i of z, where M z = b and M is n by n

M is the label of an IndexedBase (`P.label`) or `Lambda((a, b), expression)`; b is `Lambda(k, expression)`. `form` is
"positive" (symmetric positive definite), "lower" (lower triangular) or "lower transposed" (M' z = b, with M lower
triangular). A linear solve is closed under differentiation: with weights w_i on z_i, the weights on b are
M^{-T} w and the weights on M are -(M^{-T} w) z'. The weights on M in log det M are M^{-1}.

Reference: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation",
2008.
"""

import sympy as sp
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.symbol import Str

__all__ = ["Axis", "LogDet", "LogSumExp", "Mask", "Solve", "axes_of", "split_exp"]

_FORMS = ("positive", "lower", "lower transposed")


class Axis(sp.Dummy):
    """A bound index: always an integer, never equal to any other symbol."""

    def __new__(cls, name):
        return super().__new__(cls, name, integer=True)


def axes_of(e) -> set:
    """The bound indices that are free in e."""
    return {s for s in e.free_symbols if isinstance(s, Axis)}


class _RealNode(sp.Expr):
    is_commutative = True
    is_extended_real = True

    def __new__(cls, *args):
        return sp.Basic.__new__(cls, *map(sp.sympify, args))


class Mask(_RealNode):
    """f where the condition holds, else 0; f is never used where the condition fails."""

    def __new__(cls, f, condition):
        f, condition = sp.sympify(f), sp.sympify(condition)
        if condition == sp.true or f == 0:
            return f
        if condition == sp.false:
            return sp.S.Zero
        if isinstance(f, Mask):
            f, condition = f.args[0], sp.And(f.args[1], condition)
        return super().__new__(cls, f, condition)

    def doit(self, **hints):
        f, condition = (a.doit(**hints) for a in self.args)
        return sp.Piecewise((f, condition), (0, True))

    def _latex(self, printer):
        return printer._print(sp.Piecewise((self.args[0], self.args[1]), (0, True), evaluate=False))


def split_exp(f):
    """(w, a) with f = w exp(a); a is 0 when f has no exponential factor."""
    w, a = [], []
    for factor in sp.Mul.make_args(f):
        if isinstance(factor, sp.exp):
            a.append(factor.args[0])
        elif isinstance(factor, sp.Pow) and isinstance(factor.base, sp.exp):
            a.append(factor.base.args[0] * factor.exp)
        else:
            w.append(factor)
    return sp.Mul(*w), sp.Add(*a)


class LogSumExp(ExprWithLimits):
    """log of the sum of f over the limits; f is written as w exp(a), and w may have any sign."""

    is_commutative = True
    is_extended_real = True

    def __new__(cls, f, *limits):
        return sp.Basic.__new__(cls, sp.sympify(f), *(sp.Tuple(*limit) for limit in limits))

    @property
    def function(self):
        return self.args[0]

    @property
    def limits(self):
        return self.args[1:]

    def doit(self, **hints):
        return sp.log(sp.Sum(*self.args).doit(**hints))

    def _latex(self, printer):
        return printer._print(sp.log(sp.Sum(*self.args), evaluate=False))


class LogDet(_RealNode):
    """log det M of a symmetric positive-definite matrix: LogDet(P.label) or LogDet(Lambda((a, b), M_ab), n)."""

    def _latex(self, printer):
        return rf"\log\det {printer._print(self.args[0])}"


class Solve(_RealNode):
    """Element i of the solution z of M z = b: Solve(M, n, Lambda(k, b_k), i, form="positive").

    A factor of b that does not depend on k is taken out.
    """

    def __new__(cls, matrix, size, rhs, index, form="positive"):
        form = str(form)
        if form not in _FORMS:
            raise ValueError(f"form must be one of {_FORMS}, got {form!r}")
        scale, body = rhs.expr.as_independent(rhs.variables[0], as_Add=False)
        if scale == 0:
            return sp.S.Zero
        return scale * super().__new__(cls, matrix, size, sp.Lambda(rhs.variables, body), index, Str(form))

    @property
    def form(self) -> str:
        return str(self.args[4])

    def transposed(self, rhs, index):
        """The same system with the transposed matrix."""
        other = {"lower": "lower transposed", "lower transposed": "lower"}.get(self.form, self.form)
        return Solve(self.args[0], self.args[1], rhs, index, other)

    def _latex(self, printer):
        matrix, _, rhs, index, _ = self.args
        inverse = "{-\\top}" if self.form == "lower transposed" else "{-1}"
        m, b, i = map(printer._print, (matrix, rhs.expr, index))
        return rf"\left({m}^{inverse} \left[{b}\right]_{{{printer._print(rhs.variables[0])}}}\right)_{{{i}}}"
