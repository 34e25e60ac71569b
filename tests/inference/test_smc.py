"""Particles over the levels: posterior and evidence against closed forms."""

import jax
import numpy as np
import numpyro
import pytest
from numpyro.diagnostics import effective_sample_size

from symdsm.inference.priors import LearnedPrior
from symdsm.inference.sampling import sample
from symdsm.inference.smc import log_mean_evidence
from tests.oracles.mixture_posterior import problem, total_variation

from .conftest import QUIET, told


@pytest.fixture(scope="module", params=["smc", pytest.param("smc-mala", marks=pytest.mark.slow)])
def run(request):
    p = problem(3, 4, seed=2)
    return p, sample(p.program, p.y, key=jax.random.key(0), draws=1000, method=request.param, **QUIET)


def test_evidence_within_its_error(run):
    p, tree = run
    error = tree.attrs["log_evidence_error"]
    assert error < 0.1 and abs(tree.attrs["log_evidence"] - p.log_evidence) < 4 * error
    assert tree.attrs["log_evidence_up_to_a_constant"] == 0


def test_weights_and_moments_of_the_modes(run):
    p, tree = run
    x = tree["posterior"]["x"].to_numpy()
    assert x.shape == (4, 1000, 3)
    assert total_variation(p.shares(x), p.weights) < 0.06
    means, covariance = p.moments
    k = np.argmax(p.weights)
    inside = x.reshape(-1, 3)[np.argmin(((x.reshape(-1, 1, 3) - means) ** 2).sum(-1), 1) == k]
    error = np.sqrt(np.diag(covariance))
    assert (np.abs(inside.mean(0) - means[k]) < 0.15 * error).all()
    np.testing.assert_allclose(inside.std(0), error, rtol=0.1)


def test_every_population_comes_down(run):
    _, tree = run
    track = tree["levels"]["track"].to_numpy()
    assert (track[:, 0] == 1).all() and (np.diff(track, axis=1) <= 0).all() and (track[:, -1] <= 0).all()


def test_the_mass_of_a_prior_that_nothing_observes_and_a_bar_that_tells_how_far_it_is(capsys):
    """The evidence of no data is the mass of the prior: one, for an exact mixture."""

    def program():
        numpyro.sample("x", LearnedPrior(problem(3, 4, seed=2).fit))

    tree = sample(program, key=jax.random.key(1), draws=500, method="smc")
    said = told(capsys.readouterr().err, "smc")
    assert 0.5 < said["accept"] <= 1 and said["level"] == 0
    np.testing.assert_allclose(said["ESS"], effective_sample_size(tree["posterior"]["x"].to_numpy()).min(), rtol=0.01)
    np.testing.assert_allclose(said["log_z"], tree["levels"]["log_evidence"].mean(), atol=0.1)
    assert abs(tree.attrs["log_evidence"]) < 4 * tree.attrs["log_evidence_error"] < 0.4


def test_the_error_of_a_mean_of_evidences():
    value, error = log_mean_evidence(np.log([1.0, 2.0, 3.0]) - 700)
    np.testing.assert_allclose([value + 700, error], [np.log(2), 1 / 2 / np.sqrt(3)])
    assert np.isnan(log_mean_evidence(np.array([1.0]))[1])
