"""Solving y = g(e) for the noise e, one function at a time.

The outermost function of g is peeled off while exactly one of its arguments holds the noise; each step knows its
inverse and the condition under which it has one, so a monotone branch can neither be lost nor invented:

    y = a + u   ->  u = y - a          y = exp u  ->  u = log y,      y > 0
    y = a u     ->  u = y / a          y = |u|    ->  u = y and u = -y, y >= 0
    y = u^p     ->  p odd: sign(y)|y|^(1/p);  p even: +-y^(1/p), y >= 0;  u > 0: y^(1/p), y > 0

With branches e_k(y) valid under C_k(y), the density of y is (Casella and Berger, Statistical Inference, 2.1)

    p(y) = sum_k [C_k(y)] f(e_k(y)) |d e_k / dy|.

A last resort is a quadratic in e. Anything else is refused with its reason. The declaration tries every
result on numbers: each noise value must be found among the branches of its image, and each valid branch must map back.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.logs import exact_log
from symdsm.symbolic.nodes import LogExpm1, Sigmoid, Softplus

__all__ = ["Branch", "coordinate", "invert"]


@dataclass(frozen=True)
class Branch:
    """e = inverse(y) wherever condition(y) holds."""

    inverse: sp.Expr
    condition: sp.Basic = sp.true

    def log_slope(self, noisy: sp.Symbol) -> sp.Expr:
        """log |d inverse/d noisy|, the Jacobian of the branch."""
        slope = sp.diff(self.inverse, noisy).replace(sp.DiracDelta, lambda *_: sp.S.Zero)
        return exact_log(sp.factor_terms(slope)) if slope.is_Add else exact_log(slope)


def invert(g: sp.Expr, noise: sp.Symbol, noisy: sp.Symbol) -> tuple[Branch, ...]:
    """All e with g(e) = noisy, each with its condition (a SymPy Boolean)."""
    refused = g.atoms(sp.Max, sp.Min, sp.sign, sp.floor, sp.ceiling, sp.Heaviside)
    if any(f.has(noise) for f in refused):
        raise _refusal(g, "a function with flat or broken pieces: the noisy value would have atoms, not a density")
    return tuple(b for b in _peel(g, noise, noisy, sp.true) if b.condition is not sp.false)


def coordinate(image: sp.Expr, y: sp.Symbol, u: sp.Symbol) -> Branch:
    """The one branch of T(y) = u. Raises DeclarationError where there are several."""
    branches = invert(image, y, u)
    if len(branches) != 1:
        raise DeclarationError(
            given=f"the coordinate {image}, which has {len(branches)} branches",
            expected="a one-to-one coordinate on the support",
            fix="take a monotone function, such as sympy.log on positive values",
        )
    return branches[0]


def _refusal(g: sp.Expr, reason: str) -> DeclarationError:
    return DeclarationError(
        given=f"the noisy value {g}, which is {reason}",
        expected="a map that is invertible in the noise on finitely many branches",
        fix="write the density itself with Kernel.from_density, or take a monotone map",
    )


def _peel(g, e, v, condition) -> list[Branch]:
    """Branches of g(e) = v under `condition`, v an expression in the noisy symbol."""
    if g == e:
        return [Branch(v, condition)]
    holders = [a for a in g.args if a.has(e)]
    if not holders:
        raise _refusal(g, "without the noise")
    if isinstance(g, sp.Piecewise):
        return _peel_piecewise(g, e, v, condition)
    if len(holders) > 1:
        return _peel_polynomial(g, e, v, condition)
    (u,) = holders
    branches = []
    for inverse, valid in _undo(g, u, v):
        if valid is not sp.false:
            branches += _peel(u, e, inverse, sp.And(condition, valid))
    return branches


def _undo(g, u, v):
    """[(value of u, condition on v)] for g(.., u, ..) = v."""
    if g.is_Add:
        return [(v - (g - u), sp.true)]
    if g.is_Mul:
        rest = g / u
        return [(v / rest, sp.true)]
    if isinstance(g, sp.exp):
        return [(sp.log(v), _positive(v))]
    if g.is_Pow:
        return _undo_power(g, u, v)
    if isinstance(g, sp.Abs):
        return [(v, _nonnegative(v)), (-v, _nonnegative(v))]
    if isinstance(g, sp.cosh):
        valid = sp.Ge(v, 1)
        return [(sp.acosh(v), valid)] + ([] if u.is_nonnegative else [(-sp.acosh(v), valid)])
    rule = _INVERSES.get(g.func)
    if rule is None:
        raise _refusal(g, f"an application of {g.func.__name__}, which has no single inverse on the whole range")
    return [rule(v)]


def _undo_power(g, u, v):
    if u == g.exp:
        base = g.base
        return [(sp.log(v) / sp.log(base), _positive(v))]
    p = g.exp
    if u.is_positive:
        return [(v ** (1 / p), _positive(v))]
    if u.is_nonnegative:
        return [(v ** (1 / p), _nonnegative(v))]
    if p == -1:
        return [(1 / v, sp.Ne(v, 0))]
    if p.is_Integer and p.is_odd:
        return [(sp.sign(v) * sp.Abs(v) ** (1 / p), sp.true if p > 0 else sp.Ne(v, 0))]
    if p.is_Integer and p.is_even:
        root = sp.Abs(v) ** (1 / p)
        valid = _nonnegative(v) if p > 0 else _positive(v)
        return [(root, valid), (-root, valid)]
    raise _refusal(g, "a power of something that may be negative")


def _positive(v):
    return sp.true if v.is_positive else sp.Gt(v, 0)


def _nonnegative(v):
    return sp.true if v.is_nonnegative else sp.Ge(v, 0)


def _between(v, low, high):
    return sp.And(sp.Gt(v, low), sp.Lt(v, high))


_INVERSES = {
    sp.log: lambda v: (sp.exp(v), sp.true),
    sp.sinh: lambda v: (sp.asinh(v), sp.true),
    sp.asinh: lambda v: (sp.sinh(v), sp.true),
    sp.tanh: lambda v: (sp.atanh(v), _between(v, -1, 1)),
    sp.atanh: lambda v: (sp.tanh(v), sp.true),
    sp.atan: lambda v: (sp.tan(v), _between(v, -sp.pi / 2, sp.pi / 2)),
    sp.erf: lambda v: (sp.erfinv(v), _between(v, -1, 1)),
    Sigmoid: lambda v: (sp.log(v) - sp.log(1 - v), _between(v, 0, 1)),
    Softplus: lambda v: (LogExpm1(v), _positive(v)),
}


def _peel_piecewise(g, e, v, condition):
    branches, earlier = [], []
    for piece, when in g.args:
        for b in _peel(piece, e, v, condition) if piece.has(e) else []:
            here = sp.And(when, *[sp.Not(c) for c in earlier])
            branches.append(Branch(b.inverse, sp.And(b.condition, here.xreplace({e: b.inverse}))))
        earlier.append(when)
    if not branches:
        raise _refusal(g, "constant on every piece")
    return branches


def _peel_polynomial(g, e, v, condition):
    """A polynomial of degree at most 2 in e or in exp(e)."""
    for inner in (e, sp.exp(e)):
        t = sp.Symbol("_t", real=True)
        polynomial = sp.expand(sp.together(g).xreplace({inner: t}))
        numerator = sp.fraction(sp.together(polynomial - v))[0]
        if numerator.has(e) or not numerator.is_polynomial(t):
            continue
        coefficients = sp.Poly(numerator, t).all_coeffs()
        if len(coefficients) == 2:
            a, b = coefficients
            return _peel(inner, e, -b / a, condition)
        if len(coefficients) == 3:
            a, b, c = coefficients
            discriminant = b**2 - 4 * a * c
            valid = sp.And(condition, sp.Ge(discriminant, 0))
            root = sp.sqrt(discriminant)
            return [x for s in (1, -1) for x in _peel(inner, e, (-b + s * root) / (2 * a), valid)]
    raise _refusal(g, "not invertible by one function at a time: the noise stands in several places")
