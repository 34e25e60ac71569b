"""The coupled families against SciPy, NumPy and the definition of their parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sympy as sp

from symdsm.codegen.arrays import emit_fisher, emit_level_score, emit_log_prob, emit_sample, emit_score
from symdsm.errors import DerivationError
from symdsm.symbolic import families_coupled as families
from symdsm.symbolic.indexed import declare
from symdsm.symbolic.indexed_gaussian import is_quadratic
from tests.codegen.test_arrays import run

pytestmark = pytest.mark.usefixtures("x64")

S = sp.Symbol("s", positive=True)
N, SCALE = 5, 0.8
_rng = np.random.default_rng(3)
_root = np.tril(_rng.normal(size=(N, N)), -1) + np.diag(_rng.uniform(0.5, 1.5, N))
COVARIANCE = _root @ _root.T
PRECISION = np.linalg.inv(COVARIANCE)
TALL, DIAGONAL = _rng.normal(size=(N, 2)), _rng.uniform(0.5, 1.5, N)
WIDE = _rng.normal(size=(N, 3))
BLUR = np.array([0.2, 0.5, 0.3])


def normal(covariance, mean=lambda x: x):
    return lambda y, x: scipy.stats.multivariate_normal.logpdf(y.ravel(), mean(x).ravel(), SCALE**2 * covariance)


def laplace(y, x):
    q, v = (y - x) @ PRECISION @ (y - x) / SCALE**2, 1 - N / 2
    constant = np.log(2) - N / 2 * np.log(2 * np.pi) + np.linalg.slogdet(PRECISION)[1] / 2 - N * np.log(SCALE)
    return constant + v / 2 * np.log(q / 2) + np.log(scipy.special.kv(v, np.sqrt(2 * q)))


def grid_precision(n, m, beta):
    def path(k):
        step = np.diff(np.eye(k), axis=0)
        return step.T @ step

    return np.eye(n * m) + beta * (np.kron(path(n), np.eye(m)) + np.kron(np.eye(n), path(m)))


walk = np.tril(np.ones((N, N)))
LAWS = {
    "multivariate_normal_precision": ({"P": PRECISION}, (N,), (N,), normal(COVARIANCE)),
    "multivariate_normal_covariance": ({"C": COVARIANCE}, (N,), (N,), normal(COVARIANCE)),
    "multivariate_normal_cholesky": ({"L": _root}, (N,), (N,), normal(COVARIANCE)),
    "multivariate_normal_low_rank": (
        {"W": TALL, "d": DIAGONAL},
        (N,),
        (N,),
        normal(np.diag(DIAGONAL) + TALL @ TALL.T),
    ),
    "multivariate_t": (
        {"P": PRECISION, "nu": 3.5},
        (N,),
        (N,),
        lambda y, x: scipy.stats.multivariate_t.logpdf(y, x, SCALE**2 * COVARIANCE, df=3.5),
    ),
    "multivariate_laplace": ({"P": PRECISION}, (N,), (N,), laplace),
    "linear_operator": ({"A": WIDE}, (N,), (3,), normal(np.eye(N), lambda x: WIDE @ x)),
    "blurred": ({"K": BLUR}, (N,), (N + 2,), normal(np.eye(N), lambda x: np.correlate(x, BLUR, "valid"))),
    "random_walk": ({}, (N,), (N,), normal(walk @ walk.T)),
    "lattice": ({"beta": 0.7}, (3, 4), (3, 4), normal(np.linalg.inv(grid_precision(3, 4, 0.7)))),
}


def declared(name):
    log_density, noisy, clean, level, _ = getattr(families, name)(S)
    return declare(log_density, noisy, clean), level


@pytest.mark.parametrize("name", LAWS)
def test_value_score_and_level_score(name):
    parameters, event, clean, law = LAWS[name]
    rng = np.random.default_rng(1)
    y, x = jnp.asarray(rng.normal(size=event)), jnp.asarray(rng.normal(size=clean))
    parameters = {**jax.tree.map(jnp.asarray, parameters), "s": jnp.asarray(SCALE)}
    d, level = declared(name)
    log_prob, score, level_score = run(emit_log_prob(d)), run(emit_score(d)), run(emit_level_score(d, level))

    @jax.jit
    def everything(y, parameters):
        return (
            jax.value_and_grad(log_prob)(y, x, **parameters),
            score(y, x, **parameters),
            level_score(y, x, **parameters),
            jax.grad(lambda s: log_prob(y, x, **{**parameters, "s": s}))(parameters["s"]),
        )

    (value, gradient), ours, slope, slope_by_autodiff = everything(y, parameters)
    np.testing.assert_allclose(value, law(np.asarray(y), np.asarray(x)), rtol=1e-11)
    np.testing.assert_allclose(ours, gradient, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(slope, slope_by_autodiff, rtol=1e-11)
    step = 1e-6
    for place in [(0,) * len(event), tuple(k - 1 for k in event)]:
        moved = np.zeros(event)
        moved[place] = step
        quotient = (law(np.asarray(y) + moved, np.asarray(x)) - law(np.asarray(y) - moved, np.asarray(x))) / (2 * step)
        np.testing.assert_allclose(ours[place], quotient, rtol=1e-6)


def test_total_variation_is_a_scale_law():
    """The density of x + s u does not depend on s, so its normaliser is s^(n m) times a constant."""
    d, level = declared("smoothed_total_variation")
    log_prob, level_score = run(emit_log_prob(d)), run(emit_level_score(d, level))
    rng = np.random.default_rng(0)
    x, u = jnp.asarray(rng.normal(size=(3, 4))), jnp.asarray(rng.normal(size=(3, 4)))
    at_one, at_two = (log_prob(x + s * u, x, eps=0.8, lam=0.5, s=s) for s in (1.0, 2.0))
    np.testing.assert_allclose(at_one, at_two, rtol=1e-13)
    slope = jax.grad(lambda s: log_prob(x + u, x, eps=0.8, lam=0.5, s=s))(1.1)
    np.testing.assert_allclose(level_score(x + u, x, eps=0.8, lam=0.5, s=1.1), slope - 12 / 1.1, rtol=1e-12)


def test_which_are_gaussian():
    gaussian = {name for name in LAWS if is_quadratic(declared(name)[0])}
    assert gaussian == set(LAWS) - {"multivariate_t", "multivariate_laplace"}
    with pytest.raises(DerivationError, match="not quadratic"):
        emit_sample(declared("multivariate_t")[0])


@pytest.mark.parametrize("name", ["multivariate_normal_covariance", "multivariate_normal_low_rank", "lattice"])
def test_sampler_whitens(name):
    """Draws through the exact whitening are standard normal: Kolmogorov-Smirnov on all coordinates, fixed seed."""
    parameters, event, clean, _ = LAWS[name]
    d, _ = declared(name)
    space = run(emit_score(d)).__globals__
    exec(emit_sample(d), space)
    parameters = {**jax.tree.map(jnp.asarray, parameters), "s": SCALE}
    x = jnp.asarray(np.random.default_rng(2).normal(size=clean))
    keys = jax.random.split(jax.random.key(0), 4000)
    draws = np.asarray(jax.jit(jax.vmap(lambda key: space["sample"](key, x, **parameters)))(keys)).reshape(4000, -1)
    covariances = {
        "multivariate_normal_covariance": COVARIANCE,
        "multivariate_normal_low_rank": np.diag(DIAGONAL) + TALL @ TALL.T,
        "lattice": np.linalg.inv(grid_precision(3, 4, 0.7)),
    }
    white = np.linalg.solve(np.linalg.cholesky(covariances[name]), (draws - np.asarray(x).ravel()).T / SCALE)
    assert scipy.stats.kstest(white.ravel(), "norm").pvalue > 1e-3
    correlations = np.corrcoef(white)[np.triu_indices(white.shape[0], 1)]
    assert np.max(np.abs(correlations)) < 5 / np.sqrt(4000)
    planted = np.linalg.solve(np.linalg.cholesky(covariances[name]), 1.05 * (draws - np.asarray(x).ravel()).T / SCALE)
    assert scipy.stats.kstest(planted.ravel(), "norm").pvalue < 1e-3


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("multivariate_normal_precision", PRECISION),
        ("multivariate_normal_covariance", PRECISION),
        ("multivariate_normal_cholesky", PRECISION),
        ("multivariate_normal_low_rank", np.linalg.inv(np.diag(DIAGONAL) + TALL @ TALL.T)),
        ("random_walk", np.linalg.inv(walk @ walk.T)),
        ("lattice", grid_precision(3, 4, 0.7)),
    ],
)
def test_fisher_is_the_trace_of_the_precision(name, precision):
    parameters, _, clean, _ = LAWS[name]
    fisher = run(emit_fisher(declared(name)[0]))(jnp.zeros(clean), **parameters, s=SCALE)
    np.testing.assert_allclose(fisher, np.trace(precision) / SCALE**2, rtol=1e-10)
