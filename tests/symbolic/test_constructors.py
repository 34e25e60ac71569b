"""Declarations against scipy's log densities: branches, mixtures, coordinates, supports; bad input in words."""

import mpmath
import numpy as np
import pytest
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

from symdsm.errors import DeclarationError
from symdsm.symbolic.constructors import change, from_density, from_random, from_sde, mixture
from symdsm.symbolic.probe import numeric

x, y, t = sp.Symbol("x", real=True), sp.Symbol("y", real=True), sp.Symbol("t", positive=True)
xp, yp = sp.symbols("x y", positive=True)
s, L, w = sp.symbols("s L w", positive=True)
e, g = st.Normal("e", 0, 1), st.Gamma("g", L, 1 / L)
normal = scs.norm.logpdf


def folded(y, x, s):
    return np.logaddexp(normal(np.sqrt(y), x, s), normal(-np.sqrt(y), x, s)) - np.log(2 * np.sqrt(y))


KERNELS = {
    "additive": (from_random(x + s * e, x), lambda y, x, s: normal(y, x, s)),
    "law with x as a parameter": (from_random(st.Gumbel("y", s, x), x), lambda y, x, s: scs.gumbel_r.logpdf(y, x, s)),
    "speckle": (from_random(xp * g, xp), lambda y, x, L: scs.gamma.logpdf(y, L, 0, x / L)),
    "log-normal": (from_random(xp * sp.exp(s * e), xp), lambda y, x, s: scs.lognorm.logpdf(y, s, 0, x)),
    "two branches": (from_random((x + s * e) ** 2, x), folded),
    "no density at the middle": (from_random(xp * e**2, xp), lambda y, x: scs.chi2.logpdf(y, 1, 0, x)),
    "a law by its pdf": (
        from_random(x + s * st.ContinuousRV(y, sp.exp(-sp.Abs(y)) / 2), x),
        lambda y, x, s: scs.laplace.logpdf(y, x, s),
    ),
    "density, normalised here": (
        from_density(sp.exp(-(((y - x) / s) ** 4)), y, x),
        lambda y, x, s: scs.gennorm.logpdf(y, 4, x, s),
    ),
    "flat density": (
        from_density(1 / (2 * s), y, x, sp.Interval(x - s, x + s)),
        lambda y, x, s: scs.uniform.logpdf(y, x - s, 2 * s),
    ),
    "mixture": (
        mixture(((from_random(x + s * e, x), w), (from_random(x + 5 * s * e, x), 1 - w))),
        lambda y, x, s, w: np.log(w * np.exp(normal(y, x, s)) + (1 - w) * np.exp(normal(y, x, 5 * s))),
    ),
    "coordinate": (
        change(from_random(xp * g, xp), sp.log),
        lambda u, x, L: scs.gamma.logpdf(np.exp(u), L, 0, x / L) + u,
    ),
    "both coordinates": (
        change(from_random(xp * sp.exp(s * e), xp), sp.log, clean=True),
        lambda u, v, s: normal(u, v, s),
    ),
    "variance preserving": (
        from_sde(-x / 2, sp.S.One, x, t),
        lambda y, x, t: normal(y, x * np.exp(-t / 2), np.sqrt(1 - np.exp(-t))),
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_log_density(name):
    declaration, oracle = KERNELS[name]
    symbols = [declaration.noisy, declaration.clean, *declaration.params]
    value = numeric(declaration.log_density, symbols)
    real_y = sp.Symbol(declaration.noisy.name, real=True)
    inside = numeric(declaration.inside, [real_y, *symbols[1:]])
    params = {p.name: {"s": 0.8, "L": 3.5, "w": 0.3, "t": 0.7}[p.name] for p in declaration.params}
    assert declaration.normalised is True
    for at, clean in ((0.4, 0.9), (1.3, 0.7), (2.4, 1.9)):
        with np.errstate(divide="ignore"):
            expected = oracle(at, clean, **params)
        if not inside(at, clean, *params.values()):
            assert expected == -np.inf
        else:
            assert float(mpmath.re(value(at, clean, *params.values()))) == pytest.approx(float(expected), rel=1e-9)


SUPPORTS = [
    (from_random(xp * g, xp), sp.Interval.open(0, sp.oo)),
    (from_random(x + st.Exponential("z", 1), x), sp.Interval.open(x, sp.oo)),
    (from_random(x - st.Exponential("z", 1), x), sp.Interval.open(-sp.oo, x)),
    (from_random(sp.tanh(x + s * e), x), sp.Interval.open(-1, 1)),
    (from_random(1 / (1 + sp.exp(-x - s * e)), x), sp.Interval.open(0, 1)),
    (from_random(x + s * e, x), sp.S.Reals),
]


@pytest.mark.parametrize("declaration, support", SUPPORTS, ids=range(len(SUPPORTS)))
def test_support(declaration, support):
    assert declaration.support == support


def test_the_noisy_symbol():
    assert from_random(st.Normal("reading", x, s), x).noisy.name == "reading"
    assert from_random(x + s * e, x).noisy.name == "y"
    assert from_random(xp * g, xp).noisy.is_positive


free = sp.Symbol("r")
BAD = {
    "discrete": (lambda: from_random(st.Poisson("n", xp), xp), "Poisson-Gaussian"),
    "no randomness": (lambda: from_random(x + s, x), "no random symbol"),
    "two random symbols": (lambda: from_random(x + e + st.Normal("f", 0, 1), x), "several random symbols"),
    "no clean symbol": (lambda: from_random(s * e, x), "clean=x"),
    "no level": (lambda: from_random(x + e, x, s), "level=s"),
    "clean as level": (lambda: from_random(x + s * e, x, x), "clean symbol and as the level"),
    "two symbols of one name": (lambda: from_random(x + sp.Symbol("x", positive=True) * e, x), "called 'x'"),
    "scale without a sign": (lambda: from_random(st.Normal("y", x, free), x), "positive=True"),
    "atoms": (lambda: from_random(sp.Max(x + e, 0), x), "atoms"),
    "no inverse": (lambda: from_random(sp.cos(x + e), x), "cos"),
    "noise alone": (lambda: from_density(sp.exp(-(x**2)), y, x), "noisy symbol y"),
    "complex": (lambda: from_density(sp.exp(sp.I * (y - x)), y, x), "complex"),
    "negative": (lambda: from_density(-sp.exp(-((y - x) ** 2)), y, x), "never positive"),
    "sometimes negative": (lambda: from_density((1 - (y - x) ** 2) * sp.exp(-((y - x) ** 2)), y, x), "negative"),
    "infinite": (lambda: from_density(sp.exp((y - x) ** 2), y, x), "infinite"),
    "two to one": (lambda: change(from_random(x + s * e, x), lambda v: v**2), "2 branches"),
    "nonlinear drift": (lambda: from_sde(-(x**3), sp.S.One, x, t), "linear"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    declare, words = BAD[name]
    with pytest.raises(DeclarationError) as caught:
        declare()
    assert words in str(caught.value)


def test_a_density_positive_for_some_parameters_only():
    wrapped = (1 - s**2) / (2 * sp.pi * (1 + s**2 - 2 * s * sp.cos(y - x)))
    assert from_density(wrapped, y, x, sp.Interval.open(-sp.pi, sp.pi)).normalised is True
