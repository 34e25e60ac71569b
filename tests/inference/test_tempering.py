"""Tempered posteriors against closed forms, and what happens when a program cannot be sampled."""

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from symdsm.errors import DataError, ParameterError, SamplingError, ShapeError
from symdsm.inference.priors import LearnedPrior
from symdsm.inference.tempering import _SAMPLERS, sample

from .conftest import mixture

pytestmark = pytest.mark.xdist_group("one sampler")  # its compilation is shared within a worker

QUIET = {"progress": False}


def within(draws, truth, errors=4.0, least=50):
    """Whether the mean of draws (chain, draw) is the truth within standard errors, given enough of them."""
    draws = np.asarray(draws, float)
    ess = float(az.ess(draws))
    assert ess > least, f"ESS {ess:.0f}"
    return abs(draws.mean() - truth) < errors * draws.std() / np.sqrt(ess)


def conjugate(fit):
    def program(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.deterministic("double", 2 * z)
        numpyro.sample("y", dist.Normal(z, 0.5).to_event(1), obs=y)

    return program


@pytest.fixture(scope="module")
def gaussian_run():
    fit = mixture([[1.0] * 5], [1.0], sd=0.7, least=0.05, most=5.0)
    program, y = conjugate(fit), jnp.array([0.0, 0.5, 1.0, 2.0, 3.0])
    return program, y, sample(program, y, key=jax.random.key(1), chains=3, draws=600, warmup=500, **QUIET)


def test_conjugate_gaussian(gaussian_run):
    _, y, tree = gaussian_run
    prior, noise = 0.7**2 + 0.05**2, 0.5**2
    variance = 1 / (1 / prior + 1 / noise)
    mean = variance * (1 / prior + y / noise)
    z = tree["posterior"]["z"].to_numpy()
    for i in range(5):
        assert within(z[..., i], mean[i])
        assert within((z[..., i] - mean[i]) ** 2, variance)


def test_groups_hold_exactly_the_draws_asked_for(gaussian_run):
    _, y, tree = gaussian_run
    assert tree["posterior"]["z"].shape == (3, 600, 5)
    np.testing.assert_allclose(tree["posterior"]["double"], 2 * tree["posterior"]["z"], rtol=1e-6)
    assert tree["sample_stats"]["diverging"].shape == (3, 600)
    np.testing.assert_array_equal(tree["observed_data"]["y"], y)
    levels = tree["levels"]
    assert (levels["coordinate"] > 0).all() and (levels["level_z"] > 0.05).all()
    start, sampling = levels["track"][:, 0], levels["track"][:, levels.attrs["sampling_from"] :]
    assert (start == 1).all() and int((sampling <= 0).sum("iteration").min()) >= 600


def test_one_key_one_posterior_and_one_compilation(gaussian_run):
    program, y, tree = gaussian_run
    kept = len(_SAMPLERS)
    again = sample(program, y, key=jax.random.key(1), chains=3, draws=600, warmup=500, **QUIET)
    other = sample(program, y + 1, key=jax.random.key(1), chains=3, draws=600, warmup=500, **QUIET)
    np.testing.assert_array_equal(again["posterior"]["z"], tree["posterior"]["z"])
    assert float(other["posterior"]["z"].mean()) > float(tree["posterior"]["z"].mean()) + 0.3
    assert len(_SAMPLERS) == kept


@pytest.mark.slow
def test_weights_of_distant_modes(two_modes):
    def program(y):
        z = numpyro.sample("z", LearnedPrior(two_modes))
        numpyro.sample("y", dist.Normal(z, 5.0).to_event(1), obs=y)

    tree = sample(program, jnp.array([0.5]), key=jax.random.key(0), draws=3000, **QUIET)
    scale = 5.0**2 + 0.3**2 + 0.1**2
    weights = np.array([0.8, 0.2]) * np.exp(-((0.5 - np.array([-4.0, 4.0])) ** 2) / (2 * scale))
    left = tree["posterior"]["z"].to_numpy()[..., 0] < 0
    assert within(left, weights[0] / weights.sum())


@pytest.mark.slow
def test_other_sites_and_several_priors_under_plates(gaussian):
    """z_i and w learned N(1, 0.7^2 + 0.05^2), scale ~ Gamma(3, 1) left to its prior."""

    def program(y):
        scale = numpyro.sample("scale", dist.Gamma(3.0, 1.0))
        w = numpyro.sample("w", LearnedPrior(gaussian).mask(True))
        with numpyro.plate("row", 2):
            z = numpyro.sample("z", LearnedPrior(gaussian))
            numpyro.sample("y", dist.Normal(z + 0 * scale + 0 * w, 0.5).to_event(1), obs=y)

    tree = sample(program, jnp.zeros((2, 5)), key=jax.random.key(3), chains=2, draws=500, warmup=500, **QUIET)
    posterior = tree["posterior"]
    assert posterior["z"].shape == (2, 500, 2, 5) and (posterior["scale"] > 0).all()
    assert within(posterior["scale"], 3.0) and within(posterior["w"][..., 0], 1.0)
    prior = 0.7**2 + 0.05**2
    assert within(posterior["z"][..., 1, 2], (1 / prior) / (1 / prior + 1 / 0.25))


@pytest.mark.slow
def test_without_a_learned_prior_levels_do_not_apply():
    def program(y):
        mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
        numpyro.sample("y", dist.Normal(mean, 1.0), obs=y)

    tree = sample(program, jnp.array([1.0, 2.0]), key=jax.random.key(0), chains=2, draws=300, warmup=200, **QUIET)
    assert tree.attrs["method"] == "nuts" and "levels do not apply" in tree.attrs["note"]
    assert "levels" not in tree.children and within(tree["posterior"]["mean"], 1.0)


def bad_programs(fit):
    def wrong_shape(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.sample("y", dist.Normal(z, 1.0).to_event(1), obs=y[:3])

    def outside(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.sample("y", dist.Gamma(4.0, 4.0 / jnp.exp(z)).to_event(1), obs=-jnp.ones(5))

    def not_a_number(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.factor("broken", jnp.sqrt(-1.0 - z[0] ** 2))

    def discrete(y):
        numpyro.sample("z", LearnedPrior(fit))
        numpyro.sample("k", dist.Poisson(1.0))

    def all_observed(y):
        numpyro.sample("z", LearnedPrior(fit), obs=y)

    return locals()


@pytest.mark.parametrize(
    "name, options, error, words",
    [
        ("wrong_shape", {}, ShapeError, "site 'y'"),
        ("outside", {}, DataError, "support"),
        ("not_a_number", {}, SamplingError, "site 'broken' has log density nan"),
        ("discrete", {}, SamplingError, "'k', which is discrete"),
        ("all_observed", {}, SamplingError, "without a latent site"),
        ("wrong_shape", {"draws": 0}, ParameterError, "draws=0"),
        ("wrong_shape", {"method": "gibbs"}, ParameterError, "method='gibbs'"),
    ],
)
def test_bad_input(gaussian, name, options, error, words):
    with pytest.raises(error, match=words):
        sample(bad_programs(gaussian)[name], jnp.ones(5), key=jax.random.key(0), **QUIET, **options)


def test_init_names_latent_sites(gaussian):
    with pytest.raises(SamplingError, match="init for w"):
        sample(conjugate(gaussian), jnp.zeros(5), key=jax.random.key(0), init={"w": jnp.zeros(5)}, **QUIET)
