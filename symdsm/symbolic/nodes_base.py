"""Function nodes: named building blocks that stay whole through differentiation.

A node f(u) is a SymPy function that stands for a stable formula, say log Phi(u). Writing the formula out would lose
digits or overflow, so the node is kept until the code is printed, and its derivative is again made of nodes. Each
node knows four things:

- `fdiff`: its exact derivative,
- `numeric`: its value by mpmath, at any precision, so that `node.evalf(50)` is the oracle of the printed code,
- `as_plain`: the same function in SymPy's own words, for people,
- `tex`: how it is written.

A node evaluates itself only where the value is an exact constant or an exactly equal, simpler node.
"""

import mpmath
import sympy as sp
from sympy.core.logic import fuzzy_and

__all__ = ["Node", "derivative_in_order", "plain"]


class Node(sp.Function):
    """Base of all nodes. Subclasses give `numeric`, `as_plain`, `fdiff` and, where it reads better, `tex`.

    Implementing one: `numeric(*args)` is a static method on mpmath numbers, called at the working precision;
    `as_plain()` returns ordinary SymPy; `fdiff(argindex)` counts from 1 and may use any other node.
    """

    sign: int | None = None  # +1 or -1 where the node is so for all admissible real arguments

    def _eval_is_real(self):
        return fuzzy_and(a.is_real for a in self.args)

    def _eval_is_extended_real(self):
        return fuzzy_and(a.is_extended_real for a in self.args)

    def _eval_is_positive(self):
        return self.sign > 0 if self.sign is not None and self._eval_is_real() else None

    def _eval_is_negative(self):
        return self.sign < 0 if self.sign is not None and self._eval_is_real() else None

    def _eval_evalf(self, prec):
        try:
            numbers = [a._to_mpmath(prec + 20) for a in self.args]
        except (AttributeError, ValueError):
            return None
        with mpmath.mp.workprec(prec + 20):
            return sp.Expr._from_mpmath(self.numeric(*numbers), prec)

    def tex(self, *args):
        """LaTeX from the LaTeX of the arguments."""
        return rf"\operatorname{{{type(self).__name__}}}\left({', '.join(args)}\right)"

    def _latex(self, printer, exp=None):
        text = self.tex(*(printer._print(a) for a in self.args))
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"


def plain(expr):
    """The same expression with every node written out in ordinary SymPy functions.

    For reading and for a second opinion. Never for code: the written-out form is what loses digits.
    """
    return sp.sympify(expr, strict=True).replace(lambda e: isinstance(e, Node), lambda e: e.as_plain())


def derivative_in_order(f, order):
    """d f(m)/dm at m = order, unevaluated: SymPy has no closed form for it."""
    m = sp.Dummy("m", real=True)
    return sp.Subs(sp.Derivative(f(m), m), m, order)
