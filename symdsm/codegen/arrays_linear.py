"""Log determinants and linear solves as array code: one Cholesky factor serves both."""

import sympy as sp

from symdsm.codegen.arrays_index import age, size_text, slice_text
from symdsm.symbolic.indexed_nodes import axes_of

__all__ = ["log_det", "solve"]


def _matrix(low, matrix, size=None):
    if not isinstance(matrix, sp.Lambda):
        return low.leaf(low.names.get(matrix, str(matrix)))
    a, b = low.enter([(v, sp.S.Zero, size - 1) for v in matrix.variables])
    fragment = low.fragment(matrix.expr, (a, b))
    if low.axes_in(fragment, (a, b)) == {a, b}:
        return fragment
    n = size_text(size)
    return low.leaf(low.operation(f"jnp.broadcast_to({{0}}, ({n}, {n}))", (fragment,), ()))


def _factor(low, matrix, size=None):
    return low.leaf(low.operation("jnp.linalg.cholesky({0})", (_matrix(low, matrix, size),), ()))


def log_det(low, e):
    template = "jnp.sum(jnp.log(jnp.diagonal({0})))"
    return 2 * low.leaf(low.operation(template, (_factor(low, *e.args),), ()))


def solve(low, e, frame):
    matrix, size, rhs, index, _ = e.args
    (row,) = low.enter([(rhs.variables[0], sp.S.Zero, size - 1)])
    columns = tuple(a for a in low.frame_of(rhs.expr) if a != row)
    fragment = low.fragment(rhs.expr, (row, *columns))
    shape = ", ".join(size_text(low.ranges[a][1] - low.ranges[a][0] + 1) for a in (row, *columns))
    if low.axes_in(fragment, (row, *columns)) != {row, *columns}:
        fragment = low.leaf(low.operation(f"jnp.broadcast_to({{0}}, ({shape},))", (fragment,), ()))
    if e.form == "positive":
        template = "jax.scipy.linalg.cho_solve(({0}, True), {1})"
        operands = (_factor(low, matrix, size), fragment)
    else:
        transposed = ", trans=1" if e.form == "lower transposed" else ""
        template = f"jax.scipy.linalg.solve_triangular({{0}}, {{1}}, lower=True{transposed})"
        operands = (_matrix(low, matrix, size), fragment)
    if len(columns) > 1:
        template = template.replace("{1}", f"{{p1}}.reshape({size_text(size)}, -1)") + f".reshape({shape})"
    if index in columns:
        solution = low.leaf(low.operation(template, operands, ()))
        place = columns.index(index)
        others = (*columns[:place], *columns[place + 1 :], index)
        along = f", axis1=0, axis2={place + 1}" if len(columns) > 1 else ""
        return low.seen(low.operation(f"jnp.diagonal({{0}}{along})", (solution,), others), others, frame)
    source = low.operation(template, operands, (row, *columns))
    axes = axes_of(index)
    whole = index in axes and slice_text(index, index, low.ranges[index], size) == ":"
    if axes and not whole:
        solution = low.leaf(source)
        place = low.fragment(index, (min(axes, key=age),), whole=True)
        source = low.operation("{0}[{1}]", (solution, place), (*axes, *columns))
        return low.seen(source, (*axes, *columns), frame)
    text = [(":", index) if axes else (size_text(index), None), *((":", a) for a in columns)]
    return low.seen(source, [a for _, a in text if a is not None], frame, text)
