r"""Solving y = g(e) for several noises, coordinate by coordinate.

A coordinate y_i = g_i(e_j; e known) with one unknown noise is solved as one equation (symbolic/invert.py), and its
noise is known from then on; where every coordinate left holds several unknowns but is linear in them, those are solved
together. The Jacobian is then block triangular, so that

    log |det de/dy| = sum over the steps of log |de_j/dy_i|,

each derivative taken with the noises of earlier steps held fixed; a step with several branches multiplies the paths:

    p(y) = sum over paths of [C(y)] f(e(y)) |det de/dy|.

In the noise, with L = log f(e) - log |det dy/de|, the score s solves J' s = dL/de, J = dy/de, backwards through the
steps. Source: Casella and Berger, Statistical Inference (2002), section 4.3 and theorem 4.6.11.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.derive import derivative
from symdsm.symbolic.invert import invert
from symdsm.symbolic.logs import exact_log

__all__ = ["Step", "backwards", "solve"]


@dataclass(frozen=True)
class Step:
    """The noises `columns` from the coordinates `rows`: inverses hold earlier noises as symbols."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    inverses: tuple[sp.Expr, ...]
    condition: sp.Basic
    log_slope: sp.Expr  # log |det de_columns/dy_rows|, in y
    log_slope_in_noise: sp.Expr
    matrix: sp.MatrixBase  # de_columns/dy_rows, in the noises


def solve(maps: tuple[sp.Expr, ...], noises: tuple[sp.Symbol, ...], noisy: tuple[sp.Symbol, ...]) -> list[list[Step]]:
    """Every path of steps from y to e; one path when g is one to one. Raises DeclarationError."""
    return _paths(maps, noises, noisy, tuple(range(len(maps))), tuple(range(len(noises))))


def _paths(maps, noises, noisy, rows, columns):
    if not rows:
        return [[]]
    unknown = {i: [j for j in columns if noises[j] in maps[i].free_symbols] for i in rows}
    empty = next((i for i in rows if not unknown[i]), None)
    if empty is not None:
        raise DeclarationError(
            given=f"the coordinate {noisy[empty]} = {maps[empty]}, whose noise is that of other coordinates",
            expected="noise of its own in each coordinate, or the noisy values lie on a curve and have no density",
            fix="add one random symbol for each coordinate",
        )
    i = min(rows, key=lambda i: (len(unknown[i]), i))
    if len(unknown[i]) > 1:
        steps = [_linear_step(maps, noises, noisy, rows, columns)]
    else:
        steps = _scalar_steps(maps[i], noises, noisy, i, unknown[i][0])
    out = []
    for step in steps:
        left = tuple(r for r in rows if r not in step.rows), tuple(c for c in columns if c not in step.columns)
        out += [[step, *rest] for rest in _paths(maps, noises, noisy, *left)]
    return out


def _scalar_steps(g, noises, noisy, i, j):
    slope = derivative(g, noises[j])
    inverse_slope = sp.Matrix([[1 / slope]]).as_immutable()
    log_slope = -exact_log(sp.factor_terms(slope) if slope.is_Add else slope)
    return [
        Step((i,), (j,), (b.inverse,), b.condition, b.log_slope(noisy[i]), log_slope, inverse_slope)
        for b in invert(g, noises[j], noisy[i])
    ]


def _linear_step(maps, noises, noisy, rows, columns) -> Step:
    """All that is left at once: y = A e + c with A and c free of the unknown noises."""
    unknown, own = [noises[j] for j in columns], [maps[i] for i in rows]
    slopes = sp.Matrix([[derivative(g, e) for e in unknown] for g in own])
    if slopes.free_symbols & set(unknown):
        shown = ", ".join(f"{noisy[i]} = {maps[i]}" for i in rows)
        raise DeclarationError(
            given=f"the coordinates {shown}, none of which holds a single noise that is not known yet",
            expected="coordinates that can be solved one after the other, or that are linear in their noises",
            fix="write the noises so that the first coordinate holds one of them, the second one more, and so on",
        )
    determinant = sp.factor(slopes.det(method="berkowitz"))
    if determinant == 0:
        raise DeclarationError(
            given=f"the noises of {', '.join(str(noisy[i]) for i in rows)}, whose matrix {slopes.tolist()} is singular",
            expected="a matrix of full rank, or the noisy values lie on a line and have no density",
            fix="give each coordinate noise of its own",
        )
    inverse = slopes.adjugate().applyfunc(lambda a: sp.factor(a / determinant))
    centre = [g.xreplace(dict.fromkeys(unknown, sp.S.Zero)) for g in own]
    residual = sp.Matrix([noisy[i] - c for i, c in zip(rows, centre, strict=True)])
    log_slope = -exact_log(determinant)
    return Step(rows, columns, tuple(inverse * residual), sp.true, log_slope, log_slope, inverse.as_immutable())


def backwards(path: list[Step], maps, noises, slopes: list[sp.Expr]) -> list[sp.Expr]:
    """s with J' s = slopes, J = d maps/d noises: one entry for each coordinate."""
    out: dict[int, sp.Expr] = {}
    for step in reversed(path):
        left = [slopes[j] - sum(derivative(maps[i], noises[j]) * s for i, s in out.items()) for j in step.columns]
        for i, value in zip(step.rows, step.matrix.T * sp.Matrix(left), strict=True):
            out[i] = value
    return [out[i] for i in range(len(maps))]
