"""Proposition 1: regression on what the kernel knows has the gradient of regression on what nobody knows.

The data are three points, so q is a known mixture; the noise is integrated by Gauss-Hermite quadrature, so that both
gradients are exact and no Monte Carlo error hides a difference.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from symdsm.errors import ShapeError
from symdsm.learning.levels import geometric
from symdsm.learning.networks import AbstractScore, Energy
from symdsm.learning.noise import Noise
from symdsm.learning.objectives import controlled, dsm, dual
from symdsm.learning.potentials import potential_of
from symdsm.learning.scaling import measure
from tests.learning.doubles import PROGRAM, GaussianProgram, Mixture, Multiplicative

LEVELS = geometric(0.3, 3.0)
POINTS, WEIGHTS = jnp.asarray([[-1.0], [0.5], [2.0]]), jnp.asarray([0.2, 0.5, 0.3])


class GivenNoise(GaussianProgram):
    """The Gaussian program whose standard normal draw is given, for quadrature."""

    def __init__(self, e):
        self.e = e

    def target(self, key, x, /, *, sigma):
        return x + sigma * self.e, -self.e / sigma

    def dual_target(self, key, x, /, *, sigma):
        return x + sigma * self.e, -self.e / sigma, (self.e**2 - 1) / sigma


@pytest.fixture(scope="module")
def potential():
    noise = Noise({}, LEVELS, "sigma", False, PROGRAM)
    rng = np.random.default_rng(0)
    data = POINTS[rng.choice(3, 500, p=np.asarray(WEIGHTS))]
    net = Energy((1,), key=jax.random.key(0), width=8, depth=1)
    return potential_of(net, noise, measure(noise, data, jax.random.key(1), dual=True), data, jax.random.key(2))


def expected(loss):
    """Sum over the points and the quadrature nodes of weight * loss(point, node)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = jnp.asarray(weights / weights.sum())
    each = jax.vmap(lambda x: jax.vmap(lambda e: loss(x, e[None]))(jnp.asarray(nodes, jnp.float32)))(POINTS)
    return jnp.sum(WEIGHTS[:, None] * weights * each)


def gradients_of(potential, loss):
    """The gradient in the network's parameters as one vector."""
    params, rest = eqx.partition(potential.net, eqx.is_inexact_array)

    def total(params):
        return loss(eqx.tree_at(lambda p: p.net, potential, eqx.combine(params, rest)))

    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(jax.jit(jax.grad(total))(params))])


@pytest.mark.parametrize(("objective", "u"), [(dsm, 0.9), (dual, 0.1)])
def test_denoising_has_the_gradient_of_explicit_score_matching(potential, objective, u):
    u = jnp.asarray(u)
    exact = Mixture(WEIGHTS, POINTS, sd=0.0)

    def denoising(potential):
        def one(x, e):
            return objective(eqx.tree_at(lambda p: p.noise, potential, with_noise(e)), jax.random.key(0), x, u)

        return expected(one)

    def with_noise(e):
        return Noise({}, LEVELS, "sigma", False, GivenNoise(e))

    def explicit(potential):
        def one(x, e):
            y = x + LEVELS.at(u) * e
            score, level_score = potential.scores(y, u)
            true, true_level = jax.grad(lambda y, u: exact.log_prob(y, LEVELS.at(u)), (0, 1))(y, u)
            in_y = jnp.sum((score - true) ** 2) * jnp.exp(-potential.scaling.log_fisher(u))
            in_u = (level_score - true_level) ** 2 * jnp.exp(-potential.scaling.log_level_fisher(u))
            return 0.5 * (in_y + (in_u if objective is dual else 0.0))

        return expected(one)

    left, right = gradients_of(potential, denoising), gradients_of(potential, explicit)
    np.testing.assert_allclose(left, right, atol=2e-4 * np.abs(right).max())


def test_weights_do_not_depend_on_the_clean_value():
    program = Multiplicative()
    noise = Noise({}, LEVELS, "sigma", False, program)
    data = jnp.asarray(np.random.default_rng(0).choice([1.0, 3.0], (400, 1)), jnp.float32)
    scaling = measure(noise, data, jax.random.key(1), dual=True)
    net = Energy((1,), key=jax.random.key(0), width=8, depth=1)
    potential = potential_of(net, noise, scaling, data, jax.random.key(2))
    u, key = jnp.asarray(0.2), jax.random.key(3)

    def weight(x):
        y, target = noise.target(key, x, u)
        return dsm(potential, key, x, u) / (0.5 * jnp.sum((potential.score(y, u) - target) ** 2))

    one, three = weight(jnp.asarray([1.0])), weight(jnp.asarray([3.0]))
    assert float(one) == pytest.approx(float(three), rel=1e-5)
    averaged = float(jnp.mean(1 / (LEVELS.at(u) * data) ** 2))
    assert float(one) == pytest.approx(1 / averaged, rel=0.1)


