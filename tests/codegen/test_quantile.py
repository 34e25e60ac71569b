"""The numerical inverse CDF: exact quantiles, Kolmogorov-Smirnov tests, one planted wrong sampler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

from symdsm.codegen import special
from symdsm.codegen.build import build_program
from symdsm.symbolic.constructors import from_density, from_random

INF = float("inf")
GRID = np.linspace(1e-4, 1 - 1e-4, 401)


def two_peaks(y):
    return jnp.logaddexp(-((y - 10) ** 2) / 0.02, -((y + 11) ** 2) / 0.02)


def two_peaks_cdf(y):
    return (scs.norm(10, 0.1).cdf(y) + scs.norm(-11, 0.1).cdf(y)) / 2


def mixture(*parts):
    """log density and CDF of normals (weight, mean, deviation)."""

    def log_density(y):
        return jax.nn.logsumexp(jnp.stack([jnp.log(w) - ((y - m) / s) ** 2 / 2 - jnp.log(s) for w, m, s in parts]))

    return log_density, lambda y: sum(w * scs.norm(m, s).cdf(y) for w, m, s in parts)


def normal(m, s):
    return lambda y: -(((y - m) / s) ** 2) / 2, scs.norm(m, s).cdf


def beta(a, b):
    return lambda y: (a - 1) * jnp.log(y) + (b - 1) * jnp.log1p(-y), scs.beta(a, b).cdf


def wave_cdf(y):
    """Of the normal density times 1 + cos(20 y), by the trapezium rule, which is exact to rounding here."""
    grid = np.linspace(-9, 9, 400_001)
    density = np.exp(-(grid**2) / 2) * (1 + 0.9 * np.cos(20 * grid))
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return np.interp(y, grid, mass / mass[-1])


def jump_cdf(y):
    return (np.minimum(y, 0.37) / np.e + np.maximum(y - 0.37, 0)) / (0.37 / np.e + 0.63)


# log density, CDF, ends of the support, a point inside
CASES = {
    "far and narrow": (*normal(1000, 0.01), -INF, INF, 0.0),
    "tiny scale": (*normal(0, 1e-30), -INF, INF, 0.0),
    "tiny scale, far start": (*normal(0, 1e-8), -INF, INF, 1.0),
    "huge scale": (*normal(0, 1e30), -INF, INF, 0.0),
    "a million million deviations away": (*normal(3.3e12, 1.0), -INF, INF, 0.0),
    "cauchy": (lambda y: -jnp.log1p(y * y), scs.cauchy.cdf, -INF, INF, 3.0),
    "t, 0.1 degrees": (lambda y: -0.55 * jnp.log1p(y * y / 0.1), scs.t(0.1).cdf, -INF, INF, 0.0),
    "levy": (lambda y: -1.5 * jnp.log(y) - 0.5 / y, scs.levy.cdf, 0.0, INF, 1.0),
    "pareto, index 0.05": (lambda y: -1.05 * jnp.log(y), scs.pareto(0.05).cdf, 1.0, INF, 2.0),
    "kink": (lambda y: -jnp.abs(y - 3), scs.laplace(3).cdf, -INF, INF, 0.0),
    "cusp": (lambda y: -(jnp.abs(y) ** 0.2), scs.gennorm(0.2).cdf, -INF, INF, 0.0),
    "singular edge": (lambda y: -0.7 * jnp.log(y) - y, scs.gamma(0.3).cdf, 0, INF, 1.0),
    "nearly all at the edge": (lambda y: -0.99 * jnp.log(y) - y, scs.gamma(0.01).cdf, 0.0, INF, 1.0),
    "both edges singular": (*beta(0.05, 0.05), 0.0, 1.0, 0.4),
    "arcsine": (*beta(0.5, 0.5), 0.0, 1.0, 0.4),
    "beta, very peaked": (*beta(1e8, 1e8), 0.0, 1.0, 0.4),
    "exponential, huge": (lambda y: -y * 1e-100, scs.expon(0, 1e100).cdf, 0.0, INF, 1.0),
    "jump": (lambda y: jnp.where(y > 0.37, 0.0, -1.0), jump_cdf, 0, 1, 0.5),
    "bounded above": (lambda y: y, np.exp, -INF, 0, -1.0),
    "two peaks": (two_peaks, two_peaks_cdf, -INF, INF, 0.0),
    "two needles": (*mixture((0.5, -5, 1e-3), (0.5, 5, 1e-3)), -INF, INF, 0.0),
    "a rare far mode": (*mixture((0.99, 0, 1.0), (0.01, 50.0, 0.1)), -INF, INF, 0.0),
    "forty waves": (lambda y: -y * y / 2 + jnp.log1p(0.9 * jnp.cos(20 * y)), wave_cdf, -INF, INF, 0.0),
}


FAST = ("far and narrow", "two peaks")


UNSETTLED = {
    "mass beyond the largest number": (lambda y: -jnp.log(y) - jnp.log1p(jnp.log(y) ** 2), 0.0, INF, 1.0),
    "a logarithmic tail": (lambda y: -jnp.log(jnp.abs(y) + 3) - 2 * jnp.log(jnp.log(jnp.abs(y) + 3)), -INF, INF, 0.0),
    "a pole between the ends": (lambda y: -0.9 * jnp.log(jnp.abs(y - 0.3)), 0.0, 1.0, 0.4),
}


def quantiles(case, u):
    log_density, *place = case
    return np.asarray(jax.jit(jax.vmap(lambda v: special.inverse_cdf(v, log_density, *place)))(u))


def error(y, u, cdf):
    """How far u is from the range of the CDF over one unit in the last place of y."""
    down, up = (cdf(np.nextafter(y, y.dtype.type(way)).astype(float)) for way in (-np.inf, np.inf))
    return np.max(np.maximum(down - u, u - up))


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_quantiles(name, x64):
    log_density, cdf, *place = CASES[name]
    assert error(quantiles((log_density, *place), jnp.asarray(GRID)), GRID, cdf) < 1e-6


IN_SINGLE = ("cauchy", "tiny scale", "huge scale", "levy", "kink", "cusp", "arcsine", "a rare far mode", "forty waves")


@pytest.mark.parametrize("name", [n if n == "cauchy" else pytest.param(n, marks=pytest.mark.slow) for n in IN_SINGLE])
def test_quantiles_in_single_precision(name):
    log_density, cdf, *place = CASES[name]
    u = jnp.asarray(GRID, jnp.float32)
    y = quantiles((log_density, *place), u)
    assert y.dtype == np.float32
    assert error(y, np.asarray(u, float), cdf) < (5e-6 if name == "arcsine" else 2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", UNSETTLED)
def test_mass_that_no_number_settles_gives_no_draw(name, x64):
    assert np.all(np.isnan(quantiles(UNSETTLED[name], jnp.asarray(GRID[:5]))))


def test_each_entry_has_its_own_law(x64):
    """A window that moves with the arguments, in blocks over the common shape."""

    def draw(u, x, s):
        return special.inverse_cdf(u, lambda y: -jnp.log1p(((y - x) / s) ** 2), -INF, INF, x)

    u, x = jnp.asarray([[0.1], [0.6]]), jnp.asarray([-2.0, 0.5, 700.0])
    quantiles = jax.jit(lambda *a: special.entrywise(draw, *a))(u, x, jnp.asarray(0.2))
    assert np.allclose(quantiles, scs.cauchy.ppf(u, x, 0.2), rtol=0, atol=1e-6)


x, y = sp.symbols("x y", real=True)
k, s = sp.symbols("k s", positive=True)
KERNELS = {
    "von mises": (
        from_random(st.VonMises("y", x, k), x),
        {"k": 2.5},
        lambda v: scs.vonmises(2.5, 0.4).cdf(v) - scs.vonmises(2.5, 0.4).cdf(0.4 - np.pi),
    ),
    "laplace density": (
        from_density(-sp.Abs(y - x) / s, y, x, log=True),
        {"s": 0.7},
        scs.laplace(0.4, 0.7).cdf,
    ),
    "sech density": (
        from_density(1 / sp.cosh((y - x) / s), y, x),
        {"s": 0.7},
        scs.hypsecant(0.4, 0.7).cdf,
    ),
    "skewed density": (
        from_density(sp.log(1 + sp.erf((y - x) / sp.sqrt(2) * x)) - (y - x) ** 2 / 2, y, x, log=True),
        {},
        scs.skewnorm(0.4, 0.4).cdf,
    ),
}
LEVEL = 0.001 / len(KERNELS)


def draws(declaration, values, wrong=0.0):
    program = build_program(declaration, "0" * 64)
    clean = jnp.full(1500, 0.4)
    sample = jax.jit(lambda key: program.sample(key, clean, **values))
    return np.asarray(sample(jax.random.key(7))) + wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_samples_follow_the_kernel(name, x64):
    declaration, values, cdf = KERNELS[name]
    assert scs.kstest(draws(declaration, values), cdf).pvalue > LEVEL


@pytest.mark.slow
def test_a_wrong_sampler_is_found(x64):
    declaration, values, cdf = KERNELS["sech density"]
    assert scs.kstest(draws(declaration, values, wrong=0.2), cdf).pvalue < LEVEL


def needle(y):
    """A normal law at 0 and, at 7, one a thousand times narrower; mass one."""
    parts = [jnp.log(0.5 / s / jnp.sqrt(2 * jnp.pi)) - ((y - m) / s) ** 2 / 2 for m, s in ((0.0, 1.0), (7.0, 1e-3))]
    return jnp.logaddexp(*parts)


def needle_cdf(y):
    return (scs.norm.cdf(y) + scs.norm(7, 1e-3).cdf(y)) / 2


def test_a_needle_is_found_where_its_place_is_known_and_refused_where_only_its_mass_is(dtype):
    u = jnp.asarray(GRID[::20], dtype)

    def draws(**known):
        return np.asarray(jax.vmap(lambda v: special.inverse_cdf(v, needle, -INF, INF, 0.0, **known))(u))

    seen = draws(places=(0.0, 7.0), log_mass=0.0)
    assert error(seen, np.asarray(u, float), needle_cdf) < (1e-6 if dtype == np.float64 else 3e-4)
    assert np.isnan(draws(log_mass=0.0)).all()
    assert np.max(draws()) < 6.0  # nothing is known, nothing is noticed


@pytest.mark.parametrize(("low", "high"), [(-INF, INF), (-2.0, INF), (-INF, 3.0), (-2.0, 3.0)])
def test_a_known_mass_is_met_on_every_kind_of_window(low, high, dtype):
    law = scs.truncnorm(low, high)
    start, u = jnp.asarray(0.5, dtype), jnp.asarray(GRID[::20], dtype)

    def draws(log_mass):
        invert = lambda v: special.inverse_cdf(v, lambda y: -y * y / 2, low, high, start, (-9.0, 0.0), log_mass)  # noqa: E731
        return np.asarray(jax.vmap(invert)(u))

    log_mass = float(np.log(np.sqrt(2 * np.pi) * (scs.norm.cdf(high) - scs.norm.cdf(low))))
    assert error(draws(log_mass), np.asarray(u, float), law.cdf) < (1e-6 if dtype == np.float64 else 3e-4)
    assert np.isnan(draws(log_mass + 0.1)).all()


def test_a_declared_needle_is_drawn_and_stays_where_it_is(x64):
    """Its narrow mode does not move with x, which random points alone do not see."""
    log_f = sp.log(sp.exp(-((y - x) ** 2) / 2) / 2 + 500 * sp.exp(-((y - 7) ** 2) * 500000)) - sp.log(2 * sp.pi) / 2
    program = build_program(from_density(log_f, y, x, None, None, True), "needle")
    draws = np.asarray(program.sample(jax.random.key(0), jnp.full(300, 0.5)))
    assert "places=(7, x)" in program.source and "log_mass=" in program.source
    assert scs.kstest(draws, lambda v: (scs.norm.cdf(v, 0.5) + scs.norm(7, 1e-3).cdf(v)) / 2).pvalue > 1e-3
