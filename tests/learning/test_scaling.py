import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.learning.levels import geometric
from symdsm.learning.noise import Noise
from symdsm.learning.scaling import linear_estimate, measure
from tests.learning.doubles import PROGRAM

LEVELS = geometric(0.05, 5.0)


@pytest.fixture(scope="module")
def gaussian():
    d = np.array([0.5, 2.0])
    data = (np.random.default_rng(0).normal(size=(20_000, 2)) * d + 1).astype(np.float32)
    noise = Noise({}, LEVELS, "sigma", False, PROGRAM)
    return noise, jnp.asarray(data), d


@pytest.mark.parametrize("u", [0.0, 0.4, 1.0])
def test_gaussian_noise_gives_the_known_preconditioning(gaussian, u):
    noise, data, d = gaussian
    scaling = measure(noise, data, jax.random.key(0), dual=True)
    u, s = jnp.asarray(u), float(LEVELS.at(u))
    total = np.sqrt(d**2 + s**2)
    np.testing.assert_allclose(np.exp(scaling.log_scale(u)), total, rtol=0.06)
    np.testing.assert_allclose(np.exp(scaling.log_weight(u)), s**2 / total**2, rtol=0.15)
    np.testing.assert_allclose(np.exp(scaling.log_spread(u)), d / (s * total), rtol=0.1)
    assert float(jnp.exp(scaling.log_fisher(u))) == pytest.approx(2 / s**2, rel=0.08)
    information_per_u = 4 * np.log(LEVELS.most / LEVELS.least) ** 2
    assert float(jnp.exp(scaling.log_level_fisher(u))) == pytest.approx(information_per_u, rel=0.15)


def test_linear_estimate_is_the_wiener_filter(gaussian):
    noise, data, d = gaussian
    skip, residue = linear_estimate(noise, data, jax.random.key(0))
    s = float(LEVELS.at(0.6))
    np.testing.assert_allclose(skip(jnp.asarray(0.6)), d**2 / (d**2 + s**2), rtol=0.08)
    np.testing.assert_allclose(np.exp(residue(jnp.asarray(0.6))), d * s / np.sqrt(d**2 + s**2), rtol=0.08)


def test_inputs_are_bounded_and_one_to_one(gaussian):
    noise, data, _ = gaussian
    scaling = measure(noise, data, jax.random.key(0), dual=False)
    y = jnp.stack([jnp.linspace(-1e4, 1e4, 101)] * 2, 1)
    v = np.asarray(jax.vmap(scaling.inputs, (0, None))(y, jnp.asarray(0.5)))
    assert np.abs(v).max() <= scaling.reach
    assert (np.diff(v, axis=0) > -1e-6).all()
