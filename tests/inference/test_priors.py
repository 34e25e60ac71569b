"""LearnedPrior and kernel distributions as NumPyro distributions."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jax.scipy.stats import gamma as gamma_law
from scipy import stats

from symdsm.errors import DerivationError, EnergyRequired, ParameterError, ShapeError
from symdsm.inference.kernel_distribution import kernel_distribution
from symdsm.inference.priors import LearnedPrior

from .conftest import mixture


def test_log_prob_is_the_density_at_the_level(gaussian):
    x = np.random.default_rng(0).normal(size=(4, 5))
    truth = stats.norm(1.0, np.sqrt(0.7**2 + 0.3**2)).logpdf(x).sum(-1)
    np.testing.assert_allclose(LearnedPrior(gaussian, 0.3).log_prob(jnp.asarray(x)), truth, rtol=1e-5)
    lowest = stats.norm(1.0, np.sqrt(0.7**2 + 0.05**2)).logpdf(x).sum(-1)
    np.testing.assert_allclose(LearnedPrior(gaussian).log_prob(jnp.asarray(x)), lowest, rtol=1e-5)


def test_is_a_pytree_and_maps_over_levels(gaussian):
    levels, x = jnp.array([0.1, 1.0]), jnp.zeros(5)
    mapped = jax.vmap(lambda s: LearnedPrior(gaussian, s).log_prob(x))(levels)
    np.testing.assert_allclose(mapped, [LearnedPrior(gaussian, s).log_prob(x) for s in (0.1, 1.0)], rtol=1e-6)
    prior = jax.jit(lambda p: p)(LearnedPrior(gaussian, 0.1))
    np.testing.assert_allclose(prior.log_prob(x), mapped[0], rtol=1e-6)


def test_annealed_draws_have_the_weights_and_spread_of_the_modes():
    fit = mixture([[-2.0], [2.0]], [0.7, 0.3])
    x = np.asarray(LearnedPrior(fit).sample(jax.random.key(0), (4000,)))[:, 0]
    left = x < 0
    assert abs(left.mean() - 0.7) < 0.05
    np.testing.assert_allclose(x[left].std(), np.sqrt(0.3**2 + 0.1**2), rtol=0.1)


def test_shape_of_expanded_draws(gaussian):
    prior = LearnedPrior(gaussian)
    assert prior.expand([3]).to_event(1).event_shape == (3, 5)
    assert prior.expand([3]).sample(jax.random.key(0), (2,)).shape == (2, 3, 5)


@pytest.mark.parametrize(
    "changes, level, error, words",
    [
        ({"is_energy": False}, None, EnergyRequired, "an energy"),
        ({}, 20.0, ParameterError, "between 0.1 and 10"),
        ({}, 0.01, ParameterError, "range of the fit"),
    ],
)
def test_bad_input(changes, level, error, words):
    with pytest.raises(error, match=words):
        LearnedPrior(mixture([[0.0]], [1.0], **changes), level)


def test_value_of_another_shape(gaussian):
    with pytest.raises(ShapeError, match=r"shape \(4,\)"):
        LearnedPrior(gaussian).log_prob(jnp.zeros(4))


class Speckle:
    """y = x e, e ~ Gamma(L, 1/L), written by hand."""

    params = (types.SimpleNamespace(name="L"),)
    event_ndim, normalised, period, blocks = 0, True, None, {}
    support = types.SimpleNamespace(inf=0.0, sup=float("inf"))

    def compile(self):
        return self

    def log_prob(self, y, x, /, *, L):
        return jnp.where(y > 0, gamma_law.logpdf(y, L, scale=x / L), -jnp.inf)

    def sample(self, key, x, /, *, L):
        return x * jax.random.gamma(key, L, jnp.shape(x)) / L


def test_kernel_distribution_is_numpyros_gamma():
    x, y = jnp.array([0.5, 1.0, 4.0]), jnp.array([[0.2, 1.0, 3.0], [2.0, 0.1, 5.0]])
    ours, theirs = kernel_distribution(Speckle(), x, L=4.0), dist.Gamma(4.0, 4.0 / x)
    assert ours.batch_shape == (3,) and ours.support is dist.constraints.positive
    np.testing.assert_allclose(ours.log_prob(y), theirs.log_prob(y), rtol=1e-5)
    np.testing.assert_allclose(ours.to_event(1).log_prob(y), theirs.to_event(1).log_prob(y), rtol=1e-5)
    assert (ours.log_prob(-y) == -jnp.inf).all()
    draws = np.asarray(ours.sample(jax.random.key(0), (4000,)))
    np.testing.assert_allclose(draws.mean(0), x, rtol=0.05)
    mapped = jax.vmap(lambda L: kernel_distribution(Speckle(), x, L=L).log_prob(y[0]))(jnp.array([2.0, 4.0]))
    np.testing.assert_allclose(mapped[1], theirs.log_prob(y[0]), rtol=1e-5)


def test_kernel_distribution_refuses():
    with pytest.raises(ParameterError, match="L"):
        kernel_distribution(Speckle(), jnp.ones(2), looks=4.0)
    unknown = Speckle()
    unknown.normalised = None
    with pytest.raises(DerivationError, match="normalis"):
        kernel_distribution(unknown, jnp.ones(2), L=4.0)
    with pytest.raises(ShapeError, match="one value for each"):
        kernel_distribution(Speckle(), jnp.ones(3), L=4.0).log_prob(jnp.ones(2))


def test_a_fit_that_is_not_normalised_gives_minus_its_energy():
    fit = mixture([[0.0]], [1.0], normalised=False)
    np.testing.assert_allclose(LearnedPrior(fit).log_prob(jnp.ones(1)), -fit.energy(jnp.ones(1), 0.1))
