"""Exact stand-ins for a trained fit: Gaussian mixtures, whose noised density is known at every level."""

import re
import types
from typing import Any

import arviz as az
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import logsumexp

from symdsm.inference.priors import LearnedPrior
from symdsm.learning.coordinates import Real

QUIET = {"progress": False}


class GaussianProgram:
    """y = x + sigma n, as the compiled program of a kernel."""

    def sample(self, key, x, /, *, sigma):
        return x + sigma * jax.random.normal(key, jnp.shape(x))

    def target(self, key, x, /, *, sigma):
        noise = jax.random.normal(key, jnp.shape(x))
        return x + sigma * noise, -noise / sigma


class GaussianKernel:
    """The Gaussian kernel with level sigma, as other rooms see a kernel."""

    level = types.SimpleNamespace(name="sigma")

    def compile(self):
        return GaussianProgram()


class Range(eqx.Module):
    """Geometric levels."""

    least: float = eqx.field(static=True)
    most: float = eqx.field(static=True)

    def at(self, u):
        return self.least * (self.most / self.least) ** jnp.asarray(u)

    def coordinate(self, level):
        return jnp.log(jnp.asarray(level) / self.least) / jnp.log(self.most / self.least)


class MixtureFit(eqx.Module):
    """A fit that learned sum_k w_k N(centre_k, sd^2 I) perfectly: at level s its components have sd^2 + s^2."""

    centres: Any
    log_weights: Any
    sd: Any
    examples: Any
    levels: Range
    event_shape: tuple = eqx.field(static=True)
    params: dict = eqx.field(static=True, default_factory=dict)
    kernel: Any = eqx.field(static=True, default_factory=GaussianKernel)
    is_energy: bool = eqx.field(static=True, default=True)
    normalised: bool = eqx.field(static=True, default=True)
    model: Any = None
    coordinates: Real = eqx.field(default_factory=Real)

    @property
    def support(self):
        return self.coordinates.support

    @property
    def latent(self):
        return self

    def _log_prob(self, x, level):
        variance = self.sd**2 + level**2
        square = jnp.sum((x - self.centres) ** 2, axis=tuple(range(1, self.centres.ndim)))
        size = self.centres[0].size
        return logsumexp(self.log_weights - square / (2 * variance)) - size / 2 * jnp.log(2 * jnp.pi * variance)

    def _batched(self, fn, x, level):
        batch = jnp.shape(x)[: jnp.ndim(x) - len(self.event_shape)]
        flat = jnp.reshape(x, (-1, *self.event_shape))
        out = jax.vmap(fn)(flat, jnp.broadcast_to(level, batch).reshape(-1))
        return out.reshape(*batch, *out.shape[1:])

    def log_prob(self, x, level):
        return self._batched(self._log_prob, x, level)

    def energy(self, x, level):
        return -self.log_prob(x, level)

    def score(self, x, level):
        return self._batched(jax.grad(self._log_prob), x, level)

    def denoise(self, x, level):
        return x + jnp.asarray(level) ** 2 * self.score(x, level)


def mixture(centres, weights, sd=0.3, least=0.1, most=10.0, n=1000, **changes):
    """A `MixtureFit` with `n` examples drawn from the mixture."""
    centres = jnp.asarray(centres, float)
    log_weights = jnp.log(jnp.asarray(weights, float))
    pick, noise = jax.random.split(jax.random.key(7))
    clean = centres[jax.random.categorical(pick, log_weights, shape=(n,))]
    examples = clean + sd * jax.random.normal(noise, clean.shape)
    fit = MixtureFit(centres, log_weights, sd, examples, Range(least, most), centres.shape[1:], **changes)
    return fit


def conjugate(fit):
    """y ~ N(z, 0.5^2) with z from the fit."""

    def program(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.deterministic("double", 2 * z)
        numpyro.sample("y", dist.Normal(z, 0.5).to_event(1), obs=y)

    return program


def told(err, name):
    """{word: number} at the end of the progress bar called `name`, from what was printed."""
    last = err.rsplit(f"{name}: 100%", 1)[1].splitlines()[0]
    return {word: float(value) for word, value in re.findall(r"(\w+)=(-?[\d.]+)", last)}


def within(draws, truth, errors=4.0, least=50):
    """Whether the mean of draws (chain, draw) is the truth within standard errors, given enough of them."""
    draws = np.asarray(draws, float)
    ess = float(az.ess(draws, method="mean"))
    assert ess > least, f"ESS {ess:.0f}"
    return abs(draws.mean() - truth) < errors * draws.std() / np.sqrt(ess)


@pytest.fixture
def two_modes():
    """0.8 N(-4, 0.3^2) + 0.2 N(4, 0.3^2) in one dimension, levels 0.1 to 10."""
    return mixture([[-4.0], [4.0]], [0.8, 0.2])


@pytest.fixture
def gaussian():
    """N(1, 0.7^2 I) in 5 dimensions."""
    return mixture([[1.0] * 5], [1.0], sd=0.7, least=0.05, most=5.0)
