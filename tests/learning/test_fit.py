"""A small dual fit against the mixture that it learned: score, level score, density, denoiser, at every level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.errors import DerivationError, EnergyRequired, FitError, ParameterError, ShapeError
from symdsm.learning.checkpoint import load_fit
from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import Denoiser, Energy, Score
from tests.learning.doubles import GaussianKernel

SIGMAS = [0.1, 0.4, 1.5, 6.0]


def noised(mixture, sigma, n=2000):
    rng = np.random.default_rng(7)
    y = mixture.draw(rng, n)
    return jnp.asarray(y + sigma * rng.normal(size=y.shape), jnp.float32)


def relative(got, exact):
    got, exact = np.asarray(got), np.asarray(exact)
    return np.sqrt(np.mean((got - exact) ** 2) / np.mean(exact**2))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_score_and_denoiser(trained, mixture, sigma):
    y = noised(mixture, sigma)
    exact = jax.vmap(jax.grad(mixture.log_prob), (0, None))(y, sigma)
    assert relative(trained.score(y, sigma), exact) < 0.3
    error = trained.denoise(y, sigma) - jax.vmap(mixture.denoise, (0, None))(y, sigma)
    assert np.sqrt(np.mean(error**2)) < 0.2 * 1.5


@pytest.mark.parametrize("sigma", SIGMAS)
def test_log_prob_is_normalised_and_right(trained, mixture, sigma):
    y = noised(mixture, sigma)
    exact = jax.vmap(mixture.log_prob, (0, None))(y, sigma)
    assert np.mean(exact - trained.log_prob(y, sigma)) == pytest.approx(0.0, abs=0.1)
    reach = 5 + 5 * sigma
    axis = np.linspace(-reach, reach, 401, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), -1)
    whole = np.exp(np.asarray(trained.log_prob(grid, sigma))).sum() * (axis[1] - axis[0]) ** 2
    assert np.log(whole) == pytest.approx(0.0, abs=0.15)


def test_level_score(trained, mixture):
    y, sigma = noised(mixture, 0.4), jnp.asarray(0.4)
    exact = jax.vmap(jax.grad(mixture.log_prob, argnums=1), (0, None))(y, sigma)
    got = jax.vmap(jax.grad(lambda s, y: trained.log_prob(y, s)), (None, 0))(sigma, y)
    assert np.sqrt(np.mean((got - exact) ** 2)) < 0.45 * np.std(exact)


def test_the_weights_of_the_modes_are_right(trained, mixture):
    left, right = (np.asarray(m, np.float32) for m in mixture.means)
    ratio = float(trained.log_prob(left, 0.1) - trained.log_prob(right, 0.1))
    assert ratio == pytest.approx(np.log(0.7 / 0.3), abs=0.25)


def test_far_out_the_kernel_s_own_tail_is_left(trained):
    for sigma in SIGMAS:
        far = trained.energy(jnp.asarray([[100.0, 0.0], [1000.0, 0.0]]), sigma)
        centre, scaling = trained.potential.scaling.centre, trained.potential.scaling
        weight = np.exp(scaling.log_weight(trained.levels.coordinate(sigma)))[0]
        place = np.array([100.0, 1000.0])
        tails = weight * (place - centre[0]) ** 2 + (1 - weight) * (place - scaling.high[0]) ** 2
        quadratic = tails / (2 * sigma**2)
        np.testing.assert_allclose(np.diff(far), np.diff(quadratic), rtol=0.02)


def test_batches_levels_and_transformations(trained):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 2)), jnp.float32)
    levels = jnp.linspace(0.2, 2.0, 4)
    energies = trained.energy(x, levels)
    assert energies.shape == (3, 4)
    assert float(energies[1, 2]) == pytest.approx(float(trained.energy(x[1, 2], levels[2])), abs=1e-4)
    assert trained.energy(x[0, 0], levels).shape == (4,)
    np.testing.assert_allclose(
        trained.score(x, levels), -jax.grad(lambda x: trained.energy(x, levels).sum())(x), atol=1e-4
    )
    through = jax.jit(lambda fit, x: fit.log_prob(x, 0.5))(trained, x)
    np.testing.assert_allclose(through, trained.log_prob(x, 0.5), atol=1e-4)


def test_what_a_fit_tells(trained):
    assert trained.is_energy and trained.normalised and not trained.interrupted
    assert trained.event_shape == (2,) and trained.examples.shape == (1000, 2)
    assert trained.levels == geometric(0.1, 6.0) and trained.params == {}
    assert trained.history["validation"][-1] < trained.history["validation"][0]


def test_save_and_load_give_the_same_numbers(trained, tmp_path):
    trained.save(tmp_path)
    again = load_fit(tmp_path, lambda text: GaussianKernel())
    x = jnp.asarray([[0.3, -0.2]])
    np.testing.assert_array_equal(again.log_prob(x, 0.5), trained.log_prob(x, 0.5))
    np.testing.assert_array_equal(again.examples, trained.examples)
    np.testing.assert_array_equal(again.history["loss"], trained.history["loss"])
    assert again.levels == trained.levels and again.normalised
    with pytest.raises(FitError, match="arrays"):
        load_fit(tmp_path, lambda text: GaussianKernel(), net=Energy((2,), key=jax.random.key(0), depth=3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda fit: fit.energy(jnp.zeros(3), 0.5), ShapeError, r"shape \(3,\)"),
        (lambda fit: fit.score(jnp.zeros((4, 1)), 0.5), ShapeError, r"\*batch, 2"),
        (lambda fit: fit.score(jnp.zeros(2)), ParameterError, "no level"),
    ],
)
def test_bad_calls(trained, call, error, words):
    with pytest.raises(error, match=words):
        call(trained)


def short(net, **options):
    data = np.random.default_rng(0).normal(size=(500, 1)).astype(np.float32)
    options = (
        dict(levels=geometric(0.3, 3.0), objective="dsm", steps=400, batch_size=64, validation=0.0, progress=False)
        | options
    )
    return fit(net, data, GaussianKernel(), key=jax.random.key(1), **options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Score, Denoiser])
def test_scores_and_denoisers_learn_too(kind):
    found = short(kind((1,), key=jax.random.key(0), width=16, depth=1))
    y = jnp.linspace(-2, 2, 9)[:, None]
    np.testing.assert_allclose(found.score(y, 1.0), -y / 2, atol=0.12)
    np.testing.assert_allclose(found.denoise(y, 1.0), y / 2, atol=0.12)
    with pytest.raises(EnergyRequired, match=kind.__name__):
        found.energy(y, 1.0)


@pytest.mark.slow
def test_an_energy_without_the_level_objective_has_no_log_prob():
    found = short(Energy((1,), key=jax.random.key(0), width=8, depth=1), steps=50)
    assert not found.normalised
    with pytest.raises(FitError, match="dual"):
        found.log_prob(jnp.zeros(1), 1.0)
    stub = found.__class__(**{**vars(found), "affine": False})
    with pytest.raises(DerivationError, match="affine"):
        stub.denoise(jnp.zeros(1), 1.0)
