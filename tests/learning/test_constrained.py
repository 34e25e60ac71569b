"""Fits on constrained data and fits given a context, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from symdsm.errors import DataError, ParameterError, ShapeError
from symdsm.inference.priors import noised
from symdsm.learning.checkpoint import load_fit
from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import Energy, Score
from tests.learning.doubles import GaussianKernel

OPTIONS = dict(steps=1200, batch_size=128, learning_rate=5e-3, weight_decay=0.0, progress=False)
LOCATION, SPREAD = np.array([0.0, 1.0], np.float32), np.array([0.5, 0.8], np.float32)


@pytest.fixture(scope="module")
def positive():
    """A log-normal law learned in standardised logarithms; at level s it is log-normal of variance d^2 (1 + s^2)."""
    z = np.random.default_rng(0).normal(size=(4000, 2))
    data = np.exp(LOCATION + SPREAD * (z - z.mean(0)) / z.std(0)).astype(np.float32)
    net = Energy((2,), key=jax.random.key(0), width=32, depth=1)
    options = OPTIONS | dict(levels=geometric(0.2, 8.0), support="positive", standardise=True)
    return fit(net, data, GaussianKernel(), key=jax.random.key(1), **options)


def log_normal(x, sigma):
    sd = SPREAD * np.sqrt(1 + sigma**2)
    return jnp.sum(-0.5 * ((jnp.log(x) - LOCATION) / sd) ** 2 - jnp.log(x * sd) - 0.5 * np.log(2 * np.pi), -1)


KEY = jax.random.key(0)
POINTS = np.exp(LOCATION + SPREAD * np.random.default_rng(3).normal(size=(400, 2))).astype(np.float32)


@pytest.mark.slow
def test_density_score_and_denoiser_are_those_of_the_data(positive):
    x, sigma = jnp.asarray(POINTS), 0.5
    assert np.std(positive.log_prob(x, sigma) - log_normal(x, sigma)) < 0.08
    assert np.mean(positive.log_prob(x, sigma) - log_normal(x, sigma)) == pytest.approx(0.0, abs=0.08)
    exact = jax.vmap(jax.grad(log_normal), (0, None))(x, sigma)
    score = positive.score(x, sigma)
    assert np.sqrt(np.mean((score - exact) ** 2) / np.mean(exact**2)) < 0.1
    np.testing.assert_allclose(score, jax.grad(lambda x: positive.log_prob(x, sigma).sum())(x), rtol=2e-3, atol=2e-3)
    shrunk = np.exp(LOCATION + (np.log(POINTS) - LOCATION) / (1 + sigma**2))
    np.testing.assert_allclose(np.log(positive.denoise(x, sigma)), np.log(shrunk), atol=0.1)


@pytest.mark.slow
def test_what_it_tells_and_how_it_is_read_back(positive, tmp_path):
    assert positive.support == (0.0, np.inf) and positive.event_shape == (2,)
    assert (positive.examples > 0).all()
    np.testing.assert_allclose(positive.latent.examples.std(0), 1.0, rtol=0.1)
    positive.save(tmp_path)
    again = load_fit(tmp_path, lambda text: GaussianKernel())
    np.testing.assert_array_equal(again.log_prob(POINTS, 0.5), positive.log_prob(POINTS, 0.5))
    np.testing.assert_array_equal(again.examples, positive.examples)
    assert again.support == positive.support


@pytest.mark.slow
def test_noised_data_live_where_the_data_do(positive):
    y = np.log(noised(positive, jax.random.key(0), (20_000,), 0.5))
    clean = np.log(positive.examples)
    spread = np.sqrt(clean.var(0) + 0.25 * SPREAD**2)
    np.testing.assert_allclose(y.mean(0), clean.mean(0), atol=4 * spread.max() / 140)
    np.testing.assert_allclose(y.std(0), spread, rtol=0.05)


def pairs(n, seed):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(n, 1))
    return theta.astype(np.float32), (theta + 0.5 * rng.normal(size=(n, 1)) + 3).astype(np.float32)


@pytest.fixture(scope="module")
def posterior():
    """theta ~ N(0, 1), c ~ N(theta + 3, 1/4): theta | c ~ N(0.8 (c - 3), 0.2), at level s of variance 0.2 + s^2."""
    theta, c = pairs(6000, 0)
    net = Energy((1,), key=jax.random.key(0), width=32, depth=2, context_shape=(1,))
    options = OPTIONS | dict(levels=geometric(0.2, 6.0), context=c, steps=2000)
    return fit(net, theta, GaussianKernel(), key=jax.random.key(1), **options)


@pytest.mark.slow
def test_given_a_context_it_is_the_posterior(posterior):
    theta, c = (jnp.asarray(a) for a in pairs(300, 5))
    for sigma in (0.3, 1.0):
        variance = 0.2 + sigma**2
        y = theta + sigma * np.random.default_rng(1).normal(size=theta.shape).astype(np.float32)
        exact = -(y - 0.8 * (c - 3)) / variance
        score = posterior.score(y, sigma, c)
        assert np.sqrt(np.mean((score - exact) ** 2) / np.mean(exact**2)) < 0.15
        log_q = -0.5 * exact[:, 0] ** 2 * variance - 0.5 * np.log(2 * np.pi * variance)
        gap = posterior.log_prob(y, sigma, c) - log_q
        assert abs(np.mean(gap)) < 0.08 and np.std(gap) < 0.15
    error = posterior.denoise(y, 1.0, c) - (y * 0.2 + 0.8 * (c - 3)) / 1.2
    assert np.sqrt(np.mean(error**2)) < 0.08


@pytest.mark.slow
def test_contexts_broadcast_and_are_saved(posterior, tmp_path):
    y, c = jnp.linspace(-1, 1, 6).reshape(3, 2, 1), jnp.asarray([[2.0], [4.0]])
    many = posterior.log_prob(y, 0.5, c)
    assert many.shape == (3, 2)
    np.testing.assert_allclose(many[1, 1], posterior.log_prob(y[1, 1], 0.5, c[1]), rtol=1e-4)
    np.testing.assert_allclose(posterior.score(y[0, 0], 0.5, c)[1], posterior.score(y[0, 0], 0.5, c[1]), rtol=1e-4)
    posterior.save(tmp_path)
    again = load_fit(tmp_path, lambda text: GaussianKernel())
    np.testing.assert_array_equal(again.log_prob(y, 0.5, c), many)
    assert again.context_shape == (1,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda fit: fit.score(jnp.zeros(1), 0.5), ParameterError, "no context"),
        (lambda fit: fit.score(jnp.zeros(1), 0.5, jnp.zeros(2)), ShapeError, r"\*batch, 1"),
    ],
)
def test_bad_calls(posterior, call, error, words):
    with pytest.raises(error, match=words):
        call(posterior)


THETA, C = pairs(40, 0)
GIVEN = Score((1,), key=jax.random.key(0), width=4, depth=0, context_shape=(1,))
PLAIN = Score((1,), key=jax.random.key(0), width=4, depth=0)


@pytest.mark.parametrize(
    ("net", "change", "error", "words"),
    [
        (GIVEN, dict(), ShapeError, "no context"),
        (PLAIN, dict(context=C), ShapeError, "build the network with context_shape"),
        (GIVEN, dict(context=C[:30]), ShapeError, r"\(40, 1\)"),
        (
            GIVEN,
            dict(context=np.where(np.arange(40)[:, None] == 3, np.nan, C)),
            DataError,
            r"1 of 40 contexts .*rows 3\)",
        ),
        (PLAIN, dict(support="positive"), DataError, "of 40 rows on the edge of the support or outside"),
    ],
)
def test_bad_input(net, change, error, words):
    options = dict(levels=geometric(0.1, 5.0), objective="dsm", steps=2, progress=False) | change
    with pytest.raises(error, match=words):
        fit(net, THETA, GaussianKernel(), key=jax.random.key(0), **options)


def test_the_network_has_one_entry_less_on_the_simplex():
    data = np.random.default_rng(0).dirichlet([2.0, 3.0, 4.0], 50)
    options = dict(levels=geometric(0.1, 5.0), objective="dsm", steps=2, batch_size=8, progress=False)
    with pytest.raises(ShapeError, match=r"\(2,\), the shape of one noisy event"):
        fit(
            Score((3,), key=jax.random.key(0)),
            data,
            GaussianKernel(),
            key=jax.random.key(0),
            **options,
            support="simplex",
        )
    net = Score((2,), key=jax.random.key(0), width=4, depth=0)
    found = fit(net, data, GaussianKernel(), key=jax.random.key(0), **options, support=sd.Simplex())
    assert found.support == "simplex" and found.event_shape == (3,)
    np.testing.assert_allclose(found.score(data[:5], 0.5).sum(-1), 0.0, atol=1e-3)
