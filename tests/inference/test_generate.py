"""Every method of `sd.generate` on fits that are exact, held against the law that they must draw from."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import symdsm as sd
from benchmarks.exact_fit import draw, exact_fit, modes, vp_fit
from benchmarks.two_sample import c2st
from symdsm.errors import ParameterError, SamplingError, ShapeError
from symdsm.inference.generate import methods_of
from symdsm.inference.generate_source import Source
from symdsm.inference.generate_steps import AnnealedLangevin, ReverseSDE, _diffuse, grid, langevin

CHAINS = ["reverse-sde", "probability-flow", "predictor-corrector", "ancestral", "annealed-langevin"]
N = 2000


@pytest.fixture(scope="module")
def fit():
    return exact_fit(*modes(2))


def assert_mixture(x, means, weights, spread):
    """Frequencies of the modes, their centres and their spread, in standard errors."""
    x, means = np.asarray(x), np.asarray(means)
    nearest = np.argmin(((x[:, None] - means) ** 2).sum(-1), axis=1)
    counts = np.bincount(nearest, minlength=len(means))
    assert stats.chisquare(counts, len(x) * np.asarray(weights)).pvalue > 1e-3, counts / len(x)
    for k, mean in enumerate(means):
        gap = x[nearest == k].mean(0) - mean
        assert (np.abs(gap) < 5 * spread / np.sqrt(counts[k])).all(), (k, gap)
    ratio = np.sqrt(np.mean((x - means[nearest]) ** 2)) / spread
    assert abs(ratio - 1) < 5 / np.sqrt(2 * x.size) + 0.02, ratio


@pytest.mark.parametrize("method", CHAINS)
def test_methods_draw_the_mixture(method, fit):
    means, weights, spread = modes(2)
    x = sd.generate(fit, jax.random.key(1), N, method)
    assert_mixture(x, means, weights, np.hypot(spread, 0.02))


@pytest.mark.parametrize("method", ["reverse-sde", "probability-flow", "ancestral"])
def test_methods_take_the_diffusion_of_a_declared_equation(method):
    means, weights, spread = modes(2)
    x = sd.generate(vp_fit(means, weights, spread), jax.random.key(2), N, method)
    assert_mixture(x, means, weights, spread)


def test_a_learned_prior_draws_along_the_diffusion_of_its_kernel():
    """Langevin dynamics alone, at as many gradients, leaves the modes 6% too wide in ten dimensions."""
    means, weights, spread = modes(10)
    x = sd.LearnedPrior(exact_fit(means, weights, spread)).sample(jax.random.key(0), (N,))
    assert_mixture(x, means, weights, np.hypot(spread, 0.02))


@pytest.mark.slow
@pytest.mark.parametrize("method", CHAINS)
def test_a_classifier_cannot_tell_draws_from_the_law(method):
    """C2ST at most 0.55 for 1000 + 1000 draws, one seed; `python -m benchmarks.generation` has ten dimensions, too."""
    means, weights, spread = modes(2)
    x = sd.generate(exact_fit(means, weights, spread), jax.random.key(3), 1000, method)
    true = draw(jax.random.key(4), means, weights, np.hypot(spread, 0.02), 1000)
    assert c2st(np.asarray(true), np.asarray(x), rounds=60) <= 0.55


@pytest.fixture
def normal():
    """N(0, 1) seen through Gaussian noise of 0.1 to 5."""
    return exact_fit(jnp.zeros((1, 1)), [1.0], 1.0, levels=sd.geometric(0.1, 5.0), n=2000)


def test_the_reverse_diffusion_converges_at_first_order_in_law(x64, normal):
    """On N(0, 1) each step is z <- A z + B n, so that the variance of the chain follows a recursion without noise."""
    source = Source.of(normal)

    def variance(u):
        return 1.0 + float(source.level(jnp.asarray(u))) ** 2

    @jax.jit
    def step(z, u, v):
        def move(z):
            return _diffuse(dfx.Euler(), source, jax.random.key(0), z, u, v)

        return jax.jvp(move, (z,), (jnp.ones_like(z),))

    def error(steps):
        u, zero = jnp.linspace(1.0, 0.0, steps + 1), jnp.zeros((1, 1))
        slopes = jax.vmap(lambda a, b: step(zero, a, b)[1][0, 0])(u[:-1], u[1:])
        noises = jax.vmap(lambda a, b: source.diffusion(zero, a)[0, 0] ** 2 * (a - b))(u[:-1], u[1:])
        now = variance(1.0)
        for slope, noise in zip(np.asarray(slopes), np.asarray(noises), strict=True):
            now = slope**2 * now + noise
        return abs(now - variance(0.0))

    errors = [error(steps) for steps in (1024, 2048, 4096)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (np.abs(orders - 1) < 0.15).all(), (errors, orders)
    noise = step(jnp.zeros((20_000, 1)), jnp.asarray(0.5), jnp.asarray(0.48))[0]
    expected = float(source.diffusion(jnp.zeros((1, 1)), jnp.asarray(0.5))[0, 0] ** 2 * 0.02)
    assert abs(float(noise.var()) / expected - 1) < 5 * np.sqrt(2 / 20_000)


def test_langevin_steps_have_the_variance_that_theory_gives(normal):
    """v / (1 - h/(2 v)) on N(0, v), h = eta / I: symdsm/inference/generate_steps.py."""
    source, u, eta = Source.of(normal), jnp.asarray(1.0), 0.4
    z = langevin(source, jax.random.key(0), jnp.zeros((40_000, 1)), u, eta, 60)
    v, h = 1.0 + 5.0**2, eta * 5.0**2
    assert float(z.var()) == pytest.approx(v / (1 - h / (2 * v)), rel=0.02 + 5 * np.sqrt(2 / 40_000))


def test_steps_follow_the_noise_and_not_the_symbol(x64):
    """Even in u for a geometric range of sigma; for VP, even in time, more of them where the noise is little."""
    u = grid(Source.of(exact_fit(*modes(2))), jax.random.key(0), 10)
    np.testing.assert_allclose(u, np.linspace(1, 0, 11), atol=0.03)
    u = grid(Source.of(vp_fit(*modes(2))), jax.random.key(0), 10)
    assert float(u[0]) == pytest.approx(1) and float(u[-1]) == pytest.approx(0, abs=1e-9)
    assert float(u[5]) < 0.3


def test_solvers_of_higher_order_may_be_asked_for(normal):
    x = sd.generate(normal, jax.random.key(0), N, ReverseSDE(steps=20, solver=dfx.ShARK()))
    assert abs(float(x.std()) / np.hypot(1, 0.1) - 1) < 5 / np.sqrt(2 * N) + 0.01


def test_draws_do_not_depend_on_what_is_drawn_beside_them(normal):
    """Batches have keys of their own; the last one is cut."""
    every = sd.generate(normal, jax.random.key(0), 250, "ancestral", steps=20, batch_size=100)
    first = sd.generate(normal, jax.random.key(0), 100, "ancestral", steps=20, batch_size=100)
    assert every.shape == (250, 1)
    np.testing.assert_array_equal(every[:100], first)
    assert len(np.unique(every)) == 250


def test_known_entries_are_kept_and_pull_the_others():
    """Two modes that differ in both entries: a known first entry decides the second."""
    fit = exact_fit([[-3.0, -3.0], [3.0, 3.0]], [0.5, 0.5], 0.3)
    known = (np.array([True, False]), np.array([3.0, 0.0]))
    for method in ("reverse-sde", "annealed-langevin"):
        x = sd.generate(fit, jax.random.key(0), 200, method, known=known)
        np.testing.assert_allclose(x[:, 0], 3.0, atol=0.15)
        assert np.mean(np.asarray(x[:, 1]) > 0) > 0.95


class Wild(eqx.Module):
    """A fit whose score is not finite below sigma = 1 where the first entry is positive."""

    inner: object
    kernel: object = eqx.field(static=True)

    levels = property(lambda self: self.inner.levels)
    params = property(lambda self: self.inner.params)
    examples = property(lambda self: self.inner.examples)
    event_shape = property(lambda self: self.inner.event_shape)

    def score(self, y, level):
        bad = (y[..., :1] > 0) & (level < 1.0)
        return jnp.where(bad, jnp.nan, self.inner.score(y, level))


def test_a_solver_that_diverges_says_where_and_keeps_the_rest(fit):
    wild = Wild(fit, fit.kernel)
    for method in ("reverse-sde", "probability-flow", "annealed-langevin"):
        with pytest.raises(SamplingError, match=r"lost \d+ of 50 rows, the first at sigma = (0\.|1)") as caught:
            sd.generate(wild, jax.random.key(0), 50, method, steps=40)
        kept = caught.value.draws
        assert 0 < len(kept) < 50 and bool(jnp.isfinite(kept).all())


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"method": "diffusion"}, ParameterError, "one of reverse-sde, probability-flow"),
        ({"steps": 0}, ParameterError, "steps=0"),
        ({"steps": -5}, ParameterError, "steps=-5"),
        ({"steps": 10**9}, ParameterError, "from 1 to 1000000"),
        ({"method": AnnealedLangevin(steps=0)}, ParameterError, "steps=0"),
        ({"method": AnnealedLangevin(), "steps": 5}, ParameterError, "steps beside a method object"),
        ({"n": 0}, ParameterError, "n=0"),
        ({"batch_size": 0}, ParameterError, "batch_size=0"),
        ({"context": 1.0}, ParameterError, "leave context out"),
        ({"known": (np.array([1, 0]), np.zeros(2))}, ShapeError, "boolean mask"),
        ({"known": (np.array([True]), np.zeros(1))}, ShapeError, r"shape \(2,\)"),
        ({"known": (np.array([True, False]), np.array([np.nan, 0]))}, ParameterError, "not finite"),
        ({"known": (np.array([True, False]), np.zeros(2)), "method": "probability-flow"}, SamplingError, "no step"),
        ({"method": "walk-back"}, SamplingError, r'no sampler of p\(x \| y\).*"reverse-sde", "probability-flow"'),
    ],
)
def test_bad_requests_are_refused_in_words(given, error, words, fit):
    with pytest.raises(error, match=f"(?s){words}"):
        sd.generate(fit, jax.random.key(0), **{"n": 10, **given})


def test_a_kernel_without_a_diffusion_keeps_the_methods_that_need_none(fit):
    """Laplace noise: only the score is at hand, so Langevin dynamics is what is left."""
    laplace = Wild(fit, sd.families.laplace())
    assert methods_of(laplace) == ["annealed-langevin"]
    with pytest.raises(SamplingError, match='(?s)not determined by the score.*"annealed-langevin"'):
        sd.generate(laplace, jax.random.key(0), 10)


def test_levels_that_run_against_the_noise_are_noticed():
    backwards = exact_fit(*modes(2), levels=sd.geometric(20.0, 0.02))
    with pytest.raises(SamplingError, match="does not grow from 20 to 0.02"):
        sd.generate(backwards, jax.random.key(0), 10)