class Fixed(AbstractScore):
    """A network whose score has the size of the true one: its output is 1/100 of the target's, as after training."""

    event_shape: tuple[int, ...] = eqx.field(static=True)
    inner: jax.Array
    outer: jax.Array

    def __call__(self, x, level):
        return 0.01 * self.outer @ jnp.tanh(self.inner[:, :1] @ x + self.inner[:, 1])


@pytest.fixture(scope="module")
def small_noise():
    """N(0, 1) data, Gaussian noise of sigma = 0.01, a fixed network."""
    noise = Noise({}, geometric(0.01, 1.0), "sigma", False, PROGRAM)
    data = jnp.asarray(np.random.default_rng(0).normal(size=(2000, 1)), jnp.float32)
    inner, outer = jax.random.split(jax.random.key(4))
    net = Fixed((1,), jax.random.normal(inner, (8, 2)), jax.random.normal(outer, (1, 8)))
    return potential_of(net, noise, measure(noise, data, jax.random.key(1), dual=False), data, jax.random.key(2)), data


def test_the_control_variate_leaves_the_gradient_and_takes_its_variance(small_noise):
    potential, data = small_noise
    params, rest = eqx.partition(potential.net, eqx.is_inexact_array)
    keys, u = jax.random.split(jax.random.key(5), 2000), jnp.asarray(0.0)

    def gradients(objective):
        def one(params, key, x):
            net = eqx.combine(params, rest)
            return objective(eqx.tree_at(lambda p: p.net, potential, net), key, x, u)

        slopes = jax.jit(jax.vmap(jax.grad(one), (None, 0, 0)))(params, keys, data)
        return np.concatenate([np.asarray(leaf).reshape(len(data), -1) for leaf in jax.tree.leaves(slopes)], axis=1)

    plain, steady = gradients(dsm), gradients(controlled())
    assert plain.var(0).sum() > 1000 * steady.var(0).sum()
    difference = plain - steady
    error = difference.std(0) / np.sqrt(len(data))
    used = error > 0
    assert np.abs(difference.mean(0)[used] / error[used]).max() < 4.5


def test_the_control_variate_has_mean_zero_at_every_level(potential):
    """Exactly, by quadrature: the gradients of dsm and of the controlled objective are equal."""

    def loss_of(objective, u):
        def one(potential):
            def at(x, e):
                noise = Noise({}, LEVELS, "sigma", False, GivenNoise(e))
                return objective(eqx.tree_at(lambda p: p.noise, potential, noise), jax.random.key(0), x, u)

            return expected(at)

        return one

    u = jnp.asarray(0.3)
    left, right = (gradients_of(potential, loss_of(objective, u)) for objective in (dsm, controlled()))
    np.testing.assert_allclose(left, right, atol=2e-4 * np.abs(left).max())


class OneLook(GaussianProgram):
    """Speckle of one look, y = x e with e exponential: the score is -1/x for every draw, and so is its mean."""

    def target(self, key, x, /, *, sigma):
        y = x * jax.random.exponential(key, x.shape, x.dtype)
        return y, -1.0 / x


def test_a_mean_that_is_not_zero_is_subtracted(potential):
    potential = eqx.tree_at(lambda p: p.noise, potential, Noise({}, LEVELS, "sigma", False, OneLook()))
    arguments = jax.random.key(3), jnp.asarray([1.5]), jnp.asarray(0.3)
    right = controlled(lambda x, u: -1.0 / x)(potential, *arguments)
    assert float(right) == pytest.approx(float(dsm(potential, *arguments)), rel=1e-6)
    assert float(controlled()(potential, *arguments)) != pytest.approx(float(right), rel=1e-3)  # its program says 0


class Growing(GaussianProgram):
    """A noisy event with one entry more than the clean one."""

    def target(self, key, x, /, *, sigma):
        y = jnp.concatenate([x, x])
        return y, -y


def test_events_that_change_shape_have_no_control_variate(potential):
    potential = eqx.tree_at(lambda p: p.noise, potential, Noise({}, LEVELS, "sigma", False, Growing()))
    with pytest.raises(ShapeError, match="equal shapes"):
        controlled()(potential, jax.random.key(3), jnp.asarray([1.5]), jnp.asarray(0.3))


@pytest.mark.slow
def test_a_fit_with_the_control_variate_finds_the_score():
    data = np.random.default_rng(0).normal(size=(4000, 1)).astype(np.float32)
    net = sd.Score((1,), key=jax.random.key(0), width=32, depth=2)
    fit = sd.fit(
        net, data, sd.families.gaussian(), key=jax.random.key(1), levels=geometric(0.05, 1.0),
        objective="controlled", steps=3000, progress=False,
    )  # fmt: skip
    y = jnp.linspace(-1.5, 1.5, 7)
    for sigma in (0.1, 0.5):
        found = np.concatenate([fit.score(v[None], sigma) for v in y])
        true = -np.asarray(y) / (data.var() + sigma**2)
        assert np.sqrt(np.mean((found - true) ** 2)) < 0.25 * np.sqrt(np.mean(true**2))
