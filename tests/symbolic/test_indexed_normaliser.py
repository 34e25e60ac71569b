"""The mass of elliptical coupled densities at several sizes against closed forms; others are refused."""

import mpmath
import pytest
import sympy as sp

import symdsm as sd
from symdsm.symbolic.indexed import declare
from symdsm.symbolic.indexed_normaliser import elliptical, radial_mass
from symdsm.symbolic.indexed_numbers import example

Y, X, P = (sp.IndexedBase(name, real=True) for name in "yxP")
i, j = sp.symbols("i j", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
s, nu = sp.symbols("s nu", positive=True)
SQUARES = sp.Sum((Y[i] - X[i]) ** 2, (i, 0, n - 1)) / s**2


@pytest.mark.parametrize("size", [2, 3])
def test_mass_of_a_cauchy_profile_is_its_closed_form(size):
    density = declare(-(nu + n) / 2 * sp.log(1 + SQUARES / nu), Y, X)
    found = elliptical(density)
    scalars, _ = example(density, 5, size)
    scale, shape = (next(v for k, v in scalars.items() if k.name == name) for name in ("s", "nu"))
    count = mpmath.mpf(size)
    expected = mpmath.loggamma(shape / 2) - mpmath.loggamma((shape + count) / 2)
    expected += count * mpmath.log(mpmath.pi * shape) / 2 + count * mpmath.log(scale)
    assert abs(radial_mass(density, found, 5, size) - expected) < 1e-8


@pytest.mark.parametrize("name", ["multivariate_t", pytest.param("multivariate_laplace", marks=pytest.mark.slow)])
def test_ready_families_have_mass_one_and_a_level_score(name):
    kernel = getattr(sd.families, name)()
    assert kernel.normalised is True and elliptical(kernel._declaration.density) is not None
    assert kernel.level_score.has(kernel.level)


def test_a_factor_that_is_one_at_size_one_does_not_pass():
    kernel = sd.families.multivariate_t()
    wrong = sd.Kernel.from_density(
        kernel.log_density + sp.loggamma(n), noisy=kernel.noisy, clean=kernel.clean, level=kernel.level, log=True
    )
    assert wrong.normalised is None


@pytest.mark.parametrize("log_density", [
    -sp.Sum(sp.Abs(Y[i] - X[i]), (i, 0, n - 1)),
    -SQUARES / 2 - sp.log(1 + sp.Sum((Y[i] - 2 * X[i]) ** 2, (i, 0, n - 1))),
    -sp.log(1 + sp.Sum((Y[i] - X[i]) ** 4, (i, 0, n - 1))),
], ids=["absolute", "two forms", "quartic"])  # fmt: skip
def test_other_densities_are_not_elliptical(log_density):
    assert elliptical(declare(log_density, Y, X)) is None
