"""Dual score matching knows the weights of the modes; `python -m benchmarks.dual` has the whole table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from tests.learning.doubles import GaussianKernel, Mixture

MIXTURE = Mixture(weights=(0.8, 0.2), means=((-4.0, 0.0), (4.0, 0.0)), sd=0.3)


def trained(objective):
    data = MIXTURE.draw(np.random.default_rng(0), 4000)
    net = sd.Energy((2,), key=jax.random.key(0), width=64, depth=2)
    return sd.fit(
        net, data, GaussianKernel(), key=jax.random.key(100), levels=sd.geometric(0.1, 10.0), objective=objective,
        steps=3000, batch_size=256, progress=False,
    )  # fmt: skip


def log_ratio(fit):
    left, right = fit.energy(MIXTURE.means, 0.1)
    return float(right - left)


@pytest.fixture(scope="module")
def dual():
    return trained("dual")


@pytest.mark.slow
def test_the_modes_of_a_dual_fit_have_their_weights(dual):
    assert log_ratio(dual) == pytest.approx(np.log(4.0), abs=0.2)
    assert abs(log_ratio(trained("dsm")) - np.log(4.0)) > 2.0


@pytest.mark.slow
def test_its_normaliser_stays_in_place(dual):
    for k, sigma in enumerate(dual.levels.grid(5)):
        clean = MIXTURE.draw(np.random.default_rng(k), 1000)
        y = clean + float(sigma) * np.random.default_rng(10 + k).normal(size=clean.shape).astype(np.float32)
        exact = jax.vmap(MIXTURE.log_prob, (0, None))(jnp.asarray(y), sigma)
        assert float(jnp.mean(dual.log_prob(y, sigma) - exact)) == pytest.approx(0.0, abs=0.1)
