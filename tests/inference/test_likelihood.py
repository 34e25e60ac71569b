"""What the likelihood says at a level, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

from symdsm.inference.likelihood import added_noise
from symdsm.inference.priors import LearnedPrior
from symdsm.inference.target import Target

A = np.array([[1.0, 0.0, 2.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0, 0.5]])
Y, THETA = jnp.array([0.3, -0.2]), jnp.array([0.1, -0.4, 0.9, 2.0, 1.0])


def linear(fit):
    def program(y):
        x = numpyro.sample("x", LearnedPrior(fit))
        with numpyro.plate("row", 2):
            numpyro.sample("y", dist.Normal(jnp.asarray(A) @ x, 0.5), obs=y)

    return program


def gamma(fit):
    def program(y):
        x = numpyro.sample("x", LearnedPrior(fit))
        numpyro.sample("y", dist.Gamma(4.0, 4.0 / jnp.exp(x[:2])).to_event(1), obs=jnp.exp(y))

    return program


def target(program, kind):
    return Target(program, (Y,), {}, {}, kind)


def prior(fit, u):
    return float(fit.log_prob(THETA, fit.levels.at(u)))


@pytest.mark.parametrize("kind", ["declared", "power", "inflated", "denoised"])
def test_at_the_lowest_level_all_are_the_program_as_declared(gaussian, kind):
    exact = stats.norm(A @ np.asarray(THETA), 0.5).logpdf(np.asarray(Y)).sum() + prior(gaussian, 0.0)
    for u in (0.0, -0.7):
        np.testing.assert_allclose(target(linear(gaussian), kind).log_joint(THETA, u), exact, rtol=1e-5)


def test_inflated_adds_the_variance_of_the_noise_seen_through_the_map(gaussian):
    u, level = 0.6, float(gaussian.levels.at(0.6))
    found = target(linear(gaussian), "inflated").log_joint(THETA, u)
    scale = np.sqrt(0.25 + (level**2 - 0.05**2) * (A**2).sum(1))
    exact = stats.norm(A @ np.asarray(THETA), scale).logpdf(np.asarray(Y)).sum() + prior(gaussian, u)
    np.testing.assert_allclose(found, exact, rtol=0.02)  # the added noise is a Monte Carlo mean, linear between rungs


def test_power_fades_with_the_noise(gaussian):
    u = 0.6
    table, s2 = added_noise(gaussian)
    share = np.interp(u, np.linspace(0, 1, len(table)), table) / s2
    log_likelihood = stats.norm(A @ np.asarray(THETA), 0.5).logpdf(np.asarray(Y)).sum()
    found = target(linear(gaussian), "power").log_joint(THETA, u)
    np.testing.assert_allclose(found, log_likelihood / (1 + share) + prior(gaussian, u), rtol=1e-4)


def test_denoised_asks_at_the_expected_clean_point(gaussian):
    u = 0.6
    clean = np.asarray(gaussian.denoise(THETA, gaussian.levels.at(u)))
    exact = stats.norm(A @ clean, 0.5).logpdf(np.asarray(Y)).sum() + prior(gaussian, u)
    np.testing.assert_allclose(target(linear(gaussian), "denoised").log_joint(THETA, u), exact, rtol=1e-5)


def test_a_weight_on_the_likelihood(gaussian):
    one = target(linear(gaussian), "declared")
    ends = [float(one.log_joint(THETA, 0.3, power)) for power in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(ends[0], prior(gaussian, 0.3), rtol=1e-5)
    np.testing.assert_allclose(ends[1], (ends[0] + ends[2]) / 2, rtol=1e-5)


@pytest.mark.parametrize("build, kind", [(linear, "inflated"), (gamma, "power")])
def test_auto_goes_by_the_program(gaussian, build, kind):
    assert target(build(gaussian), "auto").path.kind == kind


def test_added_noise_is_the_kernels(gaussian):
    table, s2 = added_noise(gaussian)
    level = np.asarray(gaussian.levels.at(jnp.linspace(0, 1, len(table))))
    np.testing.assert_allclose(table, level**2 - 0.05**2, rtol=0.1, atol=1e-3)
    np.testing.assert_allclose(s2, 0.49, rtol=0.1)


def test_gradients_exist_for_all(gaussian):
    for kind in ("declared", "power", "inflated", "denoised"):
        one = target(linear(gaussian), kind)
        slope = jax.grad(one.log_joint)(THETA, 0.4)
        step = 1e-2 * jnp.eye(5)
        numeric = [(one.log_joint(THETA + h, 0.4) - one.log_joint(THETA - h, 0.4)) / 2e-2 for h in step]
        np.testing.assert_allclose(slope, numeric, rtol=1e-2, atol=2e-2)
