"""Chains of conditionals whose stationary laws are known: a discrete toy, and speckle, where nothing is normal."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st
from scipy import stats

import symdsm as sd
from benchmarks.exact_fit import draw, exact_fit, modes
from symdsm.errors import SamplingError
from symdsm.inference.generate import METHODS, methods_of
from symdsm.inference.generate_walk import DaeChain, WalkBack, reconstruction
from symdsm.learning.protocols import PosteriorSampler


class Conditional(eqx.Module):
    """A kernel with an exact sampler of p(x | y; level), where a trained autoencoder would stand."""

    examples: jax.Array
    params: dict
    posterior: Any
    levels: Any = eqx.field(static=True)
    kernel: Any = eqx.field(static=True)
    event_shape: tuple = eqx.field(static=True, default=(1,))

    def sample(self, key, y, level=None):
        return self.posterior(key, y, level)


POINTS, WEIGHTS = np.array([-2.0, 0.0, 1.0, 4.0]), np.array([0.1, 0.4, 0.3, 0.2])


def discrete():
    """x in four points under Laplace noise; the examples, where chains begin, have the wrong weights."""
    program = sd.families.laplace().compile()

    def posterior(key, y, level):
        logs = program.log_prob(y[..., None], jnp.asarray(POINTS), sigma=level) + jnp.log(jnp.asarray(WEIGHTS))
        return jnp.asarray(POINTS)[jax.random.categorical(key, jnp.sum(logs, axis=-2))][..., None]

    return Conditional(jnp.full((10, 1), 4.0), {}, posterior, sd.geometric(0.3, 30.0), sd.families.laplace())


SHAPE, RATE, LOOKS = 5.0, 4.0, 3.0


def conjugate():
    """x ~ InvGamma(5, 4), y = x e with e ~ Gamma(L, 1/L): p(x | y) = InvGamma(5 + L, 4 + L y). No level."""
    i, L = sp.symbols("i L", positive=True)
    kernel = sd.Kernel.from_random(i * st.Gamma("e", L, 1 / L), clean=i)

    def posterior(key, y, level):
        return (RATE + LOOKS * y) / jax.random.gamma(key, SHAPE + LOOKS, y.shape)

    return Conditional(jnp.full((10, 1), 0.05), {"L": jnp.asarray(LOOKS)}, posterior, None, kernel)


N = 4000


def counts(x):
    return np.array([(np.abs(np.asarray(x) - p) < 1e-6).sum() for p in POINTS])


def test_walk_back_keeps_the_weights_of_a_discrete_law():
    x = sd.generate(discrete(), jax.random.key(0), N, WalkBack(steps=60, at=0.6))
    assert counts(x).sum() == N
    assert stats.chisquare(counts(x), N * WEIGHTS).pvalue > 1e-3, counts(x) / N


def test_a_chain_too_short_still_remembers_its_start():
    """At little noise the chain moves slowly: after one round nearly all are where they began, as they must be."""
    x = sd.generate(discrete(), jax.random.key(0), N, WalkBack(steps=1, at=0.0))
    assert counts(x)[3] > 0.8 * N


def test_the_chain_of_autoencoders_goes_from_noise_to_the_law():
    x = sd.generate(discrete(), jax.random.key(1), N, "dae-chain", steps=20)
    assert stats.chisquare(counts(x), N * WEIGHTS).pvalue > 1e-3, counts(x) / N


def test_walk_back_under_speckle_has_the_inverse_gamma_law():
    """Started at 0.05, far below the law; Kolmogorov and Smirnov's test on independent chains."""
    x = np.asarray(sd.generate(conjugate(), jax.random.key(2), N, "walk-back", steps=60)).ravel()
    assert stats.kstest(x, stats.invgamma(SHAPE, scale=RATE).cdf).pvalue > 1e-3
    assert x.mean() == pytest.approx(RATE / (SHAPE - 1), abs=5 * x.std() / np.sqrt(N))


def test_the_mean_in_place_of_a_draw_collapses():
    """What goes wrong without the likelihood: the chain of posterior means loses the spread of the law."""
    fit = conjugate()
    mean = eqx.tree_at(
        lambda f: f.posterior, fit, lambda key, y, level: (RATE + LOOKS * y) / (SHAPE + LOOKS - 1), is_leaf=callable
    )
    x = np.asarray(sd.generate(mean, jax.random.key(2), N, "walk-back", steps=60)).ravel()
    assert x.std() < 0.8 * stats.invgamma(SHAPE, scale=RATE).std()


