"""Markov chains for coupled kernels: right moments, diagnostics that see bad chains, clear words."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from numpyro.distributions import constraints
from scipy import stats

import symdsm as sd
from symdsm.errors import DerivationError, ParameterError, SamplingError
from symdsm.inference.coupled_draws import Chains, Trace
from symdsm.symbolic.manifolds import Simplex, Sphere

Y, X = sp.IndexedBase("y"), sp.IndexedBase("x")
i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
x, s = sp.Symbol("x", real=True), sp.Symbol("s", positive=True)
CHAINS = Chains(constraints.independent(constraints.real, 1))
HERE = np.array([1.0, -2.0, 500.0])


def coupled(f, clean=X, level=None, constant=0):
    return sd.Kernel.from_density(sp.Sum(f, (i, 0, n - 1)) + constant, noisy=Y, clean=clean, level=level, log=True)


def logistic():
    """Independent logistic entries written as a coupled kernel: variance pi^2 s^2 / 3."""
    z = (Y[i] - X[i]) / s
    return coupled(-z - 2 * sp.log(1 + sp.exp(-z)), level=s, constant=-n * sp.log(s))


def trace(z, diverging=0.0, started=True):
    """Chains of z (chain, iteration, d) with a share of divergent iterations."""
    bad = np.arange(z.shape[0] * z.shape[1]).reshape(z.shape[:2]) < diverging * z.shape[0] * z.shape[1]
    return Trace(z, bad, np.zeros(z.shape[0]) if started else np.full(z.shape[0], np.inf))


def white(*shape):
    return np.random.default_rng(0).normal(size=shape)


def walk(*shape):
    return np.cumsum(white(*shape), axis=1)


def test_independent_chains_are_not_in_trouble():
    report = CHAINS.report(trace(white(4, 150, 3)), None)
    assert report.trouble is None
    assert abs(report.r_hat - 1) < 0.02 and 300 < report.ess < 1000 and report.divergent == 0
    assert str(report).startswith("R-hat 1.0")


TROUBLE = {
    "two modes": (trace(white(4, 150, 3) + np.array([0, 0, 9, 9.0])[:, None, None]), None, "fail", "one piece"),
    "random walks": (trace(walk(4, 150, 1)), None, "fail", "R-hat"),
    "divergent": (trace(white(4, 150, 3), diverging=0.4), None, "fail", "divergent"),
    "no start": (trace(white(4, 150, 3), started=False), None, "fail", "not finite at any point"),
    "a few divergent": (trace(white(4, 150, 3), diverging=0.03), None, "look", "3.0%"),
    "more draws than they are worth": (trace(white(4, 150, 3)), 5000, "look", "5000 draws"),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_bad_chains_are_seen(name):
    found, count, trouble, words = TROUBLE[name]
    assert CHAINS.report(found, count).trouble == trouble
    if trouble == "fail":
        with pytest.raises(SamplingError, match=words):
            CHAINS.judge(found, count)
    else:
        with pytest.warns(UserWarning, match=words):
            CHAINS.judge(found, count)


def test_one_bad_event_in_a_batch_is_seen():
    z = white(2, 4, 150, 3)
    z[1, 0] += 9
    assert CHAINS.report(Trace(z, np.zeros((2, 4, 150), bool), np.zeros((2, 4))), None).trouble == "fail"


def test_the_event_shape_needs_no_draw():
    distribution = logistic().distribution(np.zeros((7, 3)), s=0.5)
    assert distribution.batch_shape == (7,) and distribution.event_shape == (3,)


def test_the_written_module_says_that_it_has_no_sampler(tmp_path):
    text = logistic().write(tmp_path / "walk.py").read_text()
    assert "\ndef sample(" not in text and "numpyro" not in text
    words = " ".join(text.split())
    assert "There is no `sample` here: the kernel is neither Gaussian nor elliptical" in words
    assert "def sample_by( chain, key: jax.Array, x: jax.Array, /" in words


def test_a_program_of_exact_draws_has_nothing_to_report():
    with pytest.raises(DerivationError, match="exact and independent"):
        sd.families.gaussian().compile().sample_report(jax.random.key(0), 0.0, sigma=1.0)


@pytest.mark.parametrize("power", [2, 4], ids=["Gaussian", "by chains"])
def test_a_size_that_only_y_tells_is_given_as_a_number(power):
    kernel = coupled(-((Y[i] - x) ** power), clean=x)
    program = kernel.compile()
    y, key = jnp.arange(3.0), jax.random.key(0)
    np.testing.assert_allclose(program.log_prob(y, 0.3), -jnp.sum((y - 0.3) ** power), rtol=1e-5)
    with pytest.raises(DerivationError, match=r"no other array tells[\s\S]*kernel.subs\(\{n: 8\}\)"):
        program.sample(key, 0.3)
    of_three = kernel.subs({n: 3}).compile()
    assert of_three.event_shape(jnp.zeros(2)) == (2, 3)
    np.testing.assert_allclose(of_three.log_prob(y, 0.3), program.log_prob(y, 0.3), rtol=1e-6)
    if power == 2:
        draws = of_three.sample(key, jnp.full(4000, 0.3))
        assert stats.kstest(np.ravel(draws), stats.norm(0.3, 0.5**0.5).cdf).pvalue > 1e-4


@pytest.mark.parametrize("value", [0, 2.5, -1, True, "3", n + 1])
def test_a_size_is_a_whole_number(value):
    with pytest.raises(ParameterError, match="a whole number from 1 on"):
        coupled(-((Y[i] - x) ** 4), clean=x).subs({n: value})


@pytest.mark.slow
def test_draws_have_the_moments_of_the_kernel(x64):
    """Mean and variance in standard errors of as many independent draws, at entries 500 apart, s = 0.01."""
    distribution, count = logistic().distribution(HERE, s=0.01), 2000
    u = (np.asarray(distribution.sample(jax.random.key(1), (count,))) - HERE) / 0.01
    variance, kurtosis = np.pi**2 / 3, 4.2
    assert np.all(np.abs(u.mean(0)) < 5 * np.sqrt(variance / count))
    assert np.all(np.abs(u.var(0) / variance - 1) < 5 * np.sqrt((kurtosis - 1) / count))


@pytest.mark.slow
def test_draws_are_batched_jitted_and_mapped():
    """One key gives the same draw in each way, and the score comes with it."""
    program, key = logistic().compile(), jax.random.key(2)
    batch = jnp.asarray(np.stack([HERE, HERE + 1]), jnp.float32)
    y = program.sample(key, batch, s=0.5)
    assert y.shape == (2, 3) and y.dtype == jnp.float32
    mapped = jax.jit(jax.vmap(lambda k, x: program.target(k, x, s=0.5)))
    drawn, score = mapped(jax.random.split(key, 2), batch)
    np.testing.assert_allclose(drawn, y, rtol=1e-5)
    np.testing.assert_allclose(score, -np.tanh((y - batch) / 0.5 / 2) / 0.5, rtol=1e-4, atol=1e-5)
    assert program.sample_report(key, batch, s=0.5).trouble is None
    _, _, by_level = program.dual_target(key, batch, s=0.5)
    z = (y - batch) / 0.5
    np.testing.assert_allclose(by_level, jnp.sum(z * jnp.tanh(z / 2) - 1, -1) / 0.5, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_chains_that_stay_in_their_modes_raise():
    program = coupled(-((Y[i] ** 2 - 25) ** 2) / 4 - (Y[i] - X[i]) ** 2 / 1000).compile()
    with pytest.raises(SamplingError, match="did not reach it"):
        program.sample(jax.random.key(0), np.zeros(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert program.sample_report(jax.random.key(0), np.zeros(3)).trouble == "fail"


def on(support, f):
    """A density on a manifold with a term of size 1e-12 that hides which known law it is."""
    hidden = sp.Sum(f - Y[i] ** 4 / 10**12, (i, 0, n - 1))
    return sd.Kernel.from_density(hidden, noisy=Y, clean=X, support=support, log=True).compile()


@pytest.mark.slow
def test_draws_on_the_simplex(x64):
    place, count = np.array([0.5, 0.2, 0.3]), 2000
    y = np.asarray(on(Simplex(), 3 * X[i] * sp.log(Y[i])).draws(jax.random.key(0), place, count))
    law = stats.dirichlet(3 * place + 1)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-12)
    assert np.all(np.abs(y.mean(0) - law.mean()) < 5 * np.sqrt(law.var() / count))


@pytest.mark.slow
def test_draws_on_the_sphere(x64):
    """Von Mises-Fisher: the mean cosine is coth k - 1/k in three dimensions."""
    place, count = np.array([0.6, 0.0, 0.8]), 2000
    y = np.asarray(on(Sphere(), 4 * X[i] * Y[i]).draws(jax.random.key(0), place, count))
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1, rtol=1e-12)
    cosines = y @ place
    assert abs(cosines.mean() - (1 / np.tanh(4) - 1 / 4)) < 5 * cosines.std() / np.sqrt(count)
