"""The coordinates of the level's path, corrected by visits, against the laws that the visits came from."""

import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.inference.descent import DESCENT_WEIGHT, Descent, recentred
from symdsm.inference.paths import RUNGS

AT = np.arange(RUNGS + 1)[:, None] / RUNGS


def _tables(mean, scale):
    blank = jnp.zeros((RUNGS + 1, 1, 2))
    return Descent(blank, jnp.asarray(mean), jnp.log(jnp.asarray(scale)), jnp.zeros(RUNGS), blank)


@pytest.mark.parametrize("plateau", [0, 20_000])
@pytest.mark.parametrize("shift, spread", [(0.0, 1.0), (2.0, 0.5)])
def test_visits_correct_tables_that_are_off_by_the_same_at_all_levels(shift, spread, plateau):
    """x | u ~ N(m(u) + shift c(u), (spread c(u))^2): the corrected tables are m + shift c and spread c, but for the
    walkers' weight and the error of a window that holds the visits of at least four rungs."""
    rng, n = np.random.default_rng(0), 20_000
    u = np.concatenate([rng.uniform(0, 1, n), -rng.uniform(0, 1, plateau)])
    low = np.maximum(u, 0)[:, None] * np.ones(2)
    x = low + np.exp(low) * (shift + spread * rng.normal(size=low.shape))
    found = recentred(_tables(AT * np.ones(2), np.exp(AT * np.ones(2))), x, u)
    prior, error = 8 * DESCENT_WEIGHT / (4 * n / RUNGS), 4 / np.sqrt(4 * n / RUNGS)
    q = (np.asarray(found.mean) - AT) / np.exp(AT)
    assert np.abs(q - shift).max() < spread * error + shift * prior
    off = np.asarray(found.log_scale) - AT - np.log(spread)
    assert np.abs(off).max() < error + prior * (1 + shift**2) / spread**2 / 2


def test_without_visits_the_walkers_tables_stand():
    mean, scale = 3 - 2 * AT * np.ones(2), 0.5 + AT * np.ones(2)
    found = recentred(_tables(mean, scale), np.zeros((0, 2)), np.zeros(0))
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(found.log_scale, np.log(scale), rtol=1e-6, atol=1e-6)
