"""Draws and densities given a context: x | c ~ N(c, 0.5^2), whose noised score is known."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from symdsm.errors import ParameterError, ShapeError

SPREAD, N = 0.5, 600


class Pairs(eqx.Module):
    """A fit of pairs, as `sd.fit(..., context=)` leaves one."""

    examples: jax.Array
    kernel: Any = eqx.field(static=True)
    levels: Any = eqx.field(static=True)
    event_shape: tuple = eqx.field(static=True, default=(1,))
    context_shape: tuple = eqx.field(static=True, default=(1,))

    params = property(lambda self: {})

    def score(self, y, level, context):
        return -(y - context) / (SPREAD**2 + level**2)


@pytest.fixture(scope="module")
def pairs():
    centres = jnp.linspace(-1.0, 1.0, 500)[:, None]
    return Pairs(centres, sd.families.gaussian(), sd.geometric(0.05, 20.0))


@pytest.mark.parametrize("method", ["ancestral", "probability-flow"])
def test_each_draw_has_its_own_context(method, pairs):
    contexts = jnp.linspace(-1.0, 1.0, N)[:, None]
    x = sd.generate(pairs, jax.random.key(0), N, method, context=contexts, batch_size=250)
    gap = np.asarray(x - contexts)
    assert abs(gap.mean()) < 5 * SPREAD / np.sqrt(N)
    assert gap.std() == pytest.approx(SPREAD, rel=5 / np.sqrt(2 * N) + 0.03)
    assert abs(np.corrcoef(gap[:, 0], contexts[:, 0])[0, 1]) < 5 / np.sqrt(N)


def test_one_context_serves_all(pairs):
    x = sd.generate(pairs, jax.random.key(0), N, "ancestral", context=jnp.array([0.8]))
    assert float(x.mean()) == pytest.approx(0.8, abs=5 * SPREAD / np.sqrt(N))


def test_the_flow_density_given_a_context(pairs):
    """At the most noise the density is taken without the context: |c y|/sigma^2 of error, 0.003 for a sigma of 200."""
    pairs = Pairs(pairs.examples, pairs.kernel, sd.geometric(0.05, 200.0))
    x, c = jnp.array([[0.1], [0.9]]), jnp.array([[0.0], [0.5]])
    variance = SPREAD**2 + 0.05**2
    exact = -0.5 * ((x - c) ** 2 / variance + jnp.log(2 * jnp.pi * variance))[:, 0]
    np.testing.assert_allclose(sd.flow_log_prob(pairs, x, context=c), exact, atol=0.02)


def test_contexts_that_are_missing_or_do_not_fit(pairs):
    with pytest.raises(ParameterError, match="as in training"):
        sd.generate(pairs, jax.random.key(0), 4)
    with pytest.raises(ShapeError, match=r"\(4, 1\) with one for each"):
        sd.generate(pairs, jax.random.key(0), 4, context=jnp.zeros((3, 1)))
