"""Data, levels, descents and other fits, each agreeing or not by construction."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import xarray as xr
from arviz_base import dict_to_dataset
from scipy import stats

from symdsm.diagnostics import consistency
from symdsm.diagnostics.checks import energy_moves, mean_shift
from symdsm.inference.predictive import predictive_groups
from symdsm.inference.target import Target


def rng(seed=0):
    return np.random.default_rng(seed)


def tree(**groups):
    return xr.DataTree.from_dict(groups)


@pytest.mark.parametrize("shift, severity", [(0.0, 0), (-6.0, 2), (6.0, 2)])
def test_likelihood_of_the_data_among_replicates(shift, severity):
    values = {"y_observed": rng(1).normal(size=(4, 400)) + shift, "y_replicated": rng(2).normal(size=(4, 400))}
    (check,) = consistency.likelihood(tree(predictive_fit=dict_to_dataset(values)))
    assert check.severity == severity and (severity or 0.8 < check.p_value <= 1)


def diagnosis(theta, gradient, walkers=None):
    group = xr.Dataset({"theta": (("point", "coordinate"), theta), "gradient": (("point", "coordinate"), gradient)})
    if walkers is not None:
        group["walkers"] = ("walker", "coordinate"), walkers
    return tree(diagnosis=group)


def test_stein_knows_the_effective_number():
    theta = rng().normal(size=(400, 2)) * 1.6
    draws = dict_to_dataset({"z": rng(1).normal(size=(4, 500, 2))})
    assert consistency.stein(diagnosis(theta, -theta), draws)[0].severity == 2
    slow = dict_to_dataset({"z": np.cumsum(rng(1).normal(size=(4, 500, 2)), 1)})
    assert consistency.stein(diagnosis(theta, -theta), slow)[0].severity == 0
    assert consistency.stein(diagnosis(theta / 1.6, -theta / 1.6), draws)[0].severity == 0


@pytest.mark.parametrize("size", [3, 100])
def test_walkers_that_end_elsewhere(size):
    """Half of them ten sds away in one coordinate, which in 100 dimensions is hardly further than draws are apart."""
    theta, walkers = rng().normal(size=(400, size)), rng(1).normal(size=(16, size))
    draws = dict_to_dataset({"z": theta[:, :3].reshape(4, 100, 3)})
    assert consistency.descents(diagnosis(theta, -theta, walkers), draws)[0].severity == 0
    walkers[:8, 0] += 10.0
    (check,) = consistency.descents(diagnosis(theta, -theta, walkers), draws)
    assert check.severity == 2 and 0.4 < check.value < 0.6
    assert consistency.descents(diagnosis(theta, -theta), draws) == []


@pytest.mark.parametrize("spread", [0.9, 1.0, 1.1])
def test_walkers_of_about_the_draws_law_are_seldom_apart(spread):
    """By the quantile, one in a hundred at the right spread: of 800 at most 8 + 4 sqrt(8)."""
    apart = 0
    for seed in range(50):
        theta, walkers = rng(seed).normal(size=(200, 8)), spread * rng(1000 + seed).normal(size=(16, 8))
        draws = dict_to_dataset({"z": theta.reshape(4, 50, 8)})
        apart += 16 * consistency.descents(diagnosis(theta, -theta, walkers), draws)[0].value
    assert apart <= 19


def conjugate(y):
    z = numpyro.sample("z", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(z, 1.0), obs=y)


def place(y, key):
    target = Target(conjugate, (jnp.float32(y),), {}, {}, "auto")
    groups, _ = predictive_groups(target, {"z": jnp.zeros((1, 4))}, jax.random.key(key))
    return consistency.prior(xr.DataTree.from_dict(groups))[0]


def test_data_in_conflict_with_the_prior(unoptimised):
    """p is P(|y_new| >= |y|) for y ~ N(0, 2).  At 2.5 m has a relative error of 0.15 from its 100 draws, which moves p
    by 0.014, and the rank one of 0.012; four of both.
    """
    for y, severity in ((0.0, 0), (2.5, 0), (-2.5, 0), (8.0, 2)):
        check = place(y, 0)
        assert check.severity == severity
        exact = 2 * stats.norm.sf(abs(y) / np.sqrt(2))
        np.testing.assert_allclose(check.p_value, exact, atol=4 * 0.018 if y else 0.5)
    assert consistency.prior(tree()) == []


def test_the_lowest_level():
    draws = rng().normal(size=(4, 500, 3))
    u = np.tile(np.linspace(0.001, 0.999, 1000), (4, 1))
    for shift, severity in ((0.0, 0), (1.0, 1), (3.0, 2)):
        above = rng(1).normal(size=(4, 1000, 3)) + shift
        group = dict_to_dataset({"z": above, "coordinate": u}, sample_dims=["chain", "visit"])
        (check,) = consistency.lowest_level(tree(levels=group), "z", draws)
        assert check.severity == severity
        np.testing.assert_allclose(check.value, shift, atol=0.15)


def test_other_fits_are_compared_by_name():
    draws = dict_to_dataset({"z": rng().normal(size=(4, 500, 3))})
    other = tree(posterior=dict_to_dataset({"z": rng(1).normal(size=(4, 500, 3)) + 1.0}))
    (check,) = consistency.other_fits(draws, {"seed 1": other})
    assert check.name == "against seed 1" and check.severity == 1


def test_mean_shift_takes_the_monte_carlo_error_off():
    a, b = rng(0).normal(size=(2, 4, 100, 50))
    assert mean_shift(a, b) < 0.05
    np.testing.assert_allclose(mean_shift(a, b + 2.0), 2.0, rtol=0.1)


def test_bfmi_of_a_random_walk_in_energy_is_small():
    """Independent energies: E[(E_n - E_{n-1})^2] / Var = 2; an AR(1) of coefficient a: 2 (1 - a)."""
    noise = rng().normal(size=(4, 4000))
    slow = np.zeros_like(noise)
    for i in range(1, noise.shape[1]):
        slow[:, i] = 0.95 * slow[:, i - 1] + noise[:, i]
    for energy, value in ((noise, 2.0), (slow, 0.1)):
        (check,) = energy_moves(tree(sample_stats=dict_to_dataset({"energy": energy})))
        np.testing.assert_allclose(check.value, value, rtol=0.2)