def test_known_entries_stay():
    one = discrete()

    def twice(key, y, level):
        return jnp.concatenate([one.posterior(key, y[..., :1], level)] * 2, axis=-1)

    fit = Conditional(jnp.full((10, 2), 4.0), {}, twice, one.levels, one.kernel, (2,))
    known = (np.array([True, False]), np.array([1.0, 0.0]))
    x = sd.generate(fit, jax.random.key(0), 20, "walk-back", steps=3, known=known)
    np.testing.assert_array_equal(x[:, 0], 1.0)


def test_a_sampler_of_its_own_may_stand_beside_a_fit():
    """WalkBack(posterior=...) takes any object with sample(key, y, level)."""
    fit = discrete()
    assert isinstance(fit, PosteriorSampler)
    x = sd.generate(fit, jax.random.key(0), N, DaeChain(steps=20, posterior=fit))
    np.testing.assert_array_equal(x, sd.generate(fit, jax.random.key(0), N, "dae-chain", steps=20))


def test_a_reconstruction_with_its_variance_is_the_posterior_of_a_normal():
    """N(1, 0.5^2) under noise s: p(x | y) = N(1 + (y - 1)/(1 + 4 s^2), 1/(4 + 1/s^2)); the walk keeps N(1, 0.5^2)."""
    fit = exact_fit([[1.0]], [1.0], 0.5, levels=sd.geometric(0.1, 5.0))
    sampler = reconstruction(fit, jax.random.key(0), draws=4000)
    y = jnp.full((N, 1), 2.0)
    x = sampler.sample(jax.random.key(1), y, jnp.asarray(0.7))
    mean, variance = 1 + 1 / (1 + 4 * 0.49), 1 / (4 + 1 / 0.49)
    assert float(x.mean()) == pytest.approx(mean, abs=5 * np.sqrt(variance / N))
    assert float(x.var()) == pytest.approx(variance, rel=5 * np.sqrt(2 / N) + 0.1)
    for method in (WalkBack(steps=50, posterior=sampler), DaeChain(steps=30, posterior=sampler)):
        x = np.asarray(sd.generate(fit, jax.random.key(2), N, method)).ravel()
        assert x.mean() == pytest.approx(1.0, abs=5 * 0.5 / np.sqrt(N) + 0.01)
        assert x.std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * N) + 0.03)


def test_what_the_sampler_alone_supports():
    assert methods_of(discrete()) == ["walk-back", "dae-chain"]
    assert methods_of(conjugate()) == ["walk-back"]
    with pytest.raises(SamplingError, match='(?s)no noise levels.*"walk-back"'):
        sd.generate(conjugate(), jax.random.key(0), 10, "dae-chain")
    with pytest.raises(SamplingError, match="no noise levels"):
        sd.generate(conjugate(), jax.random.key(0), 10, "reverse-sde")
    assert set(METHODS) >= {"walk-back", "dae-chain"}


@pytest.mark.slow
def test_a_learned_denoiser_walks_and_chains():
    """A small network on four modes; its reconstruction law is normal, so the walk stays at little noise."""
    means, weights, spread = modes(2)
    net, data = (
        sd.Denoiser((2,), key=jax.random.key(0), width=64),
        draw(jax.random.key(1), means, weights, spread, 3000),
    )
    how = {"levels": sd.geometric(0.1, 10.0), "objective": "dsm", "steps": 800, "progress": False}
    fit = sd.fit(net, data, sd.families.gaussian(), key=jax.random.key(2), **how)
    for method in ("dae-chain", WalkBack(steps=100, at=0.3)):
        x = np.asarray(sd.generate(fit, jax.random.key(3), 2000, method))
        nearest = np.argmin(((x[:, None] - np.asarray(means)) ** 2).sum(-1), axis=1)
        shares = np.bincount(nearest, minlength=4) / len(x)
        assert np.abs(shares - weights).sum() / 2 < 0.1, shares
        assert 0.9 < np.sqrt(np.mean((x - np.asarray(means)[nearest]) ** 2)) / spread < 1.15
