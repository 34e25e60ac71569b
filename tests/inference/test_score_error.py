"""The Fisher divergence of scores that are wrong by a known amount, and the bound that it gives."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from benchmarks.exact_fit import draw, exact_fit
from symdsm.errors import ParameterError, SamplingError, ShapeError

LEVELS = sd.geometric(0.1, 5.0)


def normal(spread=1.0, d=3):
    return exact_fit(jnp.zeros((1, d)), [1.0], spread, levels=LEVELS)


class Shifted(eqx.Module):
    """The exact score plus a constant in each entry."""

    inner: Any
    by: float

    kernel = property(lambda self: self.inner.kernel)
    levels = property(lambda self: self.inner.levels)
    params = property(lambda self: self.inner.params)
    examples = property(lambda self: self.inner.examples)
    event_shape = property(lambda self: self.inner.event_shape)

    def score(self, y, level):
        return self.inner.score(y, level) + self.by


def test_a_shift_of_the_score_is_its_own_size():
    """|by|^2 d at each level; KL <= 1/2 int 2 sigma by^2 d dsigma = by^2 d (5^2 - 0.1^2)/2."""
    exact = normal()
    found = sd.score_error(Shifted(exact, 0.3), exact, jax.random.key(0), levels=200)
    np.testing.assert_allclose(found.error, 3 * 0.3**2, rtol=1e-4)
    assert found.kl_bound == pytest.approx(0.3**2 * 3 * (5.0**2 - 0.1**2) / 2, rel=1e-3)


def test_the_error_of_a_normal_of_the_wrong_spread_is_the_closed_form():
    """s = -y/(4 + l^2) for -y/(1 + l^2): E |gap|^2 = d (1 + l^2) (1/(1 + l^2) - 1/(4 + l^2))^2."""
    true, wrong = normal(1.0), normal(2.0)
    found = sd.score_error(Shifted(wrong, 0.0), Shifted(true, 0.0), jax.random.key(0), levels=4, draws=4000)
    # y come from the examples of `wrong`, of variance 4 + l^2.
    v, w = 1 + np.asarray(found.level) ** 2, 4 + np.asarray(found.level) ** 2
    exact = 3 * w * (1 / v - 1 / w) ** 2
    assert (np.abs(found.error - exact) < 5 * np.asarray(found.standard_error) + 0.08 * exact).all()
    np.testing.assert_allclose(found.share, (1 / v - 1 / w) ** 2 * v**2, rtol=1e-3)


def test_held_out_data_rank_fits_by_the_same_difference():
    """H(wrong) - H(true) = F(wrong), with the same noised rows for both."""
    true, key = normal(), jax.random.key(0)
    data = draw(jax.random.key(5), jnp.zeros((1, 3)), [1.0], 1.0, 4000)
    worse, best = (sd.score_error(f, data, key, levels=4, draws=20_000) for f in (Shifted(true, 0.5), true))
    gap = np.asarray(worse.error - best.error)
    # 2 by E[s* - t | level] has mean zero and sd 2 by sqrt(d C / draws) with C below 1/l^2.
    noise = 2 * 0.5 * np.sqrt(3 / np.asarray(best.level) ** 2 / 20_000)
    assert (np.abs(gap - 3 * 0.5**2) < 5 * noise).all(), gap
    assert worse.kl_bound is None


def test_bad_requests_are_refused_in_words():
    fit = normal()
    with pytest.raises(ShapeError, match=r"\(n, 3\)"):
        sd.score_error(fit, jnp.zeros((10, 2)), jax.random.key(0))
    with pytest.raises(ParameterError, match="levels=1"):
        sd.score_error(fit, fit, jax.random.key(0), levels=1)

    class NoLevels(Shifted):
        levels = None

    with pytest.raises(SamplingError, match="without noise levels"):
        sd.score_error(NoLevels(fit, 0.0), fit, jax.random.key(0))
