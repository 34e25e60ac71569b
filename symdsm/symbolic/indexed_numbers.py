"""The value of an indexed expression at numbers: sizes, scalars and arrays put in, every sum written out.

A walk over the tree with mpmath numbers. It shares nothing with the generated code or with SymPy's `doit`, works for
log determinants and linear solves as well, and is meant for sizes of two to five.
"""

import math
import random
from functools import lru_cache
from itertools import product

import mpmath
import numpy as np
import sympy as sp

from symdsm.symbolic.indexed_nodes import LogDet, LogSumExp, Mask, Solve
from symdsm.symbolic.probe import numeric, value_for

__all__ = ["example", "number"]


def example(d, seed: int, size: int = 3) -> tuple[dict, dict]:
    """Random admissible `scalars` and `arrays` for a density: the first size is `size`, the next one more, ..

    Matrices that must be positive definite are drawn so; arrays and symbols obey their assumptions.
    """
    rng = random.Random(seed)
    scalars = {s: mpmath.mpf(size + k) for k, s in enumerate(d.sizes)}
    scalars |= {s: mpmath.mpf(value_for(s, rng)) for s in (*d.scalar_params, d.clean) if isinstance(s, sp.Symbol)}
    arrays = {}
    for base, lengths in d.shapes.items():
        shape = tuple(int(number(length, scalars, {})) for length in lengths) or (size, size)
        draws = [value_for(sp.Symbol("_", real=True, **_sign(base)), rng) for _ in range(math.prod(shape))]
        value = np.array([mpmath.mpf(v) for v in draws], dtype=object).reshape(shape)
        definite = base in d.positive_definite
        if len(shape) == 2:  # a triangular matrix with a positive diagonal, should it be one
            np.fill_diagonal(value, abs(value.diagonal()))
        arrays[str(base.label)] = value @ value.T / shape[0] + np.eye(shape[0], dtype=int) if definite else value
    return scalars, arrays


def _sign(base) -> dict[str, bool]:
    return {f: True for f in ("positive", "nonnegative", "negative") if base.assumptions0.get(f)}


def number(e, scalars: dict, arrays: dict):
    """e as an mpmath number.

    `scalars` gives symbols their values, sizes among them, `arrays` gives each base, by its label, a NumPy array of
    mpmath numbers. Bound indices are given values by the walk itself.
    """
    if isinstance(e, sp.Symbol):
        return scalars[e]
    if e.is_Number or e.is_NumberSymbol:
        return mpmath.mpf(int(e)) if e.is_Integer else mpmath.mpmathify(e.evalf(mpmath.mp.dps))
    if isinstance(e, sp.Indexed):
        return arrays[str(e.base.label)][tuple(int(number(i, scalars, arrays)) for i in e.indices)]
    if isinstance(e, (sp.Sum, sp.Product, LogSumExp)):
        terms = [number(e.function, scalars | at, arrays) for at in _places(e.limits, scalars, arrays)]
        if isinstance(e, sp.Product):
            return mpmath.fprod(terms)
        total = mpmath.fsum(terms)
        return mpmath.log(total) if isinstance(e, LogSumExp) else total
    if isinstance(e, Mask):
        return number(e.args[0], scalars, arrays) if _holds(e.args[1], scalars, arrays) else mpmath.mpf(0)
    if isinstance(e, sp.Piecewise):
        return next(number(v, scalars, arrays) for v, q in e.args if _holds(q, scalars, arrays))
    if isinstance(e, LogDet):
        return mpmath.log(mpmath.det(_matrix(e.args[0], e.args[1:], scalars, arrays)))
    if isinstance(e, Solve):
        return _solution(e, scalars, arrays)
    return _face(e.func, len(e.args))(*(number(a, scalars, arrays) for a in e.args))


@lru_cache(maxsize=256)
def _face(head, count):
    arguments = sp.symbols(f"a:{count}")
    return numeric(head(*arguments), list(arguments))


def _places(limits, scalars, arrays):
    """Every assignment of the bound indices, whose limits are free of each other in the normal form."""
    ranges = [range(*(int(number(b, scalars, arrays)) + k for k, b in enumerate(limit[1:]))) for limit in limits]
    for values in product(*ranges):
        yield dict(zip((limit[0] for limit in limits), values, strict=True))


def _holds(condition, scalars, arrays) -> bool:
    if condition in (sp.true, sp.false):
        return condition is sp.true
    if isinstance(condition, sp.Not):
        return not _holds(condition.args[0], scalars, arrays)
    if isinstance(condition, (sp.And, sp.Or)):
        join = all if isinstance(condition, sp.And) else any
        return join(_holds(c, scalars, arrays) for c in condition.args)
    left, right = (number(a, scalars, arrays) for a in condition.args)
    return bool(condition.func(sp.Float(left), sp.Float(right)))


def _matrix(matrix, size, scalars, arrays):
    if not isinstance(matrix, sp.Lambda):
        return mpmath.matrix(arrays[str(matrix)].tolist())
    count = int(number(size[0], scalars, arrays))
    names = matrix.variables
    rows = [[number(matrix.expr, scalars | {names[0]: a, names[1]: b}, arrays) for b in range(count)]
            for a in range(count)]  # fmt: skip
    return mpmath.matrix(rows)


def _solution(e, scalars, arrays):
    matrix, size, rhs, index, _ = e.args
    full = _matrix(matrix, (size,), scalars, arrays)
    count = int(number(size, scalars, arrays))
    rows = [[full[a, b] for b in range(count)] for a in range(count)]
    if e.form != "positive":
        rows = [[rows[a][b] if a >= b else 0 for b in range(count)] for a in range(count)]
    system = mpmath.matrix(rows)
    right = mpmath.matrix([number(rhs.expr, scalars | {rhs.variables[0]: k}, arrays) for k in range(count)])
    solved = mpmath.lu_solve(system.T if e.form == "lower transposed" else system, right)
    return solved[int(number(index, scalars, arrays))]
