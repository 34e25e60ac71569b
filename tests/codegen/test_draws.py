"""Draws from the emitted recipe: the right law (Kolmogorov-Smirnov), and a wrong recipe that the test rejects."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

from symdsm.codegen.draws import draw_lines
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.program import load_source
from symdsm.codegen.source import scalar_source
from symdsm.symbolic.constructors import from_random

x = sp.Symbol("x", real=True)
xp, L, s = sp.symbols("x L s", positive=True)
N = 2000
RECIPES = {
    "normal": (from_random(st.Normal("y", x, s), x), scs.norm(0.5, 0.8)),
    "two keys": (from_random(st.ExGaussian("y", x, s, 2), x), scs.exponnorm(0.5 / 0.8, 0.5, 0.8)),
    "log-gammas": (from_random(xp * st.FDistribution("f", 3, 8), xp), scs.f(3, 8, 0, 0.5)),
    "inverse": (from_random(xp * st.Kumaraswamy("k", 2, 3), xp), None),
    "shapes": (from_random(xp * st.Gamma("g", L, 1 / L), xp), scs.gamma(3.5, 0, 0.5 / 3.5)),
    "transformed": (from_random(xp * sp.exp(s * st.Laplace("e", 0, 1)), xp), None),
}
LEVEL = 0.001 / len(RECIPES)


def kumaraswamy(y):
    return 1 - (1 - np.clip(y / 0.5, 0, 1) ** 2) ** 3


def log_laplace(y):
    return scs.laplace.cdf(np.log(y / 0.5) / 0.8)


def p_value(declaration, cdf):
    module = load_source(scalar_source(declaration, "digest"), "draws")
    params = {p.name: {"s": 0.8, "L": 3.5}[p.name] for p in declaration.params}
    y = jax.jit(lambda key: module.sample(key, jnp.full(N, 0.5), **params))(jax.random.key(11))
    return scs.kstest(np.asarray(y), cdf).pvalue


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "log-gammas")) for n in RECIPES])
def test_law_of_the_draws(name):
    declaration, law = RECIPES[name]
    cdf = law.cdf if law is not None else {"inverse": kumaraswamy, "transformed": log_laplace}[name]
    assert p_value(declaration, cdf) > LEVEL


def test_a_wrong_recipe_is_rejected():
    declaration, law = RECIPES["normal"]
    wrong = replace(declaration, noise=replace(declaration.noise, draw=sp.Rational(5, 4) * declaration.noise.draw))
    assert p_value(wrong, law.cdf) < LEVEL


def test_draws_in_different_slots_get_their_own_keys():
    declaration, _ = RECIPES["two keys"]
    lines = draw_lines(declaration, declaration.noise, JaxPrinter().doprint)
    assert lines[0] == "keys = jax.random.split(key, 2)"
    assert "keys[0]" in "".join(lines) and "keys[1]" in "".join(lines)
