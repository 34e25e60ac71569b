"""Emitted denoisers against exact posteriors under a prior of a few points, all in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.special import gammaln

import symdsm as sd
from symdsm.codegen.denoise import denoise_source
from symdsm.codegen.program import load_source
from symdsm.errors import DerivationError

pytestmark = pytest.mark.usefixtures("unoptimised")

RNG = np.random.default_rng(0)
N, S = 4, 0.7
A, K, W, D = RNG.normal(size=(N, 3)), np.array([0.2, 0.5, 0.3]), RNG.normal(size=(N, 2)), RNG.uniform(0.5, 2, N)
L = np.tril(RNG.normal(size=(N, N))) + 3 * np.eye(N)
C = L @ L.T
GRID = np.kron(np.diag([1.0, 1.0]) * 1 - np.eye(2)[::-1], np.eye(3))
GRID = GRID + np.kron(np.eye(2), np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1]]))
BETA = 0.6

# family, parameters, covariance of the flat event, shape of the event, E[y | x], shape of x
COUPLED = {
    "multivariate_normal_precision": ({"P": C}, np.linalg.inv(C), (N,), lambda x: x, (N,)),
    "multivariate_normal_covariance": ({"C": C}, C, (N,), lambda x: x, (N,)),
    "multivariate_normal_cholesky": ({"L": L}, C, (N,), lambda x: x, (N,)),
    "multivariate_normal_low_rank": ({"W": W, "d": D}, np.diag(D) + W @ W.T, (N,), lambda x: x, (N,)),
    "linear_operator": ({"A": A}, np.eye(N), (N,), lambda x: A @ x, (3,)),
    "blurred": ({"K": K}, np.eye(N), (N,), lambda x: np.correlate(x, K), (N + 2,)),
    "random_walk": ({}, np.minimum.outer(np.arange(1, 5), np.arange(1, 5)).astype(float), (N,), lambda x: x, (N,)),
    "lattice": ({"beta": BETA}, np.linalg.inv(np.eye(6) + BETA * GRID), (2, 3), lambda x: x, (2, 3)),
}


def module_of(kernel):
    return load_source(denoise_source(kernel._declaration), "denoiser")


def weighted(log_weights, *columns):
    weights = np.exp(log_weights - np.max(log_weights))
    weights /= weights.sum()
    return [np.tensordot(weights, np.stack(column), 1) for column in columns]


@pytest.mark.parametrize("name", COUPLED)
def test_coupled_gaussians_give_the_posterior_mean_of_the_event_without_noise(name):
    params, covariance, event, mean, clean = COUPLED[name]
    precision, points = np.linalg.inv(S**2 * covariance), RNG.normal(size=(5, *clean))
    y = RNG.normal(size=event)
    means = [mean(x) for x in points]
    pulls = [-(precision @ np.ravel(y - m)).reshape(event) for m in means]
    logs = np.array([np.sum((y - m) * g) / 2 for m, g in zip(means, pulls, strict=True)])
    score, exact = weighted(logs, pulls, means)
    with jax.enable_x64(True):
        given = {k: jnp.asarray(v) for k, v in params.items()} | {"sigma": S}
        got = module_of(getattr(sd.families, name)()).denoise(jnp.stack([y, y]), jnp.asarray(score), **given)
    np.testing.assert_allclose(got, [exact, exact], rtol=1e-9, atol=1e-9)


def test_a_dirichlet_kernel_gives_the_mean_composition():
    kappa, points, y = 7.0, RNG.dirichlet(np.ones(N), 5), RNG.dirichlet(np.ones(N))
    logs = np.sum((kappa * points - 1) * np.log(y) - gammaln(kappa * points), 1)
    gradient = (kappa * points - 1) / y
    score, exact = weighted(logs, gradient - gradient.mean(1, keepdims=True), points)
    with jax.enable_x64(True):
        got = module_of(sd.families.dirichlet()).denoise(jnp.asarray(y), jnp.asarray(score), kappa=kappa)
    np.testing.assert_allclose(got, exact, rtol=1e-9)


def test_critically_damped_data_from_position_and_velocity():
    beta, mass, gamma, t = 1.3, 0.5, 0.2, 0.8
    friction = 2 * np.sqrt(mass)
    drift = beta * np.array([[0, 1 / mass], [-1, -friction / mass]])
    noise = np.diag([0.0, 2 * friction * beta])

    def moments(_, state):
        flow, spread = state[:4].reshape(2, 2), state[4:].reshape(2, 2)
        return np.ravel([drift @ flow, drift @ spread + spread @ drift.T + noise])

    start = np.ravel([np.eye(2), np.diag([0.0, gamma * mass])])
    end = solve_ivp(moments, (0, t), start, rtol=1e-12, atol=1e-14).y[:, -1]
    flow, precision = end[:4].reshape(2, 2), np.linalg.inv(end[4:].reshape(2, 2))
    points, y = RNG.normal(size=5), np.array([0.4, -0.3])
    pulls = [-precision @ (y - flow[:, 0] * x) for x in points]
    logs = np.array([(y - flow[:, 0] * x) @ g / 2 for x, g in zip(points, pulls, strict=True)])
    score, exact = weighted(logs, pulls, points)
    kernel, given = sd.families.critically_damped(), {"beta": beta, "M": mass, "gamma": gamma, "t": t}
    with jax.enable_x64(True):
        got = module_of(kernel).denoise(jnp.asarray(y), jnp.asarray(score), **given)
    assert float(got) == pytest.approx(float(exact), abs=1e-8)
    put = {p: given[p.name] for p in kernel.params} | dict(zip(kernel.noisy, y, strict=True))
    put |= dict(zip(kernel.marginal_score, score, strict=True))
    assert float(kernel.denoiser().subs(put)) == pytest.approx(float(exact), abs=1e-8)


def test_a_program_denoises_and_says_nan_where_there_is_no_density():
    program = sd.families.speckle().compile()
    y, score = np.array([0.5, 2.0, -1.0]), np.array([0.3, -1.2, 0.1])
    np.testing.assert_allclose(program.posterior_mean(y, score, L=4.0), [1.425, 0.675, np.nan], rtol=1e-6)
    np.testing.assert_allclose(program.denoise(y, score, L=4.0), [1 / 1.425, 1 / 0.675, np.nan], rtol=1e-6)
    assert np.isnan(jax.jit(lambda looks: program.denoise(1.0, 0.1, L=looks))(-4.0))


def test_a_product_denoises_block_by_block():
    looks = sp.Symbol("L", positive=True)
    gaussian = sd.families.gaussian().subs({"sigma": 1 / sp.sqrt(looks)})
    kernel = sd.Kernel.product({"a": sd.families.speckle(), "b": gaussian})
    y, score = {"a": 0.5, "b": 1.0}, {"a": 0.3, "b": -0.4}
    got = module_of(kernel).denoise(y, score, L=4.0)
    assert {k: float(v) for k, v in got.items()} == pytest.approx({"a": 1 / 1.425, "b": 0.9})


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (lambda: sd.families.von_mises(), r"E\[sin\(x - y\) \| y\] = l/kappa"),
        (lambda: sd.families.laplace(), r"E\[sign\(x - y\) \| y\] = l\*sigma"),
        (lambda: sd.families.poisson_gaussian(), r"nothing of x at y = -b/a; elsewhere E\[1/\(a\*x \+ b\) \| y\]"),
        (lambda: sd.families.multivariate_t(), "no Gaussian"),
        (lambda: sd.families.von_mises_fisher(), "orthogonal to y"),
        (lambda: sd.Kernel.product({"a": sd.families.gaussian(), "b": sd.families.laplace()}), "b: .* E"),
    ],
)
def test_a_kernel_without_a_denoiser_says_what_is_identified(kernel, words):
    with pytest.raises(DerivationError, match=words):
        denoise_source(kernel()._declaration)
