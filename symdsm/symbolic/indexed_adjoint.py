"""The derivative of an indexed expression, walking it backwards.

For L with a single entry y[t(i)] inside sums over i the chain rule gives

    dL / dy[j] = sum_i seed_i [t(i) = j],

where the seed is the derivative of L by that entry. Each occurrence of y makes one contribution
(seed, limits of i, target t(i)); nothing is solved for i, no Kronecker delta appears, and strides, shifts and
boundaries are right by construction. Every sum gets new bound indices when it is entered, because the seed may
already hold a copy of the same sum.

Reference: A. Griewank and A. Walther, "Evaluating derivatives", SIAM, 2008, chapter 3.
"""

from typing import NamedTuple

import sympy as sp

from symdsm.symbolic.indexed_nodes import Axis, LogDet, LogSumExp, Mask, Solve, axes_of, split_exp

__all__ = ["Contribution", "adjoint"]

_FLAT = (sp.sign, sp.floor, sp.ceiling, sp.Heaviside)


class Contribution(NamedTuple):
    """sum over `limits` of `seed`, added to the entry `target` (empty for a scalar)."""

    seed: sp.Expr
    limits: tuple
    target: tuple


def adjoint(expr, variable) -> list[Contribution]:
    """The contributions to d expr / d variable, merged where limits and target agree.

    `variable` is an IndexedBase or a Symbol.
    """
    merged: dict = {}
    shared: dict = {}
    for c in _walk(expr, variable, sp.S.One, ()):
        c = _canonical(c, shared)
        key = (c.limits, c.target)
        merged[key] = merged.get(key, 0) + c.seed
    return [Contribution(seed, *key) for key, seed in merged.items() if seed != 0]


def _canonical(c, shared):
    """The same contribution with indices that depend on the limits and the target only."""
    order = sorted(c.limits, key=lambda limit: _place(limit[0], c.target))
    names = {}
    for position, (axis, low, high) in enumerate(order):
        names[axis] = shared.setdefault((position, low, high), Axis("i"))
    limits = tuple(sp.Tuple(*limit).xreplace(names) for limit in order)
    return Contribution(c.seed.xreplace(names), limits, tuple(t.xreplace(names) for t in c.target))


def _place(axis, target):
    return next((k for k, t in enumerate(target) if axis in t.free_symbols), len(target))


def _holds(e, variable):
    if isinstance(variable, sp.Symbol):
        return variable in e.free_symbols
    return any(entry.base == variable for entry in e.atoms(sp.Indexed))


def _entered(function, limits):
    """The summand and its limits with new bound indices."""
    fresh = {limit[0]: Axis(limit[0].name) for limit in limits}
    return function.xreplace(fresh), tuple(sp.Tuple(fresh[a], low, high) for a, low, high in limits)


def _walk(e, variable, seed, limits):
    if seed == 0 or not _holds(e, variable):
        return
    if isinstance(e, sp.Indexed):
        yield Contribution(seed, limits, e.indices)
    elif e == variable:
        yield Contribution(seed, limits, ())
    elif isinstance(e, sp.Add):
        for term in e.args:
            yield from _walk(term, variable, seed, limits)
    elif isinstance(e, sp.Mul):
        for k, factor in enumerate(e.args):
            others = e.args[:k] + e.args[k + 1 :]
            yield from _walk(factor, variable, sp.Mul(seed, *others), limits)
    elif isinstance(e, sp.Sum):
        body, inner = _entered(e.function, e.limits)
        yield from _walk(body, variable, seed, limits + inner)
    elif isinstance(e, sp.Product):
        body, inner = _entered(e.function, e.limits)
        yield from _walk(body, variable, seed * e / body, limits + inner)
    elif isinstance(e, LogSumExp):
        body, inner = _entered(e.function, e.limits)
        weight, exponent = split_exp(body)
        share = sp.exp(exponent - e)
        yield from _walk(weight, variable, seed * share, limits + inner)
        yield from _walk(exponent, variable, seed * weight * share, limits + inner)
    elif isinstance(e, Mask):
        for c in _walk(e.args[0], variable, seed, limits):
            yield Contribution(Mask(c.seed, e.args[1]), c.limits, c.target)
    elif isinstance(e, Solve):
        yield from _solve(e, variable, seed, limits)
    elif isinstance(e, LogDet):
        yield from _log_det(e, variable, seed, limits)
    elif isinstance(e, sp.Pow):
        yield from _walk(e.base, variable, seed * e.exp * e.base ** (e.exp - 1), limits)
        yield from _walk(e.exp, variable, seed * sp.log(e.base) * e, limits)
    elif not isinstance(e, _FLAT):
        for k, argument in enumerate(e.args):
            if _holds(argument, variable):
                slope = e.fdiff(k + 1).replace(sp.Heaviside, lambda u, *_: Mask(1, u > 0))
                yield from _walk(argument, variable, seed * slope, limits)


def _solve(e, variable, seed, limits):
    """With weights w on z: b gets M^{-T} w, and M gets -(M^{-T} w) z'."""
    matrix, size, rhs, index, _ = e.args
    coupled = axes_of(rhs) | axes_of(matrix)
    summed = tuple(limit for limit in limits if limit[0] not in coupled and limit[0] != index)
    kept = tuple(limit for limit in limits if limit[0] in coupled)
    i, k = Axis("i"), Axis("k")
    if index in {limit[0] for limit in limits} - coupled:
        weights = seed.xreplace({index: i})
    else:
        weights = Mask(seed, sp.Eq(index, i))
        kept = tuple(limit for limit in limits if limit not in summed)
    if summed:
        body, inner = _entered(weights, summed)
        weights = sp.Sum(body, *inner)
    back = e.transposed(sp.Lambda(i, weights), k)
    row = sp.Tuple(k, 0, size - 1)
    yield from _walk(rhs.expr.xreplace({rhs.variables[0]: k}), variable, back, (*kept, row))
    if isinstance(matrix, sp.Lambda) and _holds(matrix.expr, variable):
        column = Axis("l")
        entry = matrix.expr.xreplace(dict(zip(matrix.variables, (k, column), strict=True)))
        z = Solve(matrix, size, rhs, column, e.form)
        first, second = (
            (back, z) if e.form != "lower transposed" else (z.xreplace({column: k}), back.xreplace({k: column}))
        )
        weight = -first * second
        if e.form != "positive":
            weight = Mask(weight, sp.Ge(k, column))
        yield from _walk(entry, variable, seed=weight, limits=(*kept, row, sp.Tuple(column, 0, size - 1)))


def _log_det(e, variable, seed, limits):
    """M gets M^{-1}; a determinant does not couple to sums outside it."""
    matrix, size = e.args
    a, b, k = Axis("a"), Axis("b"), Axis("k")
    inverse = Solve(matrix, size, sp.Lambda(k, Mask(1, sp.Eq(k, b))), a)
    entry = matrix.expr.xreplace(dict(zip(matrix.variables, (a, b), strict=True)))
    rows = (sp.Tuple(a, 0, size - 1), sp.Tuple(b, 0, size - 1))
    yield from _walk(entry, variable, seed * inverse, limits + rows)
