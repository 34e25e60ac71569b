"""Leading terms against limits that are known, and conditions in their shortest form."""

import pytest
import sympy as sp

from symdsm.symbolic.booleans import tidy_boolean
from symdsm.symbolic.leading import Lead, d, leading, limit_of

x = sp.Symbol("x", real=True)
a, b = sp.symbols("a b", positive=True)

LEADS = {
    "power": (d**a * (1 + d), Lead(sp.S.One, a)),
    "a difference that cancels": (1 - (1 - d) ** a, Lead(a, sp.S.One)),
    "Mills' ratio": (sp.exp(-1 / (2 * d**2)) / sp.erfc(1 / (sp.sqrt(2) * d)), Lead(sp.sqrt(sp.pi / 2), -sp.S.One)),
    "logarithm": (sp.log(sp.log(1 + d)), Lead(-sp.S.One, m=sp.S.One)),
    "cosine at its zero": (1 - sp.cos(d), Lead(sp.S.Half, sp.Integer(2))),
    "Bessel K of order zero": (d * sp.besselk(0, d), Lead(sp.S.One, sp.S.One, sp.S.One)),
    "normal tail": (sp.exp(-((1 / d - x) ** 2) / 2), Lead(sp.exp(-(x**2) / 2), E=x / d - 1 / (2 * d**2))),
}


@pytest.mark.parametrize("name", LEADS)
def test_leading_terms(name):
    expr, expected = LEADS[name]
    found = leading(expr)
    assert sp.simplify(found.c - expected.c) == 0
    assert (found.p, found.m, sp.expand(found.E - expected.E)) == (expected.p, expected.m, 0)


def test_what_depends_on_an_unknown_sign_has_no_answer():
    assert leading(d**x + 1) is None
    assert limit_of(sp.erf(x / d)) is None
    assert limit_of(x / d) == sp.oo * sp.sign(x)


CONDITIONS = {
    "implied bound": ((a > 1) & (a > 2), a > 2),
    "contradiction": ((a < 1) & (a > 2), sp.false),
    "value outside": ((a > 1) & (sp.Eq(a, 1) | (a > 2)), a > 2),
    "value inside": (sp.Eq(a, 3) | (a > 2), a > 2),
    "closed bound": ((a >= 1) & (sp.Eq(a, 1) | (a > 2)), sp.Eq(a, 1) | (a > 2)),
    "weaker case": ((a > 2) | ((a > 2) & (b > 1)), a > 2),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_tidy_booleans(name):
    condition, expected = CONDITIONS[name]
    assert tidy_boolean(condition) == expected
