"""Fast normal draws: their law in one dimension and in pairs, both precisions, shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from symdsm.inference.normals import normal

DRAWS = 400_000


def test_law(dtype):
    z = np.asarray(normal(jax.random.key(0), (DRAWS,), dtype))
    assert z.dtype == dtype and st.kstest(z.astype(float), "norm").pvalue > 1e-3
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3), (6, 15), (8, 105)):
        values = z.astype(float) ** power
        assert abs(values.mean() - moment) < 4 * values.std() / np.sqrt(DRAWS)


def test_halves_are_independent():
    """The two draws of one pair: the angle is uniform, the radius Rayleigh, and neither tells of the other."""
    z = np.asarray(normal(jax.random.key(1), (2, DRAWS), jnp.float32), float)
    angle, square = np.arctan2(*z), (z**2).sum(0)
    assert st.kstest(angle, st.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert st.kstest(square, st.chi2(2).cdf).pvalue > 1e-3
    for a, b in ((z[0], z[1]), (z[0] ** 2, z[1] ** 2), (np.cos(angle), square), (z[0], z[1] ** 2)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(DRAWS)


def test_tails():
    """Two-sided tail probabilities out to four standard deviations, within four standard errors of counts."""
    z = np.abs(np.asarray(normal(jax.random.key(2), (10 * DRAWS,), jnp.float32)))
    for edge in (2.0, 3.0, 4.0):
        mean = 10 * DRAWS * 2 * st.norm.sf(edge)
        assert abs((z > edge).sum() - mean) < 4 * np.sqrt(mean)
    assert z.max() < np.sqrt(48 * np.log(2)) + 1e-5


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 5), (0, 4)])
def test_shapes_keys_and_transformations(shape):
    key = jax.random.key(3)
    z = normal(key, shape, jnp.float32)
    assert z.shape == shape and np.array_equal(z, normal(key, shape, jnp.float32))
    rows = jax.jit(jax.vmap(lambda k: normal(k, shape, jnp.float32)))(jax.random.split(key, 4))
    assert rows.shape == (4, *shape) and len(np.unique(rows)) == rows.size
