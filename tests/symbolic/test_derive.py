"""Scores, level scores and targets in the noise, against mpmath derivatives of hand-written log densities."""

import mpmath
import pytest
import sympy as sp
import sympy.stats as st

from symdsm.errors import DerivationError
from symdsm.symbolic.constructors import from_density, from_random
from symdsm.symbolic.derive import derivative, level_score, noise_targets, readable, require_level_score, score
from symdsm.symbolic.probe import numeric

x, y = sp.symbols("x y", real=True)
xp = sp.Symbol("x", positive=True)
s, L, nu = sp.symbols("s L nu", positive=True)


def normal(y, x, s):
    return -(((y - x) / s) ** 2) / 2 - mpmath.log(s)


def student(y, x, s):
    return -(mpmath.mpf(9) / 4) * mpmath.log(1 + ((y - x) / s) ** 2 / mpmath.mpf("3.5")) - mpmath.log(s)


def speckle(y, x, s):
    return s * mpmath.log(s / x) + (s - 1) * mpmath.log(y) - s * y / x - mpmath.loggamma(s)


def log_normal(y, x, s):
    return normal(mpmath.log(y), mpmath.log(x), s) - mpmath.log(y)


KERNELS = {
    "normal": (from_random(x + s * st.Normal("e", 0, 1), x, s), normal),
    "student": (from_random(x + s * st.StudentT("z", sp.Rational(7, 2)), x, s), student),
    "speckle": (from_random(xp * st.Gamma("g", s, 1 / s), xp, s), speckle),
    "log-normal": (from_random(xp * sp.exp(s * st.Normal("e", 0, 1)), xp, s), log_normal),
    "density": (from_density(-(((y - x) / s) ** 2) / 2, y, x, None, s, True), normal),
}
POINTS = [(1.7, 0.6, 0.8), (0.4, 1.3, 2.2)]


@pytest.mark.parametrize("name", KERNELS)
def test_scores(name):
    declaration, log_f = KERNELS[name]
    symbols = [declaration.noisy, declaration.clean, declaration.level]
    found = [numeric(f(declaration), symbols) for f in (score, level_score)]
    for point in POINTS:
        with mpmath.workdps(30):
            at = [mpmath.mpf(v) for v in point]
            in_y = mpmath.diff(lambda v, at=at: log_f(v, *at[1:]), at[0])
            in_level = mpmath.diff(lambda v, at=at: log_f(*at[:2], v), at[2])
            assert abs(found[0](*at) - in_y) < 1e-12 * (1 + abs(in_y))
            assert abs(found[1](*at) - in_level) < 1e-12 * (1 + abs(in_level))


@pytest.mark.parametrize("name", KERNELS)
def test_targets_in_the_noise_are_the_scores_at_its_image(name):
    declaration, _ = KERNELS[name]
    noise = declaration.noise
    symbols = [declaration.clean, declaration.level]
    targets = [numeric(f, [noise.variable, *symbols]) for f in noise_targets(declaration)]
    image = numeric(noise.map, [noise.variable, *symbols])
    direct = [numeric(f(declaration), [declaration.noisy, *symbols]) for f in (score, level_score)]
    for value, clean, level in ((0.7, 0.6, 0.8), (1.9, 1.3, 2.2)):
        at = image(value, clean, level)
        for in_noise, in_y in zip(targets, direct, strict=True):
            assert abs(in_noise(value, clean, level) - in_y(at, clean, level)) < 1e-10


def test_no_cancellation_as_the_level_goes_to_zero():
    """At s = 1e-12 the target is -e/s; (y - x)/s^2 has no digit left in double precision."""
    declaration, _ = KERNELS["normal"]
    target, _ = noise_targets(declaration)
    assert target.free_symbols == {declaration.noise.variable, s}


def test_a_map_with_two_branches_has_no_target_in_the_noise():
    assert noise_targets(from_random((x + s * st.Normal("e", 0, 1)) ** 2, x)) is None


def test_kinks_leave_no_atoms():
    assert not derivative(sp.sign(y - x) * y, y).has(sp.DiracDelta)
    assert derivative(-(sp.Abs(y) ** nu), y).xreplace({y: sp.S.Zero, nu: sp.Integer(400)}) == 0


@pytest.mark.parametrize(
    "declaration, words",
    [
        (from_random(st.Normal("y", x, s), x), "without a level"),
        (from_density(-sp.Abs(y - x) - sp.cos(y - x) ** 2 / (1 + s), y, x, None, s, True), None),
    ],
)
def test_level_score_is_refused(declaration, words):
    if words is None and declaration.normalised is True:
        require_level_score(declaration)
        return
    with pytest.raises(DerivationError, match=words or "normalis"):
        require_level_score(declaration)


@pytest.mark.parametrize("expr", [sp.sign(y) * y + sp.Abs(y), (y**2 - x**2) / (y - x) / s, sp.exp(y) - sp.exp(y) * s])
def test_readable_never_changes_a_value(expr):
    shown = readable(expr)
    assert not shown.has(sp.Piecewise) and sp.count_ops(shown) <= sp.count_ops(expr)
    at = {y: sp.Rational(-3, 7), x: sp.Rational(2, 7), s: sp.Rational(5, 7)}
    assert abs((shown - expr).xreplace(at).evalf(20)) < 1e-18
