"""Normalisers against scipy's log densities; the noise that a density amounts to; densities that are none."""

import numpy as np
import pytest
import scipy.special as scsp
import scipy.stats as scs
import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.constructors import from_density
from symdsm.symbolic.probe import numeric

x, y = sp.symbols("x y", real=True)
xp, yp = sp.symbols("x y", positive=True)
s, nu, b, L, k = sp.symbols("s nu b L k", positive=True)
circle, unit = sp.Interval.open(-sp.pi, sp.pi), sp.Interval.open(0, 1)

CASES = {
    "gaussian": (-((y - x) ** 2) / (2 * s**2), y, x, None, lambda y, x, s: scs.norm.logpdf(y, x, s)),
    "laplace": (-sp.Abs(y - x) / s, y, x, None, lambda y, x, s: scs.laplace.logpdf(y, x, s)),
    "student": (
        -(nu + 1) / 2 * sp.log(1 + ((y - x) / s) ** 2 / nu),
        y,
        x,
        None,
        lambda y, x, s, nu: scs.t.logpdf(y, nu, x, s),
    ),
    "generalised normal": (-(sp.Abs((y - x) / s) ** b), y, x, None, lambda y, x, s, b: scs.gennorm.logpdf(y, b, x, s)),
    "logistic": (
        -(y - x) / s - 2 * sp.log(1 + sp.exp(-(y - x) / s)),
        y,
        x,
        None,
        lambda y, x, s: scs.logistic.logpdf(y, x, s),
    ),
    "sech": (-sp.log(sp.cosh((y - x) / s)), y, x, None, lambda y, x, s: scs.hypsecant.logpdf(y, x, s)),
    "speckle": ((L - 1) * sp.log(yp) - L * yp / xp, yp, xp, None, lambda y, x, L: scs.gamma.logpdf(y, L, 0, x / L)),
    "weibull": (
        (k - 1) * sp.log(yp / xp) - (yp / xp) ** k,
        yp,
        xp,
        None,
        lambda y, x, k: scs.weibull_min.logpdf(y, k, 0, x),
    ),
    "log-normal": (
        -sp.log(yp) - (sp.log(yp) - x) ** 2 / (2 * s**2),
        yp,
        x,
        None,
        lambda y, x, s: scs.lognorm.logpdf(y, s, 0, np.exp(x)),
    ),
    "inverse gaussian": (
        -3 * sp.log(yp) / 2 - k * (yp - xp) ** 2 / (2 * xp**2 * yp),
        yp,
        xp,
        None,
        lambda y, x, k: scs.invgauss.logpdf(y, x / k, 0, k),
    ),
    "truncated normal": (
        -((yp - xp) ** 2) / (2 * s**2),
        yp,
        xp,
        None,
        lambda y, x, s: scs.truncnorm.logpdf(y, -x / s, np.inf, x, s),
    ),
    "beta mean": (
        (nu * xp - 1) * sp.log(y) + (nu * (1 - xp) - 1) * sp.log(1 - y),
        y,
        xp,
        unit,
        lambda y, x, nu: scs.beta.logpdf(y, nu * x, nu * (1 - x)),
    ),
    "von mises": (
        k * sp.cos(y - x),
        y,
        x,
        circle,
        lambda y, x, k: k * np.cos(y - x) - k - np.log(2 * np.pi * scsp.i0e(k)),
    ),
    "variance preserving": (
        -((y - sp.exp(-s) * x) ** 2) / (2 * (1 - sp.exp(-2 * s))),
        y,
        x,
        None,
        lambda y, x, s: scs.norm.logpdf(y, np.exp(-s) * x, np.sqrt(1 - np.exp(-2 * s))),
    ),
    "huber": (
        -sp.Piecewise(((y - x) ** 2 / 2, sp.Abs(y - x) < 1), (sp.Abs(y - x) - sp.S.Half, True)),
        y,
        x,
        None,
        lambda y, x: (
            -np.where(abs(y - x) < 1, (y - x) ** 2 / 2, abs(y - x) - 0.5)
            - np.log(np.sqrt(2 * np.pi) * scsp.erf(2**-0.5) + 2 * np.exp(-0.5))
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_normalised_log_density(name):
    f, noisy, clean, support, oracle = CASES[name]
    declaration = from_density(f, noisy, clean, support, log=True)
    assert declaration.normalised is True
    values = {"y": 0.43, "x": 0.71, "s": 0.6, "nu": 2.7, "b": 1.3, "L": 3.1, "k": 2.2}
    symbols = sorted(declaration.log_density.free_symbols, key=lambda q: q.name)
    own = numeric(declaration.log_density, symbols)(*[values[q.name] for q in symbols])
    names = oracle.__code__.co_varnames
    assert abs(float(own) - oracle(*[values[n] for n in names])) < 1e-9


@pytest.mark.parametrize("name", ["laplace", "student", "speckle", "log-normal", "variance preserving", "beta mean"])
def test_the_noise_has_the_declared_law(name):
    """log f(e) - log|dg/de| at y = g(e) is the declared log density."""
    f, noisy, clean, support, _ = CASES[name]
    declaration = from_density(f, noisy, clean, support, log=True)
    noise = declaration.noise
    e = sp.Float("0.37")
    pushed = noise.log_density - sp.log(sp.Abs(sp.diff(noise.map, noise.variable)))
    direct = declaration.log_density.xreplace({declaration.noisy: noise.map})
    values = {q: sp.Float(0.6) + sp.Rational(k, 7) for k, q in enumerate(declaration.params)}
    values |= {clean: sp.Float("0.55"), noise.variable: e}
    assert abs(sp.N((pushed - direct).xreplace(values), 20)) < 1e-12
    assert noise.draw is not None


def test_a_normalised_density_is_left_as_it_is():
    f = -sp.Abs(y - x) / s - sp.log(2 * s)
    assert sp.expand_log(from_density(f, y, x, log=True).log_density - f) == 0


def test_a_factor_that_moves_and_is_not_found_is_reported():
    declaration = from_density(-((y**2 - x**2) ** 2) / s, y, x, log=True)
    assert declaration.normalised is False


REFUSED = [
    (sp.Abs(y - x) / s, None, True, "infinite"),
    (1 / (1 + sp.Abs(y - x)), None, False, "infinite"),
    (y - x, sp.Interval.open(-1, 1), False, "negative"),
    (sp.exp(-((y - x) ** 2)) * (sp.S.Half - (y - x) ** 2), None, False, "negative"),
]


@pytest.mark.parametrize(("f", "support", "log", "words"), REFUSED)
def test_what_is_no_density_is_refused(f, support, log, words):
    with pytest.raises(DeclarationError, match=words):
        from_density(f, y, x, support, log=log)
