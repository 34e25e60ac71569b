"""Weights of the levels, where the levels are drawn, and that none of it depends on the clean value."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import gamma, norm

import symdsm as sd
from symdsm.errors import DerivationError, ParameterError
from symdsm.learning.levels import geometric, uniform
from symdsm.learning.networks import AbstractScore
from symdsm.learning.noise import Noise
from symdsm.learning.objectives import dsm
from symdsm.learning.potentials import ScorePotential
from symdsm.learning.scaling import measure
from symdsm.learning.weightings import LevelDraws, important_levels, weighted, weighting_name
from tests.learning.doubles import PROGRAM, GaussianKernel, GaussianProgram
from tests.learning.linear import bare_scaling

LEVELS = geometric(0.3, 3.0)


class Constant(AbstractScore):
    """The same number everywhere: the minimiser of a weighted objective at one y is found by hand."""

    event_shape: tuple[int, ...] = eqx.field(static=True)
    value: jax.Array

    def __call__(self, x, level):
        return jnp.broadcast_to(self.value, self.event_shape)


def constant_potential(noise, data):
    scaling = measure(noise, data, jax.random.key(1), dual=False)
    return ScorePotential(Constant((1,), jnp.ones(1)), noise, scaling)


KERNELS = {
    "speckle": (sd.families.speckle, {}, geometric(100.0, 3.0), 4.0, -0.93),
    "poisson-gaussian": (
        lambda: sd.families.poisson_gaussian().subs({"b": 0.04}), {}, geometric(0.05, 1.0), 0.5, None,
    ),
}  # fmt: skip


def speckle_density(y, x, looks):
    return gamma.pdf(y, looks, scale=x / looks), (looks - 1) / y - looks / x


def shot_density(y, x, gain):
    variance = gain * x + 0.04
    return norm.pdf(y, x, np.sqrt(variance)), (x - y) / variance


def minimiser(weight, density, y, level):
    """E[w D log p | y] / E[w | y] for clean values 1 and 3, equally likely."""
    each = [(weight(x) * density(y, x, level)[0], density(y, x, level)[1]) for x in (1.0, 3.0)]
    return sum(w * s for w, s in each) / sum(w for w, _ in each)


@pytest.mark.parametrize(
    ("name", "density"),
    [("speckle", speckle_density), pytest.param("poisson-gaussian", shot_density, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("weighting", ["fisher", "uniform", "square"])
def test_no_weight_depends_on_the_clean_value(name, density, weighting):
    declare, params, levels, level, known = KERNELS[name]
    kernel = declare()
    noise = Noise(params, levels, kernel.level.name, False, kernel.compile())
    data = jnp.asarray(np.random.default_rng(0).choice([1.0, 3.0], (400, 1)), jnp.float32)
    potential = constant_potential(noise, data)
    objective = weighted(dsm, (lambda level: level**2) if weighting == "square" else weighting, potential)
    u, key = levels.coordinate(jnp.asarray(level)), jax.random.key(3)

    def weight_of(objective):
        def weight(x):
            x = jnp.asarray([x])
            y, target = noise.target(key, x, u)
            return float(objective(potential, key, x, u) / (0.5 * jnp.sum((potential.score(y, u) - target) ** 2)))

        return weight

    weight = weight_of(objective)
    assert weight(1.0) == pytest.approx(weight(3.0), rel=1e-4)
    found = minimiser(weight, density, 1.5, level)
    assert found == pytest.approx(minimiser(lambda x: 1.0, density, 1.5, level), abs=1e-3)

    def conditional(potential, key, x, u):
        return dsm(potential, key, x, u) / kernel.compile().fisher(x[0], **noise.at(u))

    planted = minimiser(weight_of(replace(dsm, loss=conditional)), density, 1.5, level)
    assert abs(planted - found) > 0.2
    if known is not None:
        assert found == pytest.approx(known, abs=0.01)
        assert planted == pytest.approx(0.29, abs=0.01)


def test_likelihood_weights_are_the_squared_diffusion_in_the_coordinate():
    kernel, levels = sd.families.vp(), uniform(0.01, 1.0)
    params = {"beta_min": jnp.asarray(0.1), "beta_max": jnp.asarray(20.0)}
    noise = Noise(params, levels, "t", False, kernel.compile())
    data = jnp.asarray(np.random.default_rng(0).normal(size=(500, 1)), jnp.float32)
    potential = constant_potential(noise, data)
    objective, key = weighted(dsm, "likelihood", potential), jax.random.key(0)
    # dsm's own weight is 1 / I(t) = 1 - exp(-B): what is left is g^2 = beta(t), up to one constant
    ratios = []
    for t in (0.05, 0.4, 0.9):
        u = levels.coordinate(jnp.asarray(t))
        y, target = noise.target(key, data[0], u)
        plain = 0.5 * jnp.sum((potential.score(y, u) - target) ** 2)
        ratios.append(float(objective(potential, key, data[0], u) / plain) / (0.1 + 19.9 * t))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-3)


@pytest.mark.parametrize(
    ("weighting", "levels", "error", "words"),
    [
        ("steady", LEVELS, ParameterError, "'steady'"),
        (lambda level: -level, LEVELS, ParameterError, "positive number for each level"),
        (lambda level: level * jnp.ones(3), LEVELS, ParameterError, "shape"),
        (lambda level, x: level * x, LEVELS, ParameterError, "knows the clean value x moves the minimiser"),
        ("uniform", None, ParameterError, "without a level"),
        ("likelihood", LEVELS, DerivationError, "not known"),
    ],
)
def test_bad_weights(weighting, levels, error, words):
    class NoDiffusion(GaussianProgram):
        def diffusion(self, y, /, **params):
            raise DerivationError(given="no SDE", expected="one", fix="declare one")

    noise = Noise({}, levels, None if levels is None else "sigma", False, NoDiffusion())
    potential = ScorePotential(Constant((1,), jnp.ones(1)), noise, bare_scaling((1,)))
    with pytest.raises(error, match=words):
        weighted(dsm, weighting, potential)


def test_a_diffusion_that_depends_on_y_is_no_weight():
    noise = Noise({}, LEVELS, "sigma", False, sd.families.log_normal().compile())
    data = jnp.asarray(np.exp(np.random.default_rng(0).normal(size=(500, 1))), jnp.float32)
    with pytest.raises(DerivationError, match="not the same at every noisy value"):
        weighted(dsm, "likelihood", constant_potential(noise, data))


def test_functions_are_told_apart_by_their_values():
    assert weighting_name("uniform", LEVELS) == "uniform"
    names = {weighting_name(f, LEVELS) for f in (lambda s: s, lambda s: 1.0 * s, lambda s: s**2)}
    assert len(names) == 2


def test_drawn_levels_have_the_density_that_their_weights_undo(dtype):
    shares = jnp.asarray([3.0, 0.5, 1.0, 0.5], dtype)
    v = ((jnp.arange(4000) + 0.5) / 4000).astype(dtype)
    u, carried = LevelDraws(shares)(v)
    assert u.dtype == carried.dtype == dtype
    counts = np.histogram(np.asarray(u), bins=4, range=(0, 1))[0] / 4000
    np.testing.assert_allclose(counts, np.asarray(shares) / 5, atol=1e-3)
    for f, exact in ((jnp.ones_like, 1.0), (jnp.sin, 1 - np.cos(1.0)), (lambda u: u**2, 1 / 3)):
        assert float(jnp.mean(f(u) * carried)) == pytest.approx(exact, abs=2e-4)


class Tilted(AbstractScore):
    """A line with two parameters."""

    event_shape: tuple[int, ...] = eqx.field(static=True)
    theta: jax.Array

    def __call__(self, x, level):
        return self.theta[0] * x + self.theta[1]


def test_importance_lowers_the_variance_of_the_gradient_and_not_its_mean():
    """Uniform weights over levels from 0.01 to 3: nearly all of the gradient comes from the lowest levels."""
    noise = Noise({}, geometric(0.01, 3.0), "sigma", False, PROGRAM)
    data = jnp.asarray(np.random.default_rng(0).normal(size=(4000, 1)), jnp.float32)
    scaling = measure(noise, data, jax.random.key(1), dual=False)
    potential = ScorePotential(Tilted((1,), jnp.asarray([0.1, 0.1])), noise, scaling)
    objective = weighted(dsm, "uniform", potential)
    draws = important_levels(objective, potential, data, jax.random.key(2))

    def gradients(draw, key):
        keys, v = jax.random.split(key, len(data)), jax.random.uniform(key, (len(data),))
        u, carried = draw(v)

        def one(theta, key, x, u):
            return objective(eqx.tree_at(lambda p: p.net.theta, potential, theta), key, x, u)

        slopes = jax.jit(jax.vmap(jax.grad(one), (None, 0, 0, 0)))(potential.net.theta, keys, data, u)
        return np.asarray(slopes * carried[:, None])

    even = gradients(lambda v: (v, jnp.ones_like(v)), jax.random.key(3))
    important = gradients(draws, jax.random.key(4))
    assert even.var(0).sum() > 3 * important.var(0).sum()
    error = np.sqrt((even.var(0) + important.var(0)) / len(data))
    assert np.abs((even.mean(0) - important.mean(0)) / error).max() < 4


@pytest.mark.slow
def test_a_fit_with_weights_and_importance_finds_the_score():
    data = np.random.default_rng(0).normal(size=(3000, 1)).astype(np.float32)
    net = sd.Score((1,), key=jax.random.key(0), width=16, depth=1)
    fit = sd.fit(
        net, data, GaussianKernel(), key=jax.random.key(1), levels=geometric(0.1, 2.0), objective="dsm",
        weighting=lambda level: level**-0.5, importance=True, steps=1000, learning_rate=5e-3, progress=False,
    )  # fmt: skip
    y = jnp.linspace(-1.5, 1.5, 7)[:, None]
    for sigma in (0.2, 1.0):
        true = -y / (data.var() + sigma**2)
        assert float(jnp.sqrt(jnp.mean((fit.score(y, sigma) - true) ** 2))) < 0.1
