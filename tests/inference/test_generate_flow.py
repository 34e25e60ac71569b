"""The probability flow against closed forms: densities of mixtures, the map of a normal, orders of convergence."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from benchmarks.exact_fit import draw, exact_fit, modes, vp_fit
from symdsm.errors import ParameterError, SamplingError, ShapeError
from symdsm.inference.generate_flow import ProbabilityFlow, carry
from symdsm.inference.generate_source import Source
from tests.inference.test_generate import Wild


@pytest.mark.parametrize("d", [2, 10])
def test_the_flow_density_is_the_mixture_within_two_hundredths_of_a_nat(d):
    fit = exact_fit(*modes(d))
    x = draw(jax.random.key(0), *modes(d), 32)
    gap = np.asarray(sd.flow_log_prob(fit, x) - fit.log_prob(x, 0.02)) / d
    assert np.abs(gap).max() < 0.02, gap


def test_at_another_level_and_under_another_diffusion():
    fit, x = vp_fit(*modes(2)), draw(jax.random.key(0), *modes(2), 16)
    gap = np.asarray(sd.flow_log_prob(fit, x, level=0.2) - fit.log_prob(x, 0.2)) / 2
    assert np.abs(gap).max() < 0.02, gap


def test_hutchinson_errs_as_much_as_it_says():
    """z-scores of the estimate about the exact trace, over points: of mean zero and about unit size."""
    fit, x = exact_fit(*modes(2)), draw(jax.random.key(0), *modes(2), 64)
    exact = sd.flow_log_prob(fit, x)
    value, error = sd.flow_log_prob_estimate(fit, x, jax.random.key(1), probes=16)
    z = np.asarray((value - exact) / error)
    assert (np.asarray(error) > 1e-4).all()
    assert 0.5 < np.sqrt(np.mean(z**2)) < 2.0 and np.abs(z).max() < 6


@pytest.mark.parametrize(("solver", "order"), [(dfx.Euler(), 1), (dfx.Heun(), 2), (dfx.Bosh3(), 3)])
def test_solvers_converge_at_their_order(solver, order, x64):
    """On N(0, 1) under VE noise the flow is linear: z(0) = z(1) sqrt((1 + s0^2)/(1 + s1^2))."""
    source = Source.of(exact_fit(jnp.zeros((1, 1)), [1.0], 1.0, levels=sd.geometric(0.1, 5.0), n=100))
    start, exact = jnp.array([1.7]), 1.7 * np.sqrt((1 + 0.1**2) / (1 + 5.0**2))
    field = jax.jit(lambda u, z: source.flow(z, u))
    errors = []
    for steps in (40, 80):
        end, lost = carry(field, start, 1.0, 0.0, ProbabilityFlow(steps=steps, solver=solver))
        assert jnp.isnan(lost)
        errors.append(abs(float(end[0]) - exact))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3), errors


def test_the_shape_is_that_of_the_batch():
    fit = exact_fit(*modes(2))
    x = draw(jax.random.key(0), *modes(2), 6).reshape(2, 3, 2)
    batched = sd.flow_log_prob(fit, x, method=ProbabilityFlow(steps=30))
    assert batched.shape == (2, 3)
    np.testing.assert_allclose(
        batched[1, 2], sd.flow_log_prob(fit, x[1, 2], method=ProbabilityFlow(steps=30)), rtol=1e-5
    )


def test_bad_requests_are_refused_in_words():
    fit = exact_fit(*modes(2))
    x = jnp.zeros((3, 2))
    with pytest.raises(ShapeError, match=r"\(\*batch, 2\)"):
        sd.flow_log_prob(fit, jnp.zeros((3, 4)))
    with pytest.raises(ParameterError, match="level=100"):
        sd.flow_log_prob(fit, x, level=100.0)
    with pytest.raises(ParameterError, match="at least 2"):
        sd.flow_log_prob_estimate(fit, x, jax.random.key(0), probes=1)
    with pytest.raises(SamplingError, match='(?s)not determined by the score.*"annealed-langevin"'):
        sd.flow_log_prob(Wild(fit, sd.families.laplace()), x)
    with pytest.raises(SamplingError, match="lost 1 of 2 rows, the first at sigma"):
        sd.flow_log_prob(Wild(fit, fit.kernel), jnp.array([[0.5, 0.0], [-9.0, 0.0]]))
