"""Dual score matching with multiplicative Gamma noise whose level is the number of looks, against the exact mixture."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st
from scipy.stats import gamma

from symdsm.kernel import Kernel
from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import Energy


@pytest.mark.slow
def test_speckle_learns_density_score_and_level_score():
    x, looks = sp.symbols("x L", positive=True)
    kernel = Kernel.from_random(x * st.Gamma("e", looks, 1 / looks), clean=x, level=looks)
    rng = np.random.default_rng(0)
    data = np.repeat([1.0, 3.0], [1200, 1800])[:, None] * np.exp(0.05 * rng.normal(size=(3000, 1)))
    found = fit(
        Energy((1,), key=jax.random.key(0), width=48, depth=1),
        data.astype(np.float32),
        kernel,
        key=jax.random.key(1),
        levels=geometric(100.0, 3.0),
        steps=1500,
        batch_size=128,
        learning_rate=5e-3,
        progress=False,
    )
    y = np.linspace(0.01, 15.0, 3000)

    def density(level):
        return gamma.pdf(y[:, None], level, scale=data[::5, 0] / level).mean(1)

    def miss(got, exact, weight):
        return np.sqrt(np.sum(weight * (got - exact) ** 2) / np.sum(weight * exact**2))

    for level in (6.0, 15.0, 40.0):
        q, points = density(level), jnp.asarray(y[:, None], jnp.float32)
        assert np.trapezoid(np.exp(found.log_prob(points, level)), y) == pytest.approx(1.0, abs=0.08)
        assert miss(np.asarray(found.score(points, level))[:, 0], np.gradient(np.log(q), y), q) < 0.25
        exact = (np.log(density(1.001 * level)) - np.log(density(0.999 * level))) / (0.002 * level)
        slope = jax.vmap(jax.grad(found.log_prob, argnums=1), (0, None))(points, jnp.asarray(level))
        assert miss(np.asarray(slope), exact, q) < 0.3
