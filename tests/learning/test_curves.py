import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.learning.curves import Curve, nodes


def test_a_smooth_curve_is_reproduced_with_its_derivative_up_to_the_ends():
    u = nodes(24)
    curve = Curve.through(u, np.stack([np.sin(3 * u), np.exp(u)], 1), 12)
    for at in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(curve(jnp.asarray(at)), [np.sin(3 * at), np.exp(at)], atol=2e-5)
        slope = jax.jacfwd(curve)(jnp.asarray(at))
        np.testing.assert_allclose(slope, [3 * np.cos(3 * at), np.exp(at)], atol=3e-3)


def test_integral_is_zero_at_the_most_noise():
    curve = Curve.with_slope(nodes(24), np.cos(nodes(24)), 12)
    assert float(curve(jnp.asarray(1.0))) == pytest.approx(0.0, abs=2e-5)
    assert float(curve(jnp.asarray(0.2))) == pytest.approx(np.sin(0.2) - np.sin(1.0), abs=2e-5)


def test_sum_and_shift():
    a, b = Curve(jnp.asarray([1.0, 2.0])), Curve(jnp.asarray([0.5, 0.0, 1.0]))
    u = jnp.asarray(0.7)
    assert float((a + b)(u)) == pytest.approx(float(a(u) + b(u)))
    assert float(a.shifted(3.0)(u)) == pytest.approx(float(a(u)) + 3.0)
