"""A coupled density is called normalised only where its integral is one, at random parameters."""

import pytest
import sympy as sp

import symdsm as sd
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
