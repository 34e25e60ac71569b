"""Sets, Booleans and points inside."""

import pytest
import sympy as sp
from sympy import Interval, S, oo

from symdsm.symbolic.nodes import Sigmoid, Softplus
from symdsm.symbolic.supports import image, inside_of, inside_set, interior_point, places_in, tidy

y, x = sp.symbols("y x", real=True)
a, b = sp.symbols("a b", positive=True)
HALF, UNIT, LINE = Interval.open(0, oo), Interval.open(0, 1), S.Reals


@pytest.mark.parametrize(
    "condition, expected",
    [
        (y / a > 0, y > 0),
        (sp.log(y / a) / b > 0, y > a),
        (y * a >= 0, y >= 0),
        (sp.And(y / a > 0, y / b < 1), sp.And(y > 0, y < b)),
        (y**3 / a > 0, y > 0),
        (y > x, y > x),
        (sp.true, sp.true),
    ],
)
def test_tidy(condition, expected):
    found = tidy(condition)
    for value in (-1.5, -0.2, 0.3, 2.5):
        put = {y: value, x: 0.4, a: 0.7, b: 1.9}
        assert bool(found.subs(put)) == bool(expected.subs(put))
    assert sp.count_ops(found) <= sp.count_ops(condition)


def test_what_follows_from_a_sign_goes():
    assert tidy(sp.And(y / a > 0, 1 / y**2 > 0)) == (y > 0)
    assert tidy(sp.And(y > 0, y**2 > 1)) == sp.And(y > 0, y**2 > 1)


@pytest.mark.parametrize("support", [HALF, UNIT, LINE, Interval(-1, 2), Interval.open(x, oo), sp.Union(UNIT, HALF)])
def test_inside_agrees_with_the_set(support):
    at = support.xreplace({x: S.Half})
    condition = inside_set(support, y).xreplace({x: S.Half})
    for value in (-2, -1, 0, S.Half, sp.Rational(3, 4), 1, 2, 7):
        assert condition.subs(y, value) == at.contains(sp.sympify(value))


def test_inside_of_a_positive_value():
    assert inside_of(HALF, a) is sp.true and inside_of(LINE, y) is sp.true


@pytest.mark.parametrize("support", [HALF, UNIT, LINE, Interval(2, 5), Interval.open(-oo, 3), sp.Union(UNIT, HALF)])
def test_interior_point(support):
    assert support.contains(interior_point(support)) is sp.true


@pytest.mark.parametrize("support", [HALF, UNIT, LINE, Interval(2, 5), Interval.open(-oo, 3)])
def test_places_lie_inside(support):
    assert all(support.contains(place) is sp.true for place in places_in(support)) and len(places_in(support)) > 2


def test_no_point_in_an_unknown_set():
    assert places_in(Interval(x, oo)) == []
    assert interior_point(sp.ConditionSet(y, sp.sin(y) > 2, S.Reals)) is None


@pytest.mark.parametrize(
    "g, support, expected",
    [
        (x + a * y, HALF, Interval.open(x, oo)),
        (x - a * y, HALF, Interval.open(-oo, x)),
        (a * y, UNIT, Interval.open(0, a)),
        (sp.exp(y), LINE, HALF),
        (sp.tanh(y), LINE, Interval.open(-1, 1)),
        (1 / (1 + sp.exp(-x - a * y)), LINE, UNIT),
        (Sigmoid(x + a * y), LINE, UNIT),
        (Softplus(x + a * y), LINE, HALF),
        (a / y, HALF, HALF),
    ],
)
def test_image(g, support, expected):
    v = sp.Symbol("v", positive=True) if support == HALF else y
    inside = sp.Gt(sp.Symbol("_", real=True), 0)
    assert image(g.xreplace({y: v}), v, support, sp.Symbol("_", real=True), inside, True) == expected
