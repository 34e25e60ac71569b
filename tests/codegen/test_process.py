"""Emitted drifts, diffusions, flows and bridges against the SymPy expressions that they print."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

import symdsm as sd
from symdsm.codegen.process import bridge_source, process_source
from symdsm.codegen.program import load_source
from symdsm.errors import DerivationError

Y, SCORE = np.array([0.2, 0.45, 0.8]), np.array([-1.0, 0.3, 2.0])
PARAMS = {
    "gaussian": {"sigma": 0.7},
    "log_normal": {"sigma": 0.7},
    "logit_normal": {"sigma": 0.7},
    "ve": {"sigma_min": 0.01, "sigma_max": 5.0, "t": 0.4},
    "vp": {"beta_min": 0.1, "beta_max": 20.0, "t": 0.4},
    "sub_vp": {"beta_min": 0.1, "beta_max": 20.0, "t": 0.4},
    "ou": {"theta": 0.6, "mu": 0.2, "sigma": 1.3, "t": 0.4},
}


@pytest.mark.parametrize("name", PARAMS)
def test_emitted_processes_are_the_derived_ones(name, dtype):
    kernel, params = getattr(sd.families, name)(), PARAMS[name]
    module, found = load_source(process_source(kernel._declaration), "process"), kernel.process
    y, score, s = jnp.asarray(Y, dtype), jnp.asarray(SCORE, dtype), sp.Symbol("s", real=True)
    slope = sp.diff(found.rate, found.noisy)
    wanted = {
        "drift": found.drift,
        "diffusion": sp.sqrt(found.rate),
        "flow": found.drift - slope / 2 - found.rate * s / 2,
        "reverse": found.drift - slope - found.rate * s,
    }
    for function, expr in wanted.items():
        exact = sp.lambdify([found.noisy, s, *kernel.params], expr, "numpy")
        arguments = (y, score) if function in ("flow", "reverse") else (y,)
        got = getattr(module, function)(*arguments, **params)
        assert got.dtype == dtype and got.shape == Y.shape
        expected = np.broadcast_to(exact(Y, SCORE, *[params[q.name] for q in kernel.params]), Y.shape)
        np.testing.assert_allclose(got, expected, rtol=1e-9 if dtype == np.float64 else 1e-5, atol=1e-6)


def test_a_vector_equation_keeps_its_matrix(x64):
    kernel = sd.families.critically_damped()
    program, params = (
        load_source(process_source(kernel._declaration), "process"),
        {"M": 0.25, "beta": 4.0, "gamma": 0.04, "t": 0.3},
    )
    y, score = jnp.asarray([[0.2, -1.0], [1.5, 0.3]]), jnp.asarray([[1.0, 2.0], [-0.5, 0.1]])
    drift = np.stack([4 * y[:, 1] / 0.25, -4 * y[:, 0] - 4 * y[:, 1] * 2 * 0.5 / 0.25], axis=-1)
    rate = np.array([0.0, 2 * 2 * 0.5 * 4.0])
    np.testing.assert_allclose(program.drift(y, **params), drift)
    g = program.diffusion(y, **params)
    np.testing.assert_allclose(g @ jnp.swapaxes(g, -1, -2), np.broadcast_to(np.diag(rate), (2, 2, 2)))
    np.testing.assert_allclose(program.flow(y, score, **params), drift - rate * score / 2)
    np.testing.assert_allclose(program.reverse(y, score, **params), drift - rate * score)


def test_the_bridge_keeps_the_law_of_the_earlier_level(x64):
    """y ~ p(. | x; t), then z ~ bridge: z has the law p(. | x; before), and the covariance of a Markov chain."""
    program, params = sd.families.ou().compile(), PARAMS["ou"]
    n, x, before = 200_000, 0.9, 0.15
    one, two = jax.random.split(jax.random.key(0))
    y = program.sample(one, jnp.full(n, x), **params)
    mean, sd_z = program.bridge(y, x, before, **params)
    z = mean + sd_z * jax.random.normal(two, (n,))
    alike = program.sample(jax.random.key(1), jnp.full(n, x), **{**params, "t": before})
    assert abs(z.mean() - alike.mean()) < 5 * alike.std() * np.sqrt(2 / n)
    assert abs(z.std() / alike.std() - 1) < 5 / np.sqrt(n)
    between = jnp.cov(y, z)[0, 1] / alike.var()
    assert abs(between - np.exp(-0.6 * (0.4 - before))) < 5 * float(y.std() / alike.std()) / np.sqrt(n)


def test_outside_the_support_and_the_assumptions_there_is_nan():
    program = sd.families.log_normal().compile()
    assert jnp.isnan(program.drift(jnp.array([-1.0]), sigma=0.5)).all()
    assert jnp.isnan(jax.jit(program.flow)(jnp.array([1.0]), jnp.array([1.0]), sigma=-0.5)).all()


def test_refusals_reach_the_program():
    program = sd.families.laplace().compile()
    with pytest.raises(DerivationError, match="walk-back"):
        program.flow(jnp.array([1.0]), jnp.array([1.0]), sigma=0.5)
    with pytest.raises(DerivationError, match="linear mean"):
        program.bridge(jnp.array([1.0]), jnp.array([1.0]), 0.1, sigma=0.5)


def test_two_emissions_give_the_same_text():
    declaration = sd.families.vp()._declaration
    assert process_source(declaration) == process_source(declaration)
    assert bridge_source(declaration) == bridge_source(declaration)
