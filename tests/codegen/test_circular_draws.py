"""Exact draws on the circle: the right law from flat to very peaked, in both precisions, and standalone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats as scs

from symdsm.codegen import special

N = 3000
SHAPES = {
    "von_mises": (1e-30, 0.1, 1.5, 40.0, 1e6),
    "wrapped_cauchy": (1e-4, 0.3, 1.0, 4.0),
    "wrapped_normal": (1e-3, 0.7, 2.5, 50.0),
}
ROWS = [(law, shape) for law, shapes in SHAPES.items() for shape in shapes]
LEVEL = 0.001 / (2 * len(ROWS))


def half_angle_law(t):
    """The wrapped Cauchy law of t = tanh(gamma/2)."""
    return lambda d: 0.5 + np.arctan(np.tan(d / 2) / t) / np.pi


def von_mises_law(k):
    """By quadrature of exp(k (cos d - 1)) on a grid, independently of scipy.stats, normal for a very peaked law."""
    grid = np.linspace(-np.pi, np.pi, 200_001)
    if k > 1e3:
        return scs.norm(0, 1 / np.sqrt(k)).cdf
    mass = scipy.integrate.cumulative_simpson(np.exp(k * (np.cos(grid) - 1)), x=grid, initial=0)
    return lambda d: np.interp(d, grid, mass / mass[-1])


def wrapped_normal_law(s):
    turns = 2 * np.pi * np.arange(-60, 61)
    return lambda d: (scs.norm.cdf((d[:, None] + turns) / s) - scs.norm.cdf((turns - np.pi) / s)).sum(1)


LAWS = {"von_mises": von_mises_law, "wrapped_cauchy": half_angle_law, "wrapped_normal": wrapped_normal_law}


def draws(law, shapes, dtype):
    function = getattr(special, f"{law}_draw")
    columns = jnp.broadcast_to(jnp.asarray(shapes, dtype), (N, len(shapes)))
    return np.asarray(jax.jit(lambda key: function(key, columns, columns.shape, dtype))(jax.random.key(4)), float)


@pytest.mark.parametrize("law", SHAPES)
def test_angles_follow_their_law(law, dtype):
    angles = draws(law, SHAPES[law], dtype)
    assert np.all(np.abs(angles) <= np.pi * (1 + 1e-6))
    for column, shape in zip(angles.T, SHAPES[law], strict=True):
        assert scs.kstest(column, LAWS[law](shape)).pvalue > LEVEL, shape


def test_a_wrong_shape_is_found(x64):
    (angles,) = draws("von_mises", (2.1,), np.float64).T
    assert scs.kstest(angles, von_mises_law(1.5)).pvalue < LEVEL


def test_a_negative_concentration_turns_the_law(x64):
    (angles,) = draws("von_mises", (-1.5,), np.float64).T
    assert scs.kstest(np.mod(angles, 2 * np.pi) - np.pi, von_mises_law(1.5)).pvalue > LEVEL
    assert np.all(np.abs(angles) <= np.pi)


def test_the_sampler_can_be_mapped_and_gradients_stop(x64):
    key = jax.random.key(0)
    rows = jax.vmap(lambda k: special.von_mises_draw(key, k, (5,), np.float64))(jnp.asarray([0.5, 50.0]))
    one = special.von_mises_draw(key, 50.0, (5,), np.float64)
    np.testing.assert_allclose(rows[1], one, rtol=1e-12)
    assert jax.grad(lambda k: special.von_mises_draw(key, k, (), np.float64))(2.0) == 0.0


def test_written_sources_hold_the_draws():
    space = {}
    exec(special.source({"von_mises_draw", "wrapped_normal_draw"}), space)
    key = jax.random.key(3)
    np.testing.assert_array_equal(
        space["von_mises_draw"](key, 2.0, (4,), np.float32), special.von_mises_draw(key, 2.0, (4,), np.float32)
    )
