"""Exact draws of elliptical coupled kernels: the law of the Mahalanobis radius, and the direction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from scipy import stats

import symdsm as sd

Y, X, A = (sp.IndexedBase(name, real=True) for name in "yxA")
i, j, k = sp.symbols("i j k", integer=True)
n, m = sp.symbols("n m", integer=True, positive=True)
s, b = sp.symbols("s b", positive=True)
SQUARES = sp.Sum((Y[i] - X[i]) ** 2, (i, 0, n - 1)) / s**2
GRID = sp.Sum((Y[i, j] - X[i, j]) ** 2, (i, 0, n - 1), (j, 0, m - 1)) / s**2
THROUGH = sp.Sum((Y[i] - sp.Sum(A[i, k] * X[k], (k, 0, m - 1))) ** 2, (i, 0, n - 1)) / s**2
DRAWS, LEVEL = 2000, 1e-4
PLACE = np.array([30.0, -2.0, 1.0])
_W = np.random.default_rng(0).normal(size=(3, 3))
PRECISION, OPERATOR = _W @ _W.T + np.eye(3), _W[:, :2]


def density(f):
    return sd.Kernel.from_density(f, noisy=Y, clean=X, log=True)


def ring_cdf(q):
    """exp(-(q - 9)^2 / 4) in two dimensions: q is a normal of mean 9 and variance 2, above zero."""
    law = stats.norm(9, np.sqrt(2))
    return (law.cdf(q) - law.cdf(0)) / law.sf(0)


T = stats.f(3, 3.5)
ROWS = {  # kernel, clean value, parameters, the mean, the precision, the distribution function of q
    "t": (
        sd.families.multivariate_t, PLACE, {"P": PRECISION, "nu": 3.5, "sigma": 0.5},
        PLACE, 4 * PRECISION, lambda q: T.cdf(q / 3),
    ),
    "Laplace": (
        sd.families.multivariate_laplace, PLACE, {"P": PRECISION, "sigma": 0.01},
        PLACE, 1e4 * PRECISION, lambda q: stats.gamma(2).cdf(np.sqrt(2 * q)),
    ),
    "Cauchy profile about A x": (
        lambda: density(-b * sp.log(2 + THROUGH)), PLACE[:2], {"A": OPERATOR, "b": 3.0, "s": 0.5},
        OPERATOR @ PLACE[:2], 4 * np.eye(3), lambda q: stats.betaprime(1.5, 1.5).cdf(q / 2),
    ),
    "power exponential": (
        lambda: density(-(SQUARES**b) / 2), PLACE, {"b": 1.7, "s": 0.01},
        PLACE, 1e4 * np.eye(3), lambda q: stats.gamma(1.5 / 1.7).cdf(q**1.7 / 2),
    ),
    "ring": (
        lambda: density(-((SQUARES - 9) ** 2) / 4), PLACE[:2], {"s": 0.5},
        PLACE[:2], 4 * np.eye(2), ring_cdf,
    ),
    "logistic profile of an image": (
        lambda: density(-sp.log(sp.cosh(GRID / 2))), PLACE[:, None] * np.ones(2), {"s": 2.0},
        np.repeat(PLACE, 2), np.eye(6) / 4, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [n if n == "t" else pytest.param(n, marks=pytest.mark.slow) for n in ROWS])
def test_radius_and_direction(name, dtype):
    declare, clean, params, mean, precision, cdf = ROWS[name]
    program = declare().compile()
    assert not program.needs_chains
    x = jnp.broadcast_to(jnp.asarray(clean, dtype), (DRAWS, *clean.shape))
    y = program.sample(jax.random.key(7), x, **{p: jnp.asarray(v, dtype) for p, v in params.items()})
    assert y.dtype == dtype
    away = np.asarray(y, float).reshape(DRAWS, -1) - mean
    white = away @ np.linalg.cholesky(precision)
    q, size = np.sum(white**2, 1), white.shape[1]
    if cdf is None:
        cdf = _by_integral(lambda q: q ** (size / 2 - 1) / np.cosh(q / 2))
    assert stats.kstest(q, cdf).pvalue > LEVEL
    cosines = (white / np.sqrt(q)[:, None]).T
    law = stats.beta((size - 1) / 2, (size - 1) / 2)
    assert min(stats.kstest((c + 1) / 2, law.cdf).pvalue for c in cosines) > LEVEL


def _by_integral(density):
    grid = np.linspace(0, 200, 200_001)
    mass = np.cumsum(density(grid))
    return lambda q: np.interp(q, grid, mass / mass[-1])


def test_the_wrong_radius_is_seen():
    """The same test refuses normal draws for t ones."""
    q = np.sum(np.random.default_rng(0).normal(size=(DRAWS, 3)) ** 2, 1)
    assert stats.kstest(q, ROWS["t"][-1]).pvalue < LEVEL


def test_draws_follow_the_clean_value_and_have_their_score():
    """With one key the noise is the same wherever it is added; target's score is the kernel's at the draw."""
    program, key = sd.families.multivariate_t().compile(), jax.random.key(3)
    params = {"P": jnp.asarray(PRECISION), "nu": 3.5, "sigma": 0.5}
    y, score = program.target(key, jnp.zeros(3), **params)
    np.testing.assert_allclose(program.sample(key, jnp.ones(3), **params), y + 1, rtol=1e-5)
    np.testing.assert_allclose(score, program.score(y, jnp.zeros(3), **params))
