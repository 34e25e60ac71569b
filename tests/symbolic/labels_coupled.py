"""Coupled kernels with hand-derived verdicts, and their log densities by hand for two entries.

A verdict is (identity, finite variance) for two entries. `log_density` takes arrays y of shape (.., 2) and x of shape
(2,) and shares nothing with the kernel; None where there is no density to integrate.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.special as special
import sympy as sp

import symdsm as sd

Y, X = sp.IndexedBase("y"), sp.IndexedBase("x")
P, W, M = sp.IndexedBase("P"), sp.IndexedBase("W", positive=True), sp.IndexedBase("M")
i, j, k = sp.symbols("i j k", integer=True)
n, m = sp.symbols("n m", integer=True, positive=True)
s, nu, b = sp.symbols("s nu b", positive=True)
PRECISION = np.array([[1.3, 0.4], [0.4, 0.9]])


class Coupled(NamedTuple):
    kernel: Callable[[], sd.Kernel]
    identity: bool
    holds: bool
    log_density: Callable | None


def total(f, *axes):
    return sp.Sum(f, *((a, 0, size - 1) for a, size in axes))


def density(f):
    return lambda: sd.Kernel.from_density(f, Y, X, log=True)


def square(y, x):
    r = y - x
    return np.einsum("...i,ij,...j", r, PRECISION, r)


def entries(h):
    """sum_i h(y_i - x_i)"""
    return lambda y, x: np.sum(h(y - x), -1)


R = Y[i] - X[i]
STEPS = Y[i + 1] - Y[i] - X[i + 1] + X[i]
HUBER = sp.Piecewise((-(R**2) / 2, sp.Abs(R) <= 1), (sp.S.Half - sp.Abs(R), True))
FORM = total(P[i, j] * R * (Y[j] - X[j]), (i, n), (j, n))

COUPLED = {
    "precision": Coupled(sd.families.multivariate_normal_precision, True, True, lambda y, x: -square(y, x) / 2),
    "covariance": Coupled(sd.families.multivariate_normal_covariance, True, True, lambda y, x: -square(y, x) / 2),
    "cholesky": Coupled(sd.families.multivariate_normal_cholesky, True, True, lambda y, x: -square(y, x) / 2),
    "multivariate t": Coupled(
        sd.families.multivariate_t, True, True, lambda y, x: -1.5 * np.log1p(square(y, x) / 1.0)
    ),
    "multivariate t by hand": Coupled(
        density(-(nu + n) / 2 * sp.log(1 + FORM / nu)), True, True, lambda y, x: -1.5 * np.log1p(square(y, x) / 1.0)
    ),
    "multivariate laplace": Coupled(
        sd.families.multivariate_laplace, True, False, lambda y, x: np.log(special.k0(np.sqrt(2 * square(y, x))))
    ),
    "random walk": Coupled(
        sd.families.random_walk, True, True, lambda y, x: -((y - x)[..., 0] ** 2 + np.diff(y - x)[..., 0] ** 2) / 2
    ),
    "laplace": Coupled(density(-total(sp.Abs(R), (i, n)) / s), True, True, entries(lambda r: -np.abs(r))),
    "laplace walk": Coupled(
        density(-sp.Sum(sp.Abs(STEPS), (i, 0, n - 2)) - sp.Abs(Y[0] - X[0])), True, True,
        lambda y, x: -np.abs(y - x)[..., 0] - np.abs(np.diff(y - x)[..., 0]),
    ),
    "log cosh": Coupled(
        density(-total(sp.log(sp.cosh(R)), (i, n))), True, True, entries(lambda r: -np.logaddexp(r, -r))
    ),
    "huber": Coupled(
        density(total(HUBER, (i, n))), True, True,
        entries(lambda r: np.where(np.abs(r) <= 1, -(r**2) / 2, 0.5 - np.abs(r))),
    ),
    "cauchy, independent": Coupled(
        density(-total(sp.log(1 + R**2), (i, n))), True, True, entries(lambda r: -np.log1p(r**2))
    ),
    "spherical laplace": Coupled(
        density(-sp.sqrt(total(R**2, (i, n)))), True, True, lambda y, x: -np.sqrt(np.sum((y - x) ** 2, -1))
    ),
    "spherical hyperbolic": Coupled(
        density(-sp.sqrt(1 + total(R**2, (i, n)))), True, True, lambda y, x: -np.sqrt(1 + np.sum((y - x) ** 2, -1))
    ),
    "quartic with neighbours": Coupled(
        density(-total(R**4, (i, n)) - b * sp.Sum((Y[i + 1] - Y[i]) ** 2, (i, 0, n - 2))), True, True,
        lambda y, x: -np.sum((y - x) ** 4, -1) - 0.7 * np.diff(y)[..., 0] ** 2,
    ),
    "log of a sum": Coupled(
        density(sp.log(total(W[k] * sp.exp(-total((Y[i] - X[i] - M[k, i]) ** 2, (i, n)) / (2 * s**2)), (k, m)))),
        True, True,
        lambda y, x: np.logaddexp(-np.sum((y - x) ** 2, -1) / 2, -np.sum((y - x - 0.7) ** 2, -1) / 2),
    ),
    "smoothed differences": Coupled(
        density(-total(R**2, (i, n)) / 2 - sp.Sum(sp.sqrt(STEPS**2 + b**2), (i, 0, n - 2))), True, True,
        lambda y, x: -np.sum((y - x) ** 2, -1) / 2 - np.sqrt(np.diff(y - x)[..., 0] ** 2 + 0.25),
    ),
    "normal with ripples": Coupled(
        density(-total(R**2, (i, n)) / 2 + sp.cos(total(R, (i, n)))), True, True,
        lambda y, x: -np.sum((y - x) ** 2, -1) / 2 + np.cos(np.sum(y - x, -1)),
    ),
    "bounded by an exponential": Coupled(
        density(-total(R**2, (i, n)) / 2 + sp.exp(-total(R**2, (i, n)))), True, True,
        lambda y, x: -np.sum((y - x) ** 2, -1) / 2 + np.exp(-np.sum((y - x) ** 2, -1)),
    ),
    "differences alone": Coupled(density(-sp.Sum(sp.Abs(Y[i + 1] - Y[i] - X[i]), (i, 0, n - 2))), False, False, None),
}  # fmt: skip
