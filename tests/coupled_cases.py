"""Coupled log densities for the tests: the formula, arrays to put in, and the same formula by hand.

Each case is (log density, clean, shapes, scalars, by hand); `shapes` name every array with its shape, and the hand-
written value takes (y, x, parameters) as NumPy or JAX arrays and shares no code with the derivation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

Y, X, A, P, T, W, M, K = (sp.IndexedBase(name) for name in "yxAPTWMK")
i, j, k, l = sp.symbols("i j k l", integer=True)  # noqa: E741
n, m, p = sp.symbols("n m p", integer=True, positive=True)
s, nu, lam = sp.symbols("s nu lam", positive=True)
x = sp.Symbol("x", real=True)


_ROWS, _COLUMNS = np.tril_indices(6, -1)


class Case(NamedTuple):
    log_density: sp.Expr
    shapes: dict
    by_hand: object
    scalars: tuple = ()
    clean: object = X
    noisy: object = Y


def total(f, *axes):
    return sp.Sum(f, *((a, 0, size - 1) for a, size in axes))


def _tv(y, x, s):
    return -jnp.sum(jnp.sqrt(jnp.diff(y, axis=0)[:, :-1] ** 2 + jnp.diff(y, axis=1)[:-1] ** 2 + s**2))


def _pairs(f):
    return lambda y, *rest, **kw: f(y[:, None] - y[None, :], *rest, **kw)


def _huber(y, x, lam):
    r = jnp.abs(y - x)
    return -jnp.sum(jnp.where(r <= lam, r**2 / 2, lam * r - lam**2 / 2))


def _neighbours_2d(y, x, s):
    pairs = jnp.sum(jnp.diff(y, axis=0) ** 2) + jnp.sum(jnp.diff(y, axis=1) ** 2)
    return -jnp.sum((y - x) ** 2) / (2 * s**2) - pairs


_v = {"y": (6,), "x": (6,)}
_huber_term = sp.Piecewise(
    ((Y[i] - X[i]) ** 2 / 2, sp.Abs(Y[i] - X[i]) <= lam), (lam * sp.Abs(Y[i] - X[i]) - lam**2 / 2, True)
)
_mean = total(A[i, k] * X[k], (k, m))

CASES = {
    "linear operator, t": Case(
        -(nu + 1) / 2 * total(sp.log(1 + (Y[i] - _mean) ** 2 / nu), (i, n)),
        {"y": (5,), "x": (3,), "A": (5, 3)},
        lambda y, x, A, nu: -(nu + 1) / 2 * jnp.sum(jnp.log1p((y - A @ x) ** 2 / nu)),
        ("nu",),
    ),
    "precision": Case(
        -total(P[i, j] * (Y[i] - X[i]) * (Y[j] - X[j]), (i, n), (j, n)) / 2,
        {**_v, "P": (6, 6)},
        lambda y, x, P: -jnp.einsum("i,ij,j", y - x, P, y - x) / 2,
    ),
    "neighbours": Case(
        -sp.Sum((Y[i + 1] - Y[i]) ** 2 / (2 * s**2), (i, 0, n - 2)) - total((Y[i] - X[i]) ** 2, (i, n)),
        _v,
        lambda y, x, s: -jnp.sum(jnp.diff(y) ** 2) / (2 * s**2) - jnp.sum((y - x) ** 2),
        ("s",),
    ),
    "log of a sum": Case(
        sp.log(total(W[k] * sp.exp(-total((Y[i] - M[k, i]) ** 2, (i, n)) / (2 * s**2)), (k, m))),
        {"y": (6,), "W": (4,), "M": (4, 6)},
        lambda y, x, W, M, s: jax.nn.logsumexp(jnp.log(W) - jnp.sum((y - M) ** 2, axis=1) / (2 * s**2)),
        ("s",),
        x,
    ),
    "Laplace walk": Case(
        -sp.Sum(sp.Abs(Y[i + 1] - Y[i] - X[i]) / s, (i, 0, n - 2)) - sp.Abs(Y[0]) / s,
        {"y": (6,), "x": (5,)},
        lambda y, x, s: -(jnp.sum(jnp.abs(jnp.diff(y) - x)) + jnp.abs(y[0])) / s,
        ("s",),
    ),
    "inner sum over pairs": Case(
        -total((Y[i] - total(A[i, j] * Y[j], (j, n))) ** 4, (i, n)) / 2,
        {"y": (6,), "A": (6, 6)},
        lambda y, x, A: -jnp.sum((y - A @ y) ** 4) / 2,
        (),
        x,
    ),
    "three-index tensor": Case(
        -total(T[i, j, k] * Y[i] * Y[j] * Y[k], (i, n), (j, n), (k, n)) - total((Y[i] - X[i]) ** 4, (i, n)),
        {**_v, "T": (6, 6, 6)},
        lambda y, x, T: -jnp.einsum("ijk,i,j,k", T, y, y, y) - jnp.sum((y - x) ** 4),
    ),
    "stride": Case(
        -total((Y[2 * i] - Y[2 * i + 1] - X[i]) ** 2, (i, n)),
        {"y": (8,), "x": (4,)},
        lambda y, x: -jnp.sum((y[::2] - y[1::2] - x) ** 2),
    ),
    "reverse": Case(
        -total(sp.cosh(Y[i] - X[n - 1 - i]) + Y[i] * Y[n - 1 - i], (i, n)),
        _v,
        lambda y, x: -jnp.sum(jnp.cosh(y - x[::-1]) + y * y[::-1]),
    ),
    "anchor": Case(
        -((Y[0] - x) ** 2) - Y[n - 1] ** 4 - sp.Sum((Y[i] - Y[i - 1]) ** 2, (i, 1, n - 1)),
        {"y": (6,)},
        lambda y, x: -((y[0] - x) ** 2) - y[-1] ** 4 - jnp.sum(jnp.diff(y) ** 2),
        (),
        x,
    ),
    "log of a product": Case(
        sp.log(sp.Product(sp.exp(-((Y[i] - X[i]) ** 4)) / (1 + (Y[i] - X[i]) ** 2), (i, 0, n - 1))),
        _v,
        lambda y, x: jnp.sum(-((y - x) ** 4) - jnp.log1p((y - x) ** 2)),
    ),
    "Huber": Case(total(-_huber_term, (i, n)), _v, _huber, ("lam",)),
    "ring": Case(
        -total((Y[i] - Y[sp.Mod(i + 1, n)]) ** 2 + (Y[i] - X[sp.Mod(i - 2, n)]) ** 4, (i, n)),
        _v,
        lambda y, x: -jnp.sum((y - jnp.roll(y, -1)) ** 2 + (y - jnp.roll(x, 2)) ** 4),
    ),
    "blur of x": Case(
        -total((Y[i] - total(K[k] * X[i + k], (k, p))) ** 2, (i, n)) / (2 * s**2),
        {"y": (6,), "x": (8,), "K": (3,)},
        lambda y, x, K, s: -jnp.sum((y - jnp.correlate(x, K, "valid")) ** 2) / (2 * s**2),
        ("s",),
    ),
    "blur of y": Case(
        -total((total(K[k] * Y[i + k], (k, p)) - X[i]) ** 4, (i, n)),
        {"y": (8,), "x": (6,), "K": (3,)},
        lambda y, x, K: -jnp.sum((jnp.correlate(y, K, "valid") - x) ** 4),
    ),
    "four neighbours": Case(
        -total((Y[i, j] - X[i, j]) ** 2, (i, n), (j, m)) / (2 * s**2)
        - sp.Sum((Y[i + 1, j] - Y[i, j]) ** 2, (i, 0, n - 2), (j, 0, m - 1))
        - sp.Sum((Y[i, j + 1] - Y[i, j]) ** 2, (i, 0, n - 1), (j, 0, m - 2)),
        {"y": (5, 6), "x": (5, 6)},
        _neighbours_2d,
        ("s",),
    ),
    "total variation": Case(
        -sp.Sum(
            sp.sqrt((Y[i + 1, j] - Y[i, j]) ** 2 + (Y[i, j + 1] - Y[i, j]) ** 2 + s**2), (i, 0, n - 2), (j, 0, m - 2)
        ),
        {"y": (5, 6)},
        _tv,
        ("s",),
        x,
    ),
    "Potts-like": Case(
        total(sp.exp(-((Y[i] - Y[j]) ** 2) / s), (i, n), (j, n)),
        {"y": (6,)},
        _pairs(lambda d, x, s: jnp.sum(jnp.exp(-(d**2) / s))),
        ("s",),
        x,
    ),
    "triangular": Case(
        -total((Y[i] - sp.Sum(A[i, j] * Y[j], (j, 0, i - 1)) - X[i]) ** 4, (i, n)),
        {**_v, "A": (6, 6)},
        lambda y, x, A: -jnp.sum((y - jnp.tril(A, -1) @ y - x) ** 4),
    ),
    "repulsion": Case(
        sp.Sum(sp.log(sp.Abs(Y[i] - Y[j])), (j, 0, i - 1), (i, 0, n - 1)) - total((Y[i] - x) ** 2, (i, n)),
        {"y": (6,)},
        lambda y, x: jnp.sum(jnp.log(jnp.abs(y[_ROWS] - y[_COLUMNS]))) - jnp.sum((y - x) ** 2),
        (),
        x,
    ),
    "Coulomb": Case(
        -sp.Sum(1 / sp.sqrt((Y[i] - Y[j]) ** 2), (j, 0, i - 1), (i, 0, n - 1)) - total((Y[i] - x) ** 2, (i, n)),
        {"y": (6,)},
        lambda y, x: -jnp.sum(1 / jnp.abs(y[_ROWS] - y[_COLUMNS])) - jnp.sum((y - x) ** 2),
        (),
        x,
    ),
    "capture": Case(
        -(total(Y[j], (j, n)) ** 2) + total(sp.sin(Y[i] * total(Y[i], (i, n))), (i, n)),
        {"y": (6,)},
        lambda y, x: -(jnp.sum(y) ** 2) + jnp.sum(jnp.sin(y * jnp.sum(y))),
        (),
        x,
    ),
    "lagged products": Case(
        -sp.Sum(K[k] * Y[i] * Y[i + k], (i, 0, n - 1 - k), (k, 0, p - 1)) - total((Y[i] - X[i]) ** 4, (i, n)),
        {**_v, "K": (4,)},
        lambda y, x, K: -sum(K[k] * jnp.sum(y[: 6 - k] * y[k:]) for k in range(4)) - jnp.sum((y - x) ** 4),
    ),
    "short stencil": Case(
        -sp.Sum(sp.Sum(K[k] * Y[i + k], (k, 0, 2)) ** 2, (i, 0, n - 3)) - total(Y[i] ** 4 * P[i, i], (i, n)),
        {"y": (6,), "K": (3,), "P": (6, 6)},
        lambda y, x, K, P: -jnp.sum(jnp.correlate(y, K, "valid") ** 2) - jnp.sum(y**4 * jnp.diag(P)),
        (),
        x,
    ),
    "transposed": Case(
        -total(A[j, i] * sp.exp(Y[i]) * (Y[j] - X[j]) ** 2, (i, n), (j, n)) - n * total(Y[i] ** 2, (i, n), (k, n)),
        {**_v, "A": (6, 6)},
        lambda y, x, A: -((y - x) ** 2) @ A @ jnp.exp(y) - 36 * jnp.sum(y**2),
    ),
    "volume": Case(
        -sp.Sum((Y[i, j, k + 1] - Y[i, j, k]) ** 4, (i, 0, n - 1), (j, 0, m - 1), (k, 0, p - 2))
        - total(sp.Abs(Y[i, j, k] - X[k, i]), (i, n), (j, m), (k, p)),
        {"y": (3, 4, 5), "x": (5, 3)},
        lambda y, x: -jnp.sum(jnp.diff(y, axis=2) ** 4) - jnp.sum(jnp.abs(y - x.T[:, None, :])),
    ),
}


def arrays(case, seed=0, dtype=np.float64):
    """(y, x, parameters) for a case."""
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(size=shape) for name, shape in case.shapes.items()}
    if "W" in drawn:
        drawn["W"] = np.exp(drawn["W"]) / np.exp(drawn["W"]).sum()
    drawn |= {name: rng.uniform(0.7, 1.5) for name in case.scalars}
    clean = drawn.pop("x", np.asarray(0.3))
    y = drawn.pop("y")
    return y.astype(dtype), clean.astype(dtype), {name: np.asarray(v).astype(dtype) for name, v in drawn.items()}
