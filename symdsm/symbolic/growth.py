r"""How fast a function of an array grows and bends, by rules on its expression: for E |score|^2 of coupled kernels.

For f(y) with everything else fixed, orders a say |..| <= C (1 + |y|)^a, with -oo for zero and oo for unknown:

    size      |f|                      slope   |grad f| almost everywhere
    low, up   the negative and the positive part of the Hessian's eigenvalues; -oo: convex, concave

Two lemmas keep quotients apart. If f >= 0 has a bounded Hessian, |grad f|^2 <= 2 C f; so log(1 + f), sqrt(1 + f) and
exp(-f) have bounded slopes and Hessians. The Hessian of log sum exp(a_k) is the softmax mean of the Hessians of a_k
plus a covariance of their gradients, hence bounded below by the first. Constants depend on the sizes of the arrays.

Source: Boyd and Vandenberghe, Convex Optimization (2004), section 3.1 and 3.2, for what is convex; the first lemma is
Nesterov, Introductory Lectures on Convex Optimization (2004), section 1.2.
"""

from typing import NamedTuple

import sympy as sp

from symdsm.symbolic.growth_univariate import orders_of_pieces
from symdsm.symbolic.indexed_nodes import Axis, LogDet, LogSumExp, Mask, Solve, split_exp
from symdsm.symbolic.nodes import LSE, Log1p, LogCosh, Softplus

__all__ = ["Growth", "growth"]

_OO, _NONE = float("inf"), float("-inf")
_BOUNDED = (sp.sin, sp.cos, sp.tanh, sp.atan, sp.erf)


class Growth(NamedTuple):
    """Orders of f; `sign` +1 for f >= 0; `squares` for a sum of squares of linear forms plus a nonnegative number."""

    size: int | float = _OO
    slope: int | float = _OO
    low: int | float = _OO
    up: int | float = _OO
    sign: int = 0
    above: bool = False  # bounded from above
    below: bool = False
    continuous: bool = True
    squares: bool = False

    @property
    def bend(self) -> int | float:
        return max(self.low, self.up)

    @property
    def linear(self) -> bool:
        return self.bend == _NONE

    @property
    def convex(self) -> bool:
        return self.low == _NONE

    @property
    def concave(self) -> bool:
        return self.up == _NONE


_CONSTANT = Growth(0, _NONE, _NONE, _NONE, 0, True, True, True)
_UNKNOWN = Growth(continuous=False)


def growth(e: sp.Expr, noisy: sp.IndexedBase, definite=frozenset()) -> Growth:
    """The orders of e as a function of the entries of `noisy`; `definite` names the positive definite matrices."""
    of = lambda a: growth(a, noisy, definite)  # noqa: E731
    if not any(entry.base == noisy for entry in e.atoms(sp.Indexed)):
        sign = 1 if e.is_nonnegative else -1 if e.is_nonpositive else 0
        return _CONSTANT._replace(sign=sign, squares=sign > 0)
    if isinstance(e, sp.Indexed):
        return Growth(1, 0, _NONE, _NONE)
    if isinstance(e, LogSumExp):
        weight, power = split_exp(e.function)
        inner = of(power)
        if of(weight).slope != _NONE:
            return _UNKNOWN
        return inner._replace(up=max(inner.up, 2 * inner.slope), sign=0, below=False, squares=False)
    if isinstance(e, LSE):
        total = _sum([of(a) for a in e.args])
        return total._replace(up=max(total.up, 2 * total.slope), sign=0, squares=False)
    if isinstance(e, sp.Sum):
        found = _form(e, noisy, definite) or of(e.function)
        return found if found.continuous else univariate(e.function, noisy) or found
    if isinstance(e, Solve):
        return of(e.args[2].expr)
    if isinstance(e, LogDet):
        return _UNKNOWN
    if isinstance(e, Mask):
        moving = any(entry.base == noisy for entry in e.args[1].atoms(sp.Indexed))
        return _UNKNOWN if moving else of(e.args[0])
    if e.is_Add:
        return _sum([of(a) for a in e.args])
    if e.is_Mul:
        return _product(e, of)
    if isinstance(e, sp.exp):
        return _exponential(of(e.args[0]))
    if e.is_Pow:
        return _power(of(e.base), e.exp, e.base)
    return _function(e, of) if len(e.args) == 1 else _UNKNOWN


def univariate(body: sp.Expr, noisy: sp.IndexedBase) -> Growth | None:
    """The orders of h(r_i) with h in pieces and r_i linear in y, such as Huber's; None when it is not of this form."""
    found = orders_of_pieces(body, noisy)
    return None if found is None else Growth(*found)


def _sum(parts):
    continuous = all(p.continuous for p in parts)
    signs = {p.sign for p in parts}
    return Growth(
        max(p.size for p in parts),
        max(p.slope for p in parts),
        max(p.low for p in parts),
        max(p.up for p in parts),
        signs.pop() if len(signs) == 1 else 0,
        all(p.above for p in parts),
        all(p.below for p in parts),
        continuous,
        all(p.squares for p in parts),
    )


def _product(e, of):
    """A number times a function, or functions."""
    rest = [f for f in e.args if of(f) != _CONSTANT and of(f).slope != _NONE]
    scale = sp.Mul(*[f for f in e.args if f not in rest])
    total = of(rest[0])
    for f in rest[1:]:
        total = _times(total, of(f))
    if scale.is_nonnegative:
        return total
    if scale.is_nonpositive:
        return total._replace(low=total.up, up=total.low, sign=-total.sign, above=total.below, below=total.above,
                              squares=False)  # fmt: skip
    both = total.above and total.below
    return total._replace(low=total.bend, up=total.bend, sign=0, above=both, below=both, squares=False)


