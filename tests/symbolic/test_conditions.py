"""What a density needs of x and the parameters beyond their declared signs."""

import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.symbolic.conditions import conditions

x, rho, b = sp.symbols("x rho b", real=True)
p, s, a = sp.Symbol("x", positive=True), *sp.symbols("s a", positive=True)

TABLE = {
    "signs say all": (p * st.Gamma("e", a, 1 / a), p, set()),
    "a shape of either sign": (st.Gamma("y", x + b, a), x, {b + x > 0}),
    "both shapes": (st.Beta("y", a * x, a * (1 - x)), x, {x > 0, sp.Lt(x, 1)}),
    "a power under a logarithm": (st.Kumaraswamy("y", a, -1 / sp.log(1 - p**a)), p, {sp.Lt(p, 1)}),
    "a root": (st.Normal("y", rho * x, s * sp.sqrt(1 - rho**2)), x, {sp.Lt(rho**2, 1)}),
    "an interval": (x + st.Uniform("e", -s, b), x, {b + s > 0}),
    "the peak of a triangle": (x + st.Triangular("e", -s, s, b), x, {b + s >= 0, s >= b}),
    "a root with its logarithm": (st.Normal("y", x, sp.sqrt(1 - rho**2)), x, {sp.Lt(rho**2, 1)}),
    "a root in the mean": (st.Normal("y", x * sp.sqrt(1 - rho**2), s), x, {sp.Le(rho**2, 1)}),
    "minus a logarithm": (st.Normal("y", x, sp.sqrt(-sp.log(a))), x, {sp.Lt(a, 1)}),
    "an interval's length by a root": (x + st.Uniform("e", -s, sp.sqrt(b)), x, {b >= 0, sp.sqrt(b) + s > 0}),
}


@pytest.mark.parametrize(("noisy", "clean", "expected"), TABLE.values(), ids=TABLE)
def test_conditions(noisy, clean, expected):
    assert set(conditions(sd.Kernel.from_random(noisy, clean=clean)._declaration)) == expected


def test_conditions_move_with_the_coordinates():
    beta = sd.Kernel.from_random(st.Beta("y", a * p, a * (1 - p)), clean=p, level=a)
    assert conditions(beta.change(sp.log)._declaration) == (sp.Lt(p, 1),)
    mixed = sd.Kernel.mixture({beta: rho, beta.subs({a: 2 * a}): 1 - rho})
    assert set(conditions(mixed._declaration)) == {sp.Lt(p, 1), rho > 0, sp.Lt(rho, 1)}


def test_conditions_on_the_side_of_a_piece_that_the_noisy_value_chooses():
    y, w = sp.symbols("y w", real=True)
    pieces = sp.Piecewise((sp.log(w) + y - x, y < x), (sp.log(1 - w) - y + x, True))
    two_sided = sd.Kernel.from_density(pieces, y, x, log=True)
    assert set(conditions(two_sided._declaration)) == {w >= 0, sp.Le(w, 1)}


def test_conditions_of_a_rate_that_is_integrated():
    """The variance of the VP kernel is 1 - exp(-t (beta_min + t (beta_max - beta_min)/2))."""
    vp = sd.families.vp()._declaration
    (limit,) = conditions(vp)
    low, high, t = sp.symbols("beta_min beta_max t", positive=True)
    assert sp.simplify((limit.lhs - limit.rhs) / (low + t * (high - low) / 2)).is_positive


def test_a_condition_is_where_the_log_density_is_real():
    beta = sd.families.beta()._declaration
    (limit,) = conditions(beta)
    for value in (0.2, 0.9, 1.1, 3.0):
        put = {beta.clean: value, beta.level: 4.1, beta.noisy: sp.Rational(1, 3)}
        assert bool(limit.xreplace(put)) == (abs(sp.im(beta.plain_log_density.subs(put).evalf())) < 1e-9)
