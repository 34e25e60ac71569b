"""Rewriting for code: the same value to 25 digits, and the float32 error that the rewriting is for."""

import jax.numpy as jnp
import jax.scipy.special as jsp
import mpmath
import pytest
import sympy as sp

from symdsm.codegen import special
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.derive import derivative
from symdsm.symbolic.nodes import (
    AbsPower,
    ExpGap,
    Expm1,
    Hypot,
    Log1p,
    Log1pSquare,
    LogBesselI,
    LogBesselIe,
    LogGap,
    Square,
)
from symdsm.symbolic.probe import numeric

y, x = sp.symbols("y x", real=True)
yp, xp, a, b, s = sp.symbols("y_p x_p a b s", positive=True)
gamma_law = (a - 1) * sp.log(yp / xp) - yp / xp - sp.log(xp) - sp.loggamma(a)
speckle = (a - 1) * sp.log(a * yp / xp) - a * yp / xp - sp.log(xp / a) - sp.loggamma(a)
nakagami = sp.log(2) + a * sp.log(a) - sp.loggamma(a) + (2 * a - 1) * sp.log(yp) - a * yp**2
student = -(a + 1) / 2 * sp.log(1 + y**2 / a) + sp.loggamma((a + 1) / 2) - sp.loggamma(a / 2) - sp.log(a * sp.pi) / 2

CASES = {
    "log1p": (sp.log(1 + yp), Log1p),
    "log1p of a square": (sp.log(1 + (y - x) ** 2 / a), Log1pSquare),
    "square": ((y - x) ** 2 / s**2 / a, Square),
    "fourth power": (yp**4 / s**4, Square),
    "hypotenuse": (1 / sp.sqrt(2 + (y - x) ** 2 / s**2), Hypot),
    "collapsing sum": (s * yp + s * (1 - yp) + sp.exp(x) - 1, Expm1),
    "logarithm of three": (sp.log(yp / (xp * s)) * a, sp.log),
    "expm1": (3 * sp.exp(y) - 3 + x, Expm1),
    "gamma law": (gamma_law, ExpGap),
    "speckle law": (speckle, LogGap),
    "nakagami law": (nakagami, LogGap),
    "log-gamma law": (a * y - sp.exp(y) - sp.loggamma(a), ExpGap),
    "student's constant": (student, Log1p),
    "von Mises law": (s * sp.cos(y - x) - LogBesselI(0, s), LogBesselIe),
    "power": ((sp.Abs(y - x) / s) ** b, AbsPower),
    "quotient in a logarithm": (a * (sp.log(yp) - sp.log(xp)) - yp, sp.log),
    "mixture": (sp.log(sp.exp(-(y**2)) + sp.exp(-((y - x) ** 2))), sp.Function),
}


@pytest.mark.parametrize("name", CASES)
def test_same_value_in_other_nodes(name):
    expr, node = CASES[name]
    found = stabilise(expr)
    assert found != expr and found.has(node)
    symbols = [y, x, yp, xp, a, b, s]
    with mpmath.workdps(40):
        for shift in (0, 1, 2):
            at = [mpmath.mpf(2 * k + 3 + shift) / 7 * (-1 if k < 2 and shift == 1 else 1) for k in range(7)]
            old, new = numeric(expr, symbols)(*at), numeric(found, symbols)(*at)
            assert abs(old - new) < 1e-25 * (1 + abs(old))


def single(expr, **values):
    """The printed expression in float32."""
    space = {"jnp": jnp, "jsp": jsp, "special": special, **{k: jnp.float32(v) for k, v in values.items()}}
    return float(eval(JaxPrinter().doprint(expr), space))


def exact(expr, **values):
    symbols = sorted(expr.free_symbols, key=lambda q: q.name)
    with mpmath.workdps(40):
        return float(numeric(expr, symbols)(*[mpmath.mpf(float(jnp.float32(values[q.name]))) for q in symbols]))


@pytest.mark.parametrize(
    "expr, values",
    [
        (gamma_law, {"y_p": 405.0, "x_p": 1.0, "a": 400.0}),
        (speckle, {"y_p": 1.03, "x_p": 1.01, "a": 400.0}),
        (nakagami, {"y_p": 1.01, "a": 400.0}),
        (student, {"y": 0.3, "a": 400.0}),
        (s * sp.cos(y - x) - LogBesselI(0, s), {"y": 0.52, "x": 0.5, "s": 400.0}),
    ],
)
def test_large_shapes_keep_their_digits_in_float32(expr, values):
    truth = exact(expr, **values)
    assert abs(single(stabilise(expr), **values) - truth) < 2e-6
    assert abs(single(expr, **values) - truth) > 4e-6


def test_a_logarithm_is_absorbed_by_its_neighbours():
    assert stabilise(sp.log(a) - sp.log(a * yp) - xp * yp) == -sp.log(yp) - xp * yp
    assert stabilise(-sp.log(yp) - b * sp.log(yp / xp)).has(sp.log(yp / xp))  # needed whole, with a symbol before it


def test_score_of_a_power_is_finite_at_its_kink():
    slope = derivative(stabilise(-((sp.Abs(y - x) / s) ** b)), y)
    assert single(slope, y=0.5, x=0.5, s=0.7, b=400.0) == 0
    assert single(slope, y=1.2, x=0.5, s=0.7, b=1.6) == pytest.approx(-1.6 / 0.7, rel=1e-5)


def test_small_expressions_are_left_alone():
    for expr in (-((y - x) ** 2) / 2 - sp.log(s) - sp.log(2 * sp.pi) / 2, y, sp.Integer(3)):
        assert stabilise(expr) == expr
