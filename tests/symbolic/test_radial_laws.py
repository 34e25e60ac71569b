"""Which radii have a law that is drawn without an integral, and which have none."""

import pytest
import sympy as sp

import symdsm as sd
from symdsm.symbolic.indexed import declare
from symdsm.symbolic.indexed_normaliser import elliptical
from symdsm.symbolic.nodes import LogBesselK
from symdsm.symbolic.radial_laws import mixing

Y, X = (sp.IndexedBase(name, real=True) for name in "yx")
i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
a, c, g, s = sp.symbols("a c g s", positive=True)
LEAST = sp.Symbol("least")
SQUARES = sp.Sum((Y[i] - X[i]) ** 2, (i, 0, n - 1))


def law_of(log_density, d=None):
    d = declare(log_density, Y, X) if d is None else d
    return mixing(d, elliptical(d), LEAST)


def test_the_ready_families():
    nu, sigma = sp.symbols("nu sigma", positive=True)
    t = law_of(None, sd.families.multivariate_t()._declaration.density)
    assert (t.shape, t.power) == (nu / 2, -1)
    assert sp.expand(t.scale - (nu * sigma**2 + LEAST) / 2) == 0
    assert law_of(None, sd.families.multivariate_laplace()._declaration.density) == (1, sigma**2, 1)


def test_a_shifted_profile_and_a_variance_gamma_law():
    t = law_of(-a * sp.log(c + 3 * SQUARES))
    assert sp.expand(t.shape - a + n / 2) == 0 and sp.expand(t.scale - (c + 3 * LEAST) / 6) == 0
    order = g - n / 2
    bessel = LogBesselK(order, sp.sqrt(2 * c * SQUARES))
    assert law_of(order / 2 * sp.log(SQUARES) + bessel) == (g, 1 / c, 1)


@pytest.mark.parametrize("log_density", [
    -SQUARES**a,
    sp.log(SQUARES) / 3 + LogBesselK(g - n / 2, sp.sqrt(SQUARES)),
    -a * sp.log(1 + SQUARES) - SQUARES,
    -a * sp.log(1 + SQUARES**2),
    -sp.log(1 + SQUARES) * sp.log(2 + SQUARES),
    (g - n / 2) / 2 * sp.log(SQUARES + X[0] ** 2) + LogBesselK(g - n / 2, sp.sqrt(2 * (SQUARES + X[0] ** 2))),
], ids=["power", "another power", "two terms", "square", "product", "hyperbolic"])  # fmt: skip
def test_other_radii_have_no_law(log_density):
    assert law_of(log_density) is None
