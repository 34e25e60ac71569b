"""Generation where values are positive or have hidden parts: log-normal noise, constrained data, a vector SDE."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import symdsm as sd
from benchmarks.exact_fit import draw, exact_fit
from symdsm.inference.generate import methods_of
from symdsm.inference.line import Line
from symdsm.learning.coordinates import Bounded

MEANS, WEIGHTS, SPREAD = [[-1.0], [1.5]], [0.3, 0.7], 0.3
N = 2000


class LogFit(eqx.Module):
    """The law of exp(z), z from a mixture under normal noise: log-normal noise, with its exact score."""

    inner: Any
    examples: jax.Array
    kernel: Any = eqx.field(static=True)

    params = property(lambda self: {})
    levels = property(lambda self: self.inner.levels)
    event_shape = property(lambda self: self.inner.event_shape)

    def score(self, y, level):
        return (self.inner.score(jnp.log(y), level) - 1) / y


@pytest.fixture(scope="module")
def normal():
    return exact_fit(MEANS, WEIGHTS, SPREAD, levels=sd.geometric(0.05, 5.0))


@pytest.fixture(scope="module")
def log_fit(normal):
    return LogFit(normal, jnp.exp(normal.examples), sd.families.log_normal())


def assert_same_law(x, reference):
    assert stats.ks_2samp(np.ravel(x), np.ravel(reference)).pvalue > 1e-3


@pytest.mark.parametrize("method", ["reverse-sde", "probability-flow", "annealed-langevin", "predictor-corrector"])
def test_log_normal_noise_is_a_geometric_brownian_motion(method, log_fit):
    y = sd.generate(log_fit, jax.random.key(0), N, method)
    assert bool((y > 0).all())
    assert_same_law(jnp.log(y), draw(jax.random.key(1), MEANS, WEIGHTS, np.hypot(SPREAD, 0.05), N))


def test_the_flow_density_of_positive_values(log_fit, normal):
    y = jnp.exp(draw(jax.random.key(1), MEANS, WEIGHTS, SPREAD, 16))
    exact = normal.log_prob(jnp.log(y), 0.05) - jnp.log(y)[:, 0]
    np.testing.assert_allclose(sd.flow_log_prob(log_fit, y), exact, atol=0.02)


def test_constrained_data_come_back_inside(normal):
    """A fit that was trained in z = log x gives x, and densities of x."""
    fit = dataclasses.replace(normal, examples=jnp.exp(normal.examples), coordinates=Bounded(0.0, float("inf")))
    x = sd.generate(fit, jax.random.key(0), N, "ancestral")
    assert bool((x > 0).all())
    assert_same_law(jnp.log(x), draw(jax.random.key(1), MEANS, WEIGHTS, np.hypot(SPREAD, 0.05), N))
    np.testing.assert_allclose(sd.flow_log_prob(fit, x[:8]), fit.log_prob(x[:8], 0.05), atol=0.02)
    known = (np.array([True]), np.array([2.0]))
    np.testing.assert_allclose(
        sd.generate(fit, jax.random.key(0), 5, "ancestral", steps=50, known=known), 2.0, rtol=0.3
    )


class Damped(eqx.Module):
    """N(m, d^2) under the critically damped diffusion: the state (x, v) is normal, with its score in closed form."""

    examples: jax.Array
    kernel: Any = eqx.field(static=True)
    levels: Any = eqx.field(static=True)
    moments: Any = eqx.field(static=True)

    params = property(lambda self: {"M": jnp.asarray(0.25), "beta": jnp.asarray(4.0), "gamma": jnp.asarray(0.04)})
    event_shape = property(lambda self: (2,))

    def score(self, y, level):
        mean, covariance = self.moments(level)
        return -jnp.linalg.solve(covariance, (y - mean)[..., None])[..., 0]


def damped():
    kernel = sd.families.critically_damped()
    module = kernel.compile()._module
    params = {"M": 0.25, "beta": 4.0, "gamma": 0.04}
    centre, spread = 0.7, 0.5

    def moments(t):
        at = {**params, "t": t}
        first, second = module.mean(jnp.zeros(()), **at), module.mean(jnp.ones(()), **at)
        slope = second - first
        return first + centre * slope, module.covariance(**at) + spread**2 * jnp.outer(slope, slope)

    examples = centre + spread * jax.random.normal(jax.random.key(3), (4000,))
    return Damped(examples, kernel, sd.uniform(0.01, 1.5), moments)


def test_the_reverse_of_a_vector_diffusion():
    """Noise enters the velocity alone, and the position is generated."""
    fit = damped()
    assert methods_of(fit)[:3] == ["reverse-sde", "probability-flow", "predictor-corrector"]
    y = np.asarray(sd.generate(fit, jax.random.key(0), N, "reverse-sde", steps=400))
    mean, covariance = (np.asarray(m) for m in fit.moments(jnp.asarray(0.01)))
    error = np.sqrt(np.diag(covariance) / N)
    assert (np.abs(y.mean(0) - mean) < 5 * error + 0.02).all()
    np.testing.assert_allclose(np.cov(y.T), covariance, atol=0.04)


@pytest.mark.parametrize(
    ("family", "low", "high"), [("log_normal", 0.0, np.inf), ("logit_normal", 0.0, 1.0), ("gaussian", -np.inf, np.inf)]
)
def test_slopes_of_the_coordinates_are_derivatives(family, low, high, x64):
    line, z = Line(getattr(sd.families, family)().support), jnp.array([-1.3, 0.2, 2.0])
    y, slope, curve = line.slopes(z)
    assert bool(((y > low) & (y < high)).all())
    np.testing.assert_allclose(line.coordinate(y), z, rtol=1e-9)
    np.testing.assert_allclose(slope, jax.vmap(jax.grad(line.place))(z), rtol=1e-9)
    np.testing.assert_allclose(curve, jax.vmap(jax.grad(jax.grad(line.place)))(z), rtol=1e-9, atol=1e-12)
