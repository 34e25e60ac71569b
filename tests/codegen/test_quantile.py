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


CASES = {
    "far and narrow": (lambda y: -(((y - 1000) / 0.01) ** 2) / 2, scs.norm(1000, 0.01).cdf, -INF, INF, 0.0),
    "cauchy": (lambda y: -jnp.log1p(y * y), scs.cauchy.cdf, -INF, INF, 3.0),
    "kink": (lambda y: -jnp.abs(y - 3), scs.laplace(3).cdf, -INF, INF, 0.0),
    "singular edge": (lambda y: -0.7 * jnp.log(y) - y, scs.gamma(0.3).cdf, 0, INF, 1.0),
    "jump": (
        lambda y: jnp.where(y > 0.37, 0.0, -1.0),
        lambda y: (np.minimum(y, 0.37) / np.e + np.maximum(y - 0.37, 0)) / (0.37 / np.e + 0.63),
        0,
        1,
        0.5,
    ),
    "bounded above": (lambda y: y, np.exp, -INF, 0, -1.0),
    "two peaks": (two_peaks, two_peaks_cdf, -INF, INF, 0.0),
}


FAST = ("far and narrow", "two peaks")


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_quantiles(name, x64):
    log_density, cdf, low, high, start = CASES[name]
    draw = jax.jit(jax.vmap(lambda u: special.inverse_cdf(u, log_density, low, high, start)))
    assert np.max(np.abs(cdf(np.asarray(draw(jnp.asarray(GRID)))) - GRID)) < 1e-6


def test_quantiles_in_single_precision():
    draw = jax.jit(jax.vmap(lambda u: special.inverse_cdf(u, lambda y: -jnp.log1p(y * y), -INF, INF, 0.0)))
    quantiles = draw(jnp.asarray(GRID, jnp.float32))
    assert quantiles.dtype == jnp.float32
    assert np.max(np.abs(scs.cauchy.cdf(np.asarray(quantiles, float)) - GRID)) < 2e-6


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
