"""The kernel Stein test: its mean under the law, its size, its power."""

import jax
import numpy as np
import pytest

from symdsm.diagnostics.stein import stein_kernel, stein_test


def normal(n, d, seed, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=(n, d))


def test_kernel_against_autodiff():
    """u from derivatives of k taken by JAX."""
    x = normal(5, 3, 0)
    l2 = np.median(((x[:, None] - x[None]) ** 2).sum(-1)[np.triu_indices(5, 1)])

    def k(a, b):
        return (1 + ((a - b) ** 2).sum() / l2) ** -0.5

    with jax.enable_x64(True):

        def u(a, b):
            sa, sb = -a, -b
            mixed = jax.jacobian(jax.grad(k, 1), 0)(a, b)
            return sa @ sb * k(a, b) + sa @ jax.grad(k, 1)(a, b) + sb @ jax.grad(k, 0)(a, b) + mixed.trace()

        exact = [[float(u(a, b)) for b in jax.numpy.asarray(x)] for a in jax.numpy.asarray(x)]
    np.testing.assert_allclose(stein_kernel(x, -x), exact, rtol=1e-6)


def test_p_values_are_about_uniform_under_the_law():
    p = [stein_test(x, -x, replicates=199).p_value for x in (normal(60, 2, seed) for seed in range(80))]
    assert 0.35 < np.mean(p) < 0.65 and np.mean(np.array(p) < 0.05) < 0.12


@pytest.mark.parametrize("shift, scale", [(0.5, 1.0), (0.0, 1.5), (0.0, 0.6)])
def test_draws_of_another_law_are_told(shift, scale):
    x = normal(300, 3, 1, scale) + shift
    assert stein_test(x, -x).p_value < 0.005


def test_entries_that_never_move_are_left_out():
    x = normal(100, 3, 2)
    x[:, 1] = 4.0
    assert np.isfinite(stein_test(x, -x).value)