def _times(f, g):
    bend = max(_plus(f.bend, g.size), _plus(g.bend, f.size), _plus(f.slope, g.slope))
    size = f.size + g.size
    bounded = f.above and f.below and g.above and g.below
    slope = max(_plus(f.slope, g.size), _plus(g.slope, f.size))
    return Growth(size, slope, bend, bend, f.sign * g.sign, bounded, bounded, f.continuous and g.continuous)


def _plus(a, b):
    return _NONE if _NONE in (a, b) else a + b


def _power(f, n, base):
    if n.is_Integer and n >= 2:
        m = int(n)
        curved = _plus((m - 1) * f.size, f.bend)
        bend = max(_plus((m - 2) * f.size if m > 2 else 0, 2 * f.slope), curved)
        even = m % 2 == 0
        return Growth(
            m * f.size, _plus((m - 1) * f.size, f.slope), curved if even else bend, bend, 1 if even else f.sign,
            f.above and f.below, even or f.below, f.continuous, m == 2 and f.linear,
        )  # fmt: skip
    if n.is_positive is None and n.is_negative is None or f.sign <= 0 or not f.continuous:
        return _UNKNOWN
    away = _away_from_zero(base)
    if not away:
        if n == sp.S.Half and f.squares:
            return Growth(f.size / 2, 0, _NONE, _OO, 1, f.above, True, True)
        return _UNKNOWN
    if n.is_negative or n == sp.S.Half or n.is_number and n < sp.S.Half:
        smooth = f.bend <= 0
        slope, bend = (0, 0) if smooth else (f.slope, max(2 * f.slope, f.bend))
        size = max(0, float(n) * f.size) if n.is_number else f.size
        convex = n == sp.S.Half and f.squares
        return Growth(size, slope, _NONE if convex else bend, bend, 1, n.is_negative or f.above, True, True)
    return _UNKNOWN


def _away_from_zero(base):
    """A positive number plus something: what is added is nonnegative, since the base is."""
    number, _ = base.as_independent(sp.Indexed, Axis, as_Add=True) if base.is_Add else (sp.S.Zero, base)
    return bool(number.is_positive)


def _exponential(f):
    if not f.above:
        return Growth(low=_NONE if f.convex else _OO, sign=1, below=True, continuous=f.continuous)
    smooth = f.bend <= 0
    slope, bend = (0, 0) if smooth else (f.slope, max(2 * f.slope, f.bend))
    return Growth(0, slope, bend, bend, 1, True, True, f.continuous)


def _function(e, of):
    f = of(e.args[0])
    if not f.continuous:
        return _UNKNOWN
    if isinstance(e, sp.Abs):
        return Growth(f.size, f.slope, _NONE if f.linear else _OO, _OO, 1, f.above and f.below, True, True)
    if isinstance(e, (Log1p, sp.log)):
        plus_one = isinstance(e, Log1p)
        if f.sign <= 0 or not plus_one and not _away_from_zero(e.args[0]):
            return _UNKNOWN
        smooth = f.bend <= 0 or _even_power_of_linear(e.args[0], of)
        slope, bend = (0, 0) if smooth else (f.slope, max(2 * f.slope, f.bend))
        return Growth(min(f.size, 1), slope, bend, bend, int(plus_one), f.above, True, True)
    if isinstance(e, _BOUNDED):
        bend = max(2 * f.slope, f.bend)
        return Growth(0, f.slope, bend, bend, 0, True, True, True)
    if isinstance(e, sp.cosh):
        return Growth(low=_NONE if f.linear else _OO, sign=1, below=True)
    if isinstance(e, (LogCosh, Softplus)):
        bend = max(2 * f.slope, f.bend)
        return Growth(f.size, f.slope, _NONE if f.linear else bend, bend, 1, f.above, True, True)
    return _UNKNOWN


def _even_power_of_linear(f, of):
    """c h^n with h linear: log(1 + h^n) has bounded slope and Hessian for every even n."""
    powers = [g for g in sp.Mul.make_args(f) if of(g).slope != _NONE]
    return len(powers) == 1 and powers[0].is_Pow and powers[0].exp.is_even and of(powers[0].base).linear


def _form(e, noisy, definite) -> Growth | None:
    """sum_ij M_ij r_i r_j with one r and a positive definite M: a sum of squares of linear forms."""
    if len(e.limits) != 2:
        return None
    (i, *_), (j, *_) = e.limits
    factors = sp.Mul.make_args(e.function)
    own = [f for f in factors if any(entry.base == noisy for entry in f.atoms(sp.Indexed))]
    matrix = [f for f in factors if isinstance(f, sp.Indexed) and f.base != noisy and set(f.indices) == {i, j}]
    swap = sp.Dummy("swap", integer=True)
    if len(own) != 2 or len(matrix) != 1 or str(matrix[0].base) not in definite:
        return None
    a, b = own
    if sp.expand(a.xreplace({i: swap, j: swap}) - b.xreplace({i: swap, j: swap})) != 0:
        return None
    rest = sp.Mul(*[f for f in factors if f not in own and f not in matrix])
    return Growth(2, 1, _NONE, 0, 1, False, True, True, True) if rest.is_nonnegative else None
