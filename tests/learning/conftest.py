"""Fixtures: one small trained energy on a mixture whose every noisy density is known."""

import jax
import numpy as np
import pytest

from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import Energy
from tests.learning.doubles import GaussianKernel, Mixture


@pytest.fixture(scope="session")
def mixture():
    """0.7 N((-1.5, 0), 0.3^2) + 0.3 N((1.5, 1), 0.3^2)."""
    return Mixture(weights=(0.7, 0.3), means=((-1.5, 0.0), (1.5, 1.0)), sd=0.3)


@pytest.fixture(scope="session")
def trained(mixture):
    data = mixture.draw(np.random.default_rng(0), 3000)
    net = Energy((2,), key=jax.random.key(0), width=48, depth=1)
    return fit(
        net,
        data,
        GaussianKernel(),
        key=jax.random.key(1),
        levels=geometric(0.1, 6.0),
        steps=4000,
        batch_size=128,
        learning_rate=5e-3,
        weight_decay=0.0,
        progress=False,
    )
