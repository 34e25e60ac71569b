"""Angles: energies and scores with the kernel's period, and the density of a mixture on the circle by quadrature."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from scipy import stats

import symdsm as sd
from symdsm.errors import ParameterError
from symdsm.learning.circle import half_angle_scale, mean_direction, stretched, within_one_turn
from symdsm.learning.fit import prepared
from symdsm.learning.networks import AbstractEnergy, on_circle
from symdsm.learning.objectives import objective_named
from symdsm.learning.potentials import EnergyPotential

KEY = jax.random.key(0)
TURN, GRID = 2 * np.pi, np.linspace(-np.pi, np.pi, 361)[:-1]
hour, noted, spread = sp.symbols("hour noted", real=True) + (sp.Symbol("spread", positive=True),)


def clock():
    """Hours of the day."""
    bell = sp.exp((sp.cos(sp.pi * (noted - hour) / 12) - 1) / spread**2)
    return sd.Kernel.from_density(bell, noisy=noted, clean=hour, level=spread, period=24)


def straddling(rows, width=1, scale=1.0):
    """Angles about the seam."""
    return scale * (np.random.default_rng(0).normal(size=(rows, width)) * 0.5 + np.pi)


def start(net, kernel, data, levels, objective="dsm"):
    objective, keys = objective_named(objective), jax.random.split(KEY)
    return prepared(
        net, jnp.asarray(data), kernel, keys, levels=levels, objective=objective, params={}, unchecked=False
    )[0]


def test_mean_and_scale_are_those_of_the_circle(x64):
    y = straddling(400) * np.array([1.0])
    m = mean_direction(jnp.asarray(y), TURN)
    np.testing.assert_allclose(np.exp(1j * m), np.exp(1j * stats.circmean(y, axis=0)), rtol=1e-12)
    np.testing.assert_allclose(mean_direction(jnp.asarray(y * 12 / np.pi), 24.0), m * 12 / np.pi, rtol=1e-12)
    narrow = 1e-4 * np.random.default_rng(1).normal(size=(20_000, 1)) + 3.0
    found = half_angle_scale(jnp.asarray(narrow), mean_direction(jnp.asarray(narrow), TURN), TURN)
    np.testing.assert_allclose(2 * found, narrow.std(0), rtol=1e-6)
    np.testing.assert_allclose(half_angle_scale(jnp.asarray(GRID[:, None]), jnp.zeros(1), TURN), 1.0, rtol=1e-12)


def test_a_wrapped_cauchy_law_is_stretched_to_the_uniform_one(x64):
    r, m = 0.9, 3.0
    uniform = (np.arange(400) + 0.5) / 400 * TURN - np.pi
    y = m + 2 * np.arctan((1 - r) / (1 + r) * np.tan(uniform / 2))
    s = half_angle_scale(jnp.asarray(y), jnp.asarray(m), TURN)
    np.testing.assert_allclose(s**2, (1 - r) / (1 + r), rtol=1e-10)
    turns = TURN * np.random.default_rng(0).integers(-3, 4, 400)
    np.testing.assert_allclose(stretched(jnp.asarray(y + turns), jnp.asarray(m), s**2, TURN), uniform, atol=1e-10)
    np.testing.assert_allclose(within_one_turn(jnp.asarray(m + turns), TURN), m, rtol=1e-12)


CASES = {
    "von mises": (sd.families.von_mises, sd.geometric(20.0, 0.5), 1.0, sd.Energy),
    "wrapped normal": (sd.families.wrapped_normal, sd.geometric(0.2, 3.0), 1.0, sd.Score),
    "wrapped cauchy": (sd.families.wrapped_cauchy, sd.geometric(0.2, 2.0), 1.0, sd.Energy),
    "hours": (clock, sd.geometric(0.2, 2.0), 12 / np.pi, sd.Energy),
}


@pytest.mark.parametrize("name", [n if n == "hours" else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_an_untrained_network_has_the_kernels_period(name, x64):
    declare, levels, scale, kind = CASES[name]
    potential = start(kind((2,), key=KEY, width=8, depth=1), declare(), straddling(200, 2, scale), levels)
    assert potential.net.angles and potential.scaling.period == pytest.approx(TURN * scale)
    y = jnp.asarray(straddling(20, 2, scale))
    moved = y + TURN * scale * jnp.asarray(np.random.default_rng(1).integers(-2, 3, (20, 2)))
    for u in (0.0, 0.7):
        at = jax.jit(jax.vmap(lambda y, u=u: potential.score(y, jnp.asarray(u))))
        here = at(y)
        assert jnp.std(here) > 0.1 / scale
        np.testing.assert_allclose(at(moved), here, rtol=1e-9, atol=1e-9)
        if isinstance(potential, EnergyPotential):
            energy = jax.vmap(lambda y, u=u: potential.energy(y, jnp.asarray(u)))
            np.testing.assert_allclose(energy(moved), energy(y), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("backbone", "shape"), [("unet", (2, 2)), ("unet", (2, 2, 2)), ("set", (3,)), ("set", (3, 2)), ("mlp", ())]
)
def test_every_backbone_takes_angles(backbone, shape, x64, unoptimised):
    energy, score = (
        eqx.filter_jit(kind(shape, key=KEY, width=8, depth=1, backbone=backbone, angles=True))
        for kind in (sd.Energy, sd.Score)
    )
    v, u = jax.random.normal(KEY, shape), jnp.asarray(0.3)
    turns = TURN * jax.random.randint(jax.random.key(1), shape, -2, 3)
    np.testing.assert_allclose(energy(v + turns, u), energy(v, u), rtol=1e-10)
    np.testing.assert_allclose(score(v + turns, u), score(v, u), atol=1e-10)
    assert score(v, u).shape == shape
    if backbone == "set":
        np.testing.assert_allclose(energy(v[::-1], u), energy(v, u), rtol=1e-10)
        np.testing.assert_allclose(score(v[::-1], u), score(v, u)[::-1], atol=1e-10)


def test_a_set_of_angles_has_one_centre(x64):
    data = np.angle(np.exp(1j * straddling(200, 2)))
    potential = start(sd.Energy((2,), key=KEY, width=8, depth=1, backbone="set"), clock_of_angles(), data, LEVELS)
    centre = potential.scaling.centre
    np.testing.assert_allclose(centre, mean_direction(mean_direction(jnp.asarray(data), TURN), TURN), rtol=1e-12)
    assert jnp.abs(centre).min() > 3.0


class Own(AbstractEnergy):
    event_shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x, level):
        return jnp.sum(x**2)


LEVELS, clock_of_angles = sd.geometric(0.2, 3.0), sd.families.wrapped_normal
NET = sd.Energy((1,), key=KEY, width=8, depth=1)
ANGLES = sd.Energy((1,), key=KEY, width=8, depth=1, angles=True)
BAD = {
    "a denoiser": (sd.Denoiser((1,), key=KEY, width=8), clock_of_angles, {}, "a Denoiser not for angles"),
    "a network of one's own": (Own((1,)), clock_of_angles, {}, "the field angles = True"),
    "angles on the line": (ANGLES, sd.families.gaussian, {}, "without a period"),
    "standardised": (NET, clock_of_angles, {"standardise": True}, "angles as they are"),
    "a support": (NET, clock_of_angles, {"support": (-np.pi, np.pi)}, "the period 2\\*pi"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pairs(name):
    net, declare, options, words = BAD[name]
    inside = np.random.default_rng(0).uniform(-3, 3, (50, 1))
    with pytest.raises(ParameterError, match=words):
        sd.fit(net, inside, declare(), key=KEY, levels=LEVELS, objective="dsm", steps=1, progress=False, **options)


def test_a_network_of_angles_is_kept():
    assert on_circle(ANGLES, True, KEY) is ANGLES
    assert on_circle(NET, False, KEY) is NET


PARTS = ((0.7, 2.9, 12.0), (0.3, -2.0, 30.0))


@pytest.fixture(scope="module")
def trained():
    """A dual fit to 4000 draws of a mixture of two von Mises laws, one on either side of pi."""
    rng = np.random.default_rng(0)
    shares = rng.multinomial(4000, [w for w, _, _ in PARTS])
    data = np.concatenate([rng.vonmises(m, k, n) for n, (_, m, k) in zip(shares, PARTS, strict=True)])
    with jax.enable_x64(True):
        net = sd.Energy((1,), key=KEY, width=32, depth=1)
        return sd.fit(
            net, data[:, None], clock_of_angles(), key=KEY, levels=LEVELS, steps=500, batch_size=128, progress=False
        )


def noised_density(sigma):
    """The mixture, convolved with a wrapped normal law on the grid."""
    clean = sum(w * stats.vonmises.pdf(GRID, k, m) for w, m, k in PARTS)
    gap = GRID[:, None] - GRID
    noise = sum(stats.norm.pdf(gap + TURN * j, scale=sigma) for j in range(-4, 5))
    return noise @ clean * (TURN / GRID.size)


@pytest.mark.slow
def test_the_density_of_a_mixture_across_the_seam(trained, x64):
    for sigma, close in ((0.2, 0.03), (0.6, 0.02), (3.0, 0.002)):
        found, truth = np.exp(trained.log_prob(GRID[:, None], sigma)), noised_density(sigma)
        assert truth.mean() * TURN == pytest.approx(1.0, abs=1e-6)
        assert found.mean() * TURN == pytest.approx(1.0, abs=0.02)
        assert np.abs(found - truth).mean() * TURN / 2 < close
    for function in (trained.energy, trained.score):
        np.testing.assert_allclose(
            function(GRID[:, None] + TURN, 0.3), function(GRID[:, None], 0.3), rtol=1e-9, atol=1e-9
        )


@pytest.mark.slow
def test_what_is_loaded_is_on_the_circle(trained, tmp_path, x64):
    trained.save(tmp_path / "fit")
    again = sd.load(tmp_path / "fit")
    np.testing.assert_array_equal(again.energy(GRID[:, None], 0.3), trained.energy(GRID[:, None], 0.3))
    np.testing.assert_allclose(again.energy(GRID[:, None] - TURN, 0.3), again.energy(GRID[:, None], 0.3), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["prior", "generate"])
def test_draws_are_angles_of_one_turn(draw, trained, x64):
    if draw == "prior":
        draws = sd.LearnedPrior(trained).sample(KEY, (2000,))
    else:
        draws = sd.generate(trained, KEY, 2000, method="annealed-langevin")
    assert np.abs(draws).max() <= np.pi
    weights = np.exp(trained.log_prob(GRID[:, None], LEVELS.least))
    waves = np.exp(1j * np.arange(1, 3)[:, None] * GRID)
    truth = (waves * weights).sum(1) / weights.sum()
    found = np.exp(1j * np.arange(1, 3)[:, None] * np.ravel(draws)).mean(1)
    assert np.abs(found - truth).max() < 0.06
