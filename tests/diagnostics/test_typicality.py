"""Typicality against the chi-squared law that a Gaussian has."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from symdsm.diagnostics.typicality import typicality
from symdsm.errors import ShapeError
from symdsm.learning.coordinates import Bounded
from tests.inference.conftest import mixture

LEVEL, SD = 0.5, 0.7


@pytest.fixture
def fit():
    return mixture([[1.0] * 8], [1.0], sd=SD, least=LEVEL, most=5.0)


def draws(scale, shift=0.0):
    spread = scale * np.hypot(SD, LEVEL)
    return 1.0 + shift + spread * jax.random.normal(jax.random.key(3), (2, 500, 8))


def test_null_is_chi_squared(fit):
    """t = s^2 / (sd^2 + s^2) chi2_d / d for Gaussian data."""
    t = typicality(fit, draws(1.0))
    share = LEVEL**2 / (SD**2 + LEVEL**2) / 8
    assert stats.kstest(t.null / share, stats.chi2(8).cdf).pvalue > 0.01
    assert stats.kstest(t.draws.ravel() / share, stats.chi2(8).cdf).pvalue > 0.01
    np.testing.assert_allclose(t.p_value, 0.5, atol=0.1)


@pytest.mark.parametrize("scale, shift", [(3.0, 0.0), (0.1, 0.0), (1.0, 4.0)])
def test_draws_from_elsewhere_are_told(fit, scale, shift):
    assert (typicality(fit, draws(scale, shift)).p_value < 0.01).all()


def test_a_draw_that_is_not_a_number_is_atypical(fit):
    assert (typicality(fit, jnp.full((2, 5, 8), jnp.nan)).p_value == 0).all()


def test_draws_of_another_shape(fit):
    with pytest.raises(ShapeError, match="pass the fit"):
        typicality(fit, jnp.zeros((2, 5, 7)))


def test_in_other_coordinates_it_is_the_same(fit):
    positive = dataclasses.replace(fit, coordinates=Bounded(0.0, np.inf))
    z = draws(1.0)
    np.testing.assert_allclose(typicality(positive, jnp.exp(z)).draws, typicality(fit, z).draws, rtol=1e-3)
