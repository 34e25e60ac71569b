"""Shortened derivatives: the same value to 25 digits, in the functions that each rule promises."""

import mpmath
import pytest
import sympy as sp

from symdsm.codegen.shorten import fewer_divisions, powers_by_logs, shorten
from symdsm.symbolic.nodes import (
    LSE,
    BesselIRatio,
    Blend,
    Exp,
    Expm1,
    Log1p,
    LogAbs,
    LogBesselI,
    Sigmoid,
    Softmax,
    Softplus,
    Square,
    plain,
)
from symdsm.symbolic.probe import numeric

y, x = sp.symbols("y x", real=True)
yp, xp, a, b, s = sp.symbols("y_p x_p a b s", positive=True)
normal_parts = (-Square((y - x) / s) / 2 - sp.log(s), -Square((y - x) / a) / 2 - sp.log(a))

# expression, what must be gone, what must be there
CASES = {
    "ratio": (a * Expm1(2 * sp.log(yp) - 2 * sp.log(xp)), (Expm1, sp.log), ()),
    "absolute ratio": (Expm1(LogAbs(y) - LogAbs(x)), (Expm1, LogAbs), (sp.Abs,)),
    "softplus": (Expm1(sp.log(a / b) - Softplus(-y)), (Expm1, Softplus), (Sigmoid,)),
    "distributed": (xp * (yp / xp - 1) / a, (), ()),
    "exponential": (a * sp.exp(-a * y) - a - 1, (sp.exp,), (Expm1,)),
    "power as an exponential": (a * sp.exp(-b * sp.log(yp / xp)) - a - 1, (Expm1,), ()),
    "logistic": (2 * a * Sigmoid(y) - a + x, (Sigmoid,), (sp.tanh,)),
    "logistic of a logarithm": (Sigmoid(-sp.log(yp / xp)), (Sigmoid, sp.log), ()),
    "sign of a logarithm": (sp.sign(sp.log(yp / xp)), (sp.log,), (sp.sign,)),
    "softmax of two": (Softmax(1, y, x), (Softmax,), (Sigmoid,)),
    "softmax of two squares": (Softmax(0, *normal_parts), (Softmax, Square), (Sigmoid,)),
    "softmax of three stays": (Softmax(1, y, x, a), (), (Softmax,)),
    "half angles": (a * sp.sin(y) * sp.cos(y), (sp.cos,), (sp.sin,)),
    "sine that stands alone": (sp.sin(y) * sp.cos(y) / (2 + sp.sin(y)), (), (sp.cos,)),
    "logarithms": ((sp.log(yp) - Log1p(-yp)) * a, (Log1p, LogAbs), (sp.log,)),
    "logarithms of either sign": ((LogAbs(y) - sp.log(a)) * b, (sp.log,), (LogAbs,)),
    "Bessel functions": (a * sp.exp(LogBesselI(1, b) - LogBesselI(0, b)), (sp.exp, LogBesselI), (BesselIRatio,)),
    "inverses": (1 / yp + 1 / (1 - yp), (sp.Add,), ()),
    "powers": (yp**2 / (xp**2 * a), (), (Square,)),
}


@pytest.mark.parametrize("name", CASES)
def test_same_value(name):
    expr, gone, there = CASES[name]
    found = shorten(expr)
    assert not found.has(*gone) or not gone or gone == (sp.Add,)
    assert all(found.has(kind) for kind in there)
    assert sp.count_ops(found) <= sp.count_ops(expr) + 2
    symbols = [y, x, yp, xp, a, b, s]
    with mpmath.workdps(40):
        for shift in (1, 2, 3):
            at = [mpmath.mpf(2 * k + shift) / 17 * (-1 if k < 2 and shift == 1 else 1) for k in range(7)]
            old, new = numeric(expr, symbols)(*at), numeric(found, symbols)(*at)
            assert abs(old - new) < 1e-25 * (1 + abs(old))


def test_difference_of_overflowing_squares_keeps_its_sign():
    """At 1e25 scales both squares are infinite in float32; their weights are still 0 and 1."""
    inner = next(iter(shorten(Softmax(0, *normal_parts)).atoms(Sigmoid))).args[0]
    coefficient = sp.Poly(inner.subs(x, 0), y).coeff_monomial(y**2)
    assert sp.simplify(coefficient - (1 / (2 * a**2) - 1 / (2 * s**2))) == 0


def test_sums_of_logs_outside_are_left_alone():
    assert shorten(LSE(y, x)) == LSE(y, x)


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (1 / (1 + a * yp / xp), xp / (xp + a * yp)),
        ((1 + yp / xp) ** -2, (xp / (xp + yp)) ** 2),
        (1 / (1 + y / xp), None),
        (y * (a * Sigmoid(x - b) + s * Sigmoid(b - x)), y * Blend(b - x, s, a)),
        (a * Sigmoid(x) + s * Sigmoid(y), None),
    ],
)
def test_fewer_divisions(expr, expected):
    found = fewer_divisions(expr)
    assert found == (expr if expected is None else expected) and sp.simplify(plain(found - expr)) == 0


def test_powers_of_the_noisy_value_become_exponentials_of_a_shared_logarithm():
    expr = a * sp.log(yp / xp) - (yp / xp) ** a - s**b
    assert powers_by_logs(expr, yp) == a * sp.log(yp / xp) - Exp(a * sp.log(yp / xp)) - s**b
