"""Values of index expressions on small arrays, summed as they are written: an oracle that shares no code with the rest.

    Sum(f, (i, 0, n - 1))      the loop over i                P[i, j], y[i]      entries of arrays
    LogDet(M), Solve(M, ...)   NumPy's slogdet and solve      n, m               numbers

It is plain and slow, and serves to verify printed formulae at arrays of three entries or so.
"""

import math
from collections.abc import Callable

import numpy as np
import sympy as sp

from symdsm.symbolic.indexed_nodes import LogDet, LogSumExp, Mask, Solve
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.probe import numeric

__all__ = ["valued"]


def valued(expr: sp.Basic) -> Callable[[dict], float]:
    """expr as a function of {name: number or array}; parameters, sizes, free indices and arrays go by their names."""
    f = _closure(plain(expr))
    return lambda given: float(f(given))


def _closure(e) -> Callable:
    if isinstance(e, sp.Indexed):
        name, indices = str(e.base), [_closure(i) for i in e.indices]
        return lambda g: g[name][tuple(int(i(g)) for i in indices)]
    if isinstance(e, sp.Symbol):
        return lambda g, name=e.name: g[name]
    for kind, rule in _RULES.items():
        if isinstance(e, kind):
            return rule(e)
    if not e.args:
        value = bool(e) if e in (sp.true, sp.false) else float(e)
        return lambda g: value
    parts = [_closure(a) for a in e.args]
    if isinstance(e, sp.Add):
        return lambda g: sum(p(g) for p in parts)
    if isinstance(e, sp.Mul):
        return lambda g: math.prod(p(g) for p in parts)
    if isinstance(e, sp.Pow):
        return lambda g: parts[0](g) ** parts[1](g)
    inner = [sp.Dummy() for _ in e.args]
    f = numeric(e.func(*inner), inner)
    return lambda g: f(*(p(g) for p in parts))


def _total(e):
    """A sum, a product or the logarithm of a sum, over the ranges of its bound indices."""
    f, limits = _closure(e.function), [(str(v), _closure(a), _closure(b)) for v, a, b in e.limits]

    def points(k, known):
        if k < 0:
            yield known
            return
        name, low, high = limits[k]
        for value in range(int(low(known)), int(high(known)) + 1):
            yield from points(k - 1, known | {name: value})

    join = math.prod if isinstance(e, sp.Product) else sum
    if isinstance(e, LogSumExp):
        return lambda g: math.log(sum(f(at) for at in points(len(limits) - 1, g)))
    return lambda g: join(f(at) for at in points(len(limits) - 1, g))


def _mask(e):
    value, condition = map(_closure, e.args)
    return lambda g: value(g) if condition(g) else 0.0


def _piecewise(e):
    pieces = [(_closure(value), _closure(condition)) for value, condition in e.args]
    return lambda g: next((value(g) for value, condition in pieces if condition(g)), math.nan)


def _matrix(matrix, size) -> Callable:
    if not isinstance(matrix, sp.Lambda):
        return lambda g, name=str(matrix): g[name]
    (a, b), entry, n = (v.name for v in matrix.variables), _closure(matrix.expr), _closure(size)

    def built(g):
        rows = range(int(n(g)))
        return np.array([[entry(g | {a: i, b: j}) for j in rows] for i in rows])

    return built


def _log_det(e):
    matrix = _matrix(e.args[0], e.args[1] if len(e.args) > 1 else None)
    return lambda g: np.linalg.slogdet(matrix(g))[1]


def _solve(e):
    matrix, size, rhs, index, _ = e.args
    whole, n, at, right = _matrix(matrix, size), _closure(size), _closure(index), _closure(rhs.expr)
    name = rhs.variables[0].name

    def solved(g):
        M = np.tril(whole(g)) if e.form.startswith("lower") else whole(g)
        b = [right(g | {name: k}) for k in range(int(n(g)))]
        return np.linalg.solve(M.T if e.form == "lower transposed" else M, b)[int(at(g))]

    return solved


_RULES = {
    (sp.Sum, sp.Product, LogSumExp): _total,
    Mask: _mask,
    sp.Piecewise: _piecewise,
    LogDet: _log_det,
    Solve: _solve,
}
