import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.families import gaussian
from symdsm.learning.curves import Curve
from symdsm.learning.fit import _Silent
from symdsm.learning.levels import geometric
from symdsm.learning.noise import Noise
from symdsm.learning.normalise import anchored, level_balanced, mixture_log_prob
from symdsm.learning.potentials import EnergyPotential, potential_of
from symdsm.learning.scaling import measure
from tests.learning.doubles import PROGRAM

LEVELS = geometric(0.1, 5.0)


def test_the_bare_tail_of_gaussian_data_becomes_the_exact_normalised_density():
    noise = Noise({}, LEVELS, "sigma", False, PROGRAM)
    data = np.random.default_rng(0).normal(size=(4000, 2))
    data = jnp.asarray((data - data.mean(0)) / data.std(0) * [0.5, 1.5] + 1.0, jnp.float32)
    key = jax.random.key(0)
    potential = potential_of(_Silent((2,)), noise, measure(noise, data, key, dual=True), data, key)
    potential = anchored(level_balanced(potential, data, key), data, key)
    for sigma in (0.1, 0.5, 5.0):
        v = np.array([0.25, 2.25]) + sigma**2
        y = np.array([0.7, 1.4])
        exact = -0.5 * np.sum((y - 1) ** 2 / v + np.log(2 * np.pi * v))
        got = -potential.energy(jnp.asarray(y, jnp.float32), LEVELS.coordinate(sigma))
        assert float(got) == pytest.approx(exact, abs=0.1)


def test_the_constant_does_not_depend_on_the_draws_that_find_it():
    """The exact energy of normal data, its constant found with four keys; plain means of the level score err by 0.1."""
    noise = Noise({}, LEVELS, "sigma", False, PROGRAM)
    data = np.random.default_rng(0).normal(size=(4000, 2))
    data = jnp.asarray((data - data.mean(0)) / data.std(0), jnp.float32)
    start = jax.random.key(0)
    potential = potential_of(_Silent((2,)), noise, measure(noise, data, start, dual=True), data, start)
    place = jnp.asarray([0.3, -0.2], jnp.float32), jnp.zeros(())
    found = [
        float(anchored(level_balanced(potential, data, key), data, key).energy(*place))
        for key in jax.random.split(jax.random.key(1), 4)
    ]
    assert np.std(found) < 0.04, found


def test_mixture_of_the_kernel_over_the_data():
    noise = Noise({}, LEVELS, "sigma", False, PROGRAM)
    got = mixture_log_prob(noise, jnp.asarray([0.5]), jnp.asarray([[0.0], [2.0]]), LEVELS.coordinate(1.0))
    exact = np.log(0.5 * (np.exp(-0.125) + np.exp(-1.125)) / np.sqrt(2 * np.pi))
    assert float(got) == pytest.approx(exact, abs=1e-5)


class TooNarrow(EnergyPotential):
    """(1 + b) |y|^2 / (2 v(u)) with v = 1 + sigma^2, plus sin(3 u): b of the precision and the normaliser are wrong."""

    def energy(self, y, u):
        return 1.02 * jnp.sum(y**2) / (2 * (1 + self.noise.at(u)["sigma"] ** 2)) + jnp.sin(3 * u) + self.offset(u)


def test_the_normaliser_is_that_of_the_energy_and_not_of_the_data():
    """In 20 dimensions the mean over data of dE/du misses it by 0.02 * 20 * log(v1/v0) / 2 = 0.65."""
    kernel = gaussian()
    noise = Noise.of(kernel, {}, LEVELS)
    data = jnp.asarray(np.random.default_rng(0).normal(size=(4000, 20)), jnp.float32)
    data = (data - data.mean(0)) / data.std(0)
    scaling = measure(noise, data, jax.random.key(0), dual=True)
    potential = TooNarrow(_Silent((20,)), noise, scaling, Curve(jnp.zeros(1)))
    exact = 10 * np.log((1 + LEVELS.least**2) / (1 + LEVELS.most**2))
    for edgeless, bound in ((True, 0.1), (False, 1.0)):
        aware = eqx.tree_at(lambda p: p.noise, potential, dataclasses.replace(noise, edgeless=edgeless))
        found = level_balanced(aware, data, jax.random.key(1))
        change = float(found.energy(jnp.zeros(20), jnp.zeros(())) - found.energy(jnp.zeros(20), jnp.ones(())))
        assert abs(change - exact) < bound
        assert edgeless or abs(change - exact) > 0.4
