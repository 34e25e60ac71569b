"""A coupled density is called normalised only where its integral is one, at random parameters."""

import numpy as np
import pytest
import sympy as sp

import symdsm as sd
from symdsm.errors import DeclarationError
from symdsm.symbolic import families_coupled as families
from symdsm.symbolic.indexed_nodes import LogDet

Y, X = sp.IndexedBase("y", real=True), sp.IndexedBase("x", real=True)
i = sp.Symbol("i", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
s, nu = sp.symbols("s nu", positive=True)
WHOLE = {"smoothed_total_variation": None} | dict.fromkeys(families.__all__[1:-1], True)


def normalised(f, level=s):
    return sd.Kernel.from_density(f, noisy=Y, clean=X, level=level, log=True).normalised


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_the_families_are(name):
    f, noisy, clean, level, _ = getattr(families, name)(s)
    kernel = sd.Kernel.from_density(f, noisy=noisy, clean=clean, level=level, log=True)
    assert kernel.normalised is WHOLE[name]
    shifted = sd.Kernel.from_density(f + sp.Rational(1, 100), noisy=noisy, clean=clean, level=level, log=True)
    assert shifted.normalised is None


def test_half_a_log_determinant_is_missed():
    """The level score is known all the same: a factor of P does not depend on the level."""
    f, noisy, clean, level, _ = families.multivariate_normal_precision(s)
    short = f - sum(f.atoms(LogDet)) / 2
    kernel = sd.Kernel.from_density(short, noisy=noisy, clean=clean, level=level, log=True)
    assert kernel.normalised is None
    whole = sd.Kernel.from_density(f, noisy=noisy, clean=clean, level=level, log=True)
    assert kernel.level_score == whole.level_score


@pytest.mark.parametrize(
    ("f", "level", "expected"),
    [
        (-sp.Sum(sp.Abs(Y[i] - X[i]) / s, (i, 0, n - 1)) - n * sp.log(2 * s), s, True),
        (-sp.Sum(sp.Abs(Y[i] - X[i]) / s, (i, 0, n - 1)) - n * sp.log(s), s, None),
        (-sp.Sum((Y[i] - X[i]) ** 2, (i, 0, n - 1)) - n * sp.log(sp.pi) / 2, None, True),
        (-sp.Sum((Y[i] - X[i]) ** 2, (i, 0, n - 1)) + nu * n, None, None),
        (-sp.Sum((Y[i] - X[i]) ** 2 * nu, (i, 0, n - 1)) - n * sp.log(sp.pi) / 2, None, None),
    ],
)
def test_other_densities(f, level, expected):
    assert normalised(f, level) is expected


def test_tails_that_vanish_at_once_take_no_time():
    """exp(-cosh(1e11)) is zero; asked for its digits, mpmath would not come back."""
    assert normalised(sp.Sum(-sp.cosh((Y[i] - X[i]) / s), (i, 0, n - 1))) is None


def _sum(f, last=n - 1):
    return sp.Sum(f, (i, 0, last))


R, P, j = Y[i] - X[i], sp.IndexedBase("P", real=True), sp.Symbol("j", integer=True)
c = sp.Symbol("c", real=True)
STEP = Y[i + 1] - Y[i]
HUBER = sp.Piecewise((R**2 / 2, sp.Abs(R) <= 1), (sp.Abs(R) - sp.S.Half, True))
INFINITE = {
    "the sign of a square": _sum(R**2) / (2 * s**2),
    "the sign of a Laplace law": _sum(sp.Abs(R)) / s,
    "the sign of Huber's": _sum(HUBER),
    "the sign of cosh": _sum(sp.cosh(R)),
    "an affine one": _sum(Y[i] * X[i]),
    "ripples": _sum(sp.cos(R)),
    "one end open": _sum(R**3) / s,
    "a well upside down": _sum(R**2 - sp.Abs(R)),
    "neighbours alone": _sum(Y[i] * Y[i + 1], n - 2) - X[0] * Y[0],
    "differences alone": -_sum((STEP - X[i]) ** 2, n - 2),
    "differences of the other sign": -_sum(R**2) + 5 * _sum(STEP**2, n - 2),
    "the wrong sign along the diagonal": -_sum(R**2) + _sum(R) ** 2,
}
FINITE = {
    "a sign left open": _sum(c * R**2),
    "Huber's with a sign left open": _sum(HUBER * c),
    "a matrix": -sp.Sum(P[i, j] * R * (Y[j] - X[j]), (i, 0, n - 1), (j, 0, n - 1)),
    "convex far from the diagonal only": -_sum(R**4) + _sum(R**2),
    "few entries only": -_sum(R**2) + sp.Rational(3, 2) * _sum(Y[i] * Y[i + 1], n - 2),
    "one side": -_sum(sp.exp(R) - R),
}


def _grows(f):
    """Does the mass of two entries within [-2 b, 2 b]^2 outgrow that within [-b, b]^2?"""
    at = {X[k]: 0.3 for k in (0, 1)} | {s: 1.1, c: -0.6, P[0, 0]: 1, P[1, 1]: 1, P[0, 1]: 0.2, P[1, 0]: 0.2}
    log_density = sp.lambdify((Y[0], Y[1]), f.subs(n, 2).doit().subs(at), "numpy")
    grid = np.linspace(-8, 8, 321)
    one, two = np.meshgrid(grid, grid)
    mass = np.exp(np.minimum(log_density(one, two), 300.0))
    inner = np.maximum(np.abs(one), np.abs(two)) <= 4
    return mass.sum() > 1.5 * mass[inner].sum()


@pytest.mark.parametrize("name", INFINITE)
def test_an_infinite_integral_is_refused(name):
    assert _grows(INFINITE[name])
    with pytest.raises(DeclarationError, match="integrates to infinity"):
        normalised(INFINITE[name], None)


def test_a_half_line_has_no_finite_mass_either():
    with pytest.raises(DeclarationError, match="integrates to infinity"):
        sd.Kernel.from_density(_sum(R**2), noisy=Y, clean=X, support=sp.Interval(0, sp.oo), log=True)
    sd.Kernel.from_density(_sum(R**2), noisy=Y, clean=X, support=sp.Interval(0, 1), log=True)


@pytest.mark.parametrize("name", FINITE)
def test_no_density_is_refused(name):
    assert not _grows(FINITE[name])
    normalised(FINITE[name], None)
