"""Tempered posteriors against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.diagnostics import effective_sample_size
from scipy import stats

from symdsm.inference.compiled import _COMPILED
from symdsm.inference.paths import RUNGS, SPEED, fold, table_at
from symdsm.inference.priors import LearnedPrior
from symdsm.inference.sampling import sample
from symdsm.inference.tempering import stroll
from tests.oracles.mixture_posterior import problem, total_variation

from .conftest import QUIET, conjugate, mixture, told, within


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


def test_one_key_one_posterior_and_one_compilation_with_a_bar_that_tells_how_far_it_is(gaussian_run, capsys):
    program, y, tree = gaussian_run
    kept = len(_COMPILED)
    again = sample(program, y, key=jax.random.key(1), chains=3, draws=600, warmup=500)
    said = told(capsys.readouterr().err, "sampling")
    assert 0.5 < said["accept"] <= 1 and 0 <= said["level"] <= 1
    np.testing.assert_allclose(said["ESS"], effective_sample_size(tree["posterior"]["z"].to_numpy()).min(), rtol=0.1)
    other = sample(program, y + 1, key=jax.random.key(1), chains=3, draws=600, warmup=500, **QUIET)
    np.testing.assert_array_equal(again["posterior"]["z"], tree["posterior"]["z"])
    assert float(other["posterior"]["z"].mean()) > float(tree["posterior"]["z"].mean()) + 0.3
    assert len(_COMPILED) == kept


def test_the_stroll_is_in_detailed_balance():
    """Levels of density exp(F), theta ~ N(0, (0.2 exp(2 u))^2 I) given u, in coordinates that are not theta's own."""
    rungs = np.arange(RUNGS + 1) / RUNGS
    mean, log_scale = jnp.asarray(np.stack([rungs, -rungs], 1)), jnp.asarray(np.stack([rungs, 2 * rungs - 1], 1))
    weight = jnp.asarray(np.sin(4 * rungs) + rungs)

    def log_joint(theta, u):
        return dist.Normal(0, 0.2 * jnp.exp(2 * jnp.maximum(u, 0.0))).log_prob(theta).sum()

    grid = np.linspace(-1, 1, 20_001)
    law = np.cumsum(np.exp(table_at(weight, jnp.asarray(grid))))
    n, rng = 40_000, np.random.default_rng(0)
    u = jnp.asarray(np.interp(rng.uniform(size=n), law / law[-1], grid))
    theta = 0.2 * jnp.exp(2 * jnp.maximum(u, 0.0))[:, None] * rng.normal(size=(n, 2))
    along = jax.vmap(table_at, (None, 0))
    q = (theta - along(mean, u)) * jnp.exp(-along(log_scale, u))
    before = jnp.concatenate([q, u[:, None] / SPEED], 1)
    keys = jax.random.split(jax.random.key(0), n)
    after = jax.jit(jax.vmap(lambda k, q: stroll(log_joint, k, q, mean, log_scale, weight)))(keys, before)
    moved = after[:, -1] != before[:, -1]
    to = fold(SPEED * after[:, -1])
    held = along(mean, to) + jnp.exp(along(log_scale, to)) * after[:, :-1]
    np.testing.assert_allclose(held, theta, rtol=1e-4, atol=1e-5)
    u, to, theta, moved = (np.asarray(a) for a in (u, to, theta, moved))
    assert 0.3 < moved.mean() < 0.95
    assert stats.kstest(to, lambda x: np.interp(x, grid, law / law[-1])).pvalue > 0.001
    for f, g in ((u, to), (u**2, to**2), (np.cos(3 * u), np.cos(3 * to))):
        for a, b in ((f * to**3, g * u**3), (f * (theta**2).sum(1), g * (theta**2).sum(1))):
            assert abs((a - b).mean()) < 4 * (a - b).std() / np.sqrt(n)


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
def test_a_hundred_dimensions_within_three_percent():
    fit = mixture([[0.0] * 100], [1.0], sd=1.0, least=0.1, most=10.0)
    y = np.random.default_rng(0).normal(size=100)
    tree = sample(conjugate(fit), jnp.asarray(y), key=jax.random.key(2), draws=1500, warmup=500, **QUIET)
    z = tree["posterior"]["z"].to_numpy().reshape(-1, 100)
    variance = 1 / (1 / 1.01 + 4)
    np.testing.assert_allclose(z.std(0).mean(), np.sqrt(variance), rtol=0.03)
    slope = np.polyfit(y, z.mean(0), 1)[0]
    np.testing.assert_allclose(slope, 4 * variance, rtol=0.03)
    within_each = np.abs(z.mean(0) - 4 * variance * y) / np.sqrt(variance)
    assert np.sqrt(np.mean(within_each**2)) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("d, components", [(2, 8), (10, 4)])
def test_weights_of_modes_against_the_exact_posterior(d, components):
    p = problem(d, components, seed=1)
    tree = sample(p.program, p.y, key=jax.random.key(0), draws=20_000, **QUIET)
    x = tree["posterior"]["x"].to_numpy()
    assert total_variation(p.shares(x), p.weights) < 0.05
    small = p.weights < 0.05  # in the plane four modes far from the others, of 0.016 together
    for modes in (*np.flatnonzero(~small)[:, None], np.flatnonzero(small)):
        assert within(p.memberships(x)[..., modes].sum(-1), p.weights[modes].sum())
