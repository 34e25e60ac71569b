"""Logarithms taken factor by factor: the node that is made, and the value at random points."""

import mpmath
import pytest
import sympy as sp

from symdsm.symbolic.logs import exact_log, stable_logs
from symdsm.symbolic.nodes import (
    LSE,
    Log1mExp,
    LogAbs,
    LogBesselI,
    LogCosh,
    LogExpm1,
    LogNdtr,
    SignedLSE,
    Softplus,
)
from symdsm.symbolic.probe import numeric

u, v = sp.symbols("u v", real=True)
p, w = sp.symbols("p w", positive=True)
MADE = [
    (sp.exp(u), u),
    (1 + sp.exp(u), Softplus(u)),
    (1 - sp.exp(-p), Log1mExp(-p)),
    (sp.exp(p) - 1, LogExpm1(p)),
    (sp.cosh(u), LogCosh(u)),
    (sp.erfc(u), sp.log(2) + LogNdtr(-sp.sqrt(2) * u)),
    (1 + sp.erf(u), sp.log(2) + LogNdtr(sp.sqrt(2) * u)),
    (1 - sp.erf(u), sp.log(2) + LogNdtr(-sp.sqrt(2) * u)),
    (sp.erfc(-u), sp.log(2) + LogNdtr(sp.sqrt(2) * u)),
    (sp.besseli(2, p), LogBesselI(2, p)),
    (sp.gamma(p), sp.loggamma(p)),
    (sp.exp(u) + sp.exp(v), LSE(u, v)),
    ((u - v) ** 2, 2 * LogAbs(u - v)),
    (p / w, sp.log(p) - sp.log(w)),
    (1 + sp.cos(u), sp.log(2) + 2 * LogAbs(sp.cos(u / 2))),
    (1 + sp.tanh(u), sp.log(2) - Softplus(-2 * u)),
    (p**w * sp.exp(-p), w * sp.log(p) - p),
]


@pytest.mark.parametrize("f, expected", MADE, ids=lambda e: str(e)[:24])
def test_the_node_that_is_made(f, expected):
    assert sp.expand(exact_log(f) - expected) == 0


VALUES = [
    (w * sp.exp(-(u**2)) + (1 - w) * sp.exp(-(u**2) / 100), 30),
    (2 * sp.exp(-u) - sp.exp(-2 * u), 30),
    (1 - u / sp.sqrt(w + u**2), 30),
    (1 + u / sp.sqrt(4 + u**2), 30),
    (2 - sp.erfc(u), 30),
    (1 - sp.cos(u), 30),
    (p**3 * sp.exp(-p) / sp.gamma(w) * sp.erfc(u) ** 2, 30),
    (sp.Piecewise((sp.exp(u), u < 0), (1 + sp.exp(-u), True)), 30),
]


@pytest.mark.parametrize("f, digits", VALUES, ids=lambda e: str(e)[:24])
def test_the_value_is_log_of_the_absolute_value(f, digits):
    symbols = [u, v, p, w]
    taken, direct = numeric(exact_log(f), symbols), numeric(f, symbols)
    with mpmath.workdps(digits):
        for at in ((-1.7, 0.3, 0.8, 0.6), (0.4, -0.2, 2.3, 0.3), (5.1, 1.0, 1.1, 0.9)):
            point = [mpmath.mpf(number) for number in at]
            assert abs(taken(*point) - mpmath.log(abs(direct(*point)))) < 1e-25


def test_sums_of_unknown_sign_keep_their_far_tail():
    taken = exact_log(w * sp.exp(-(u**2)) + (1 - w) * sp.exp(-(u**2) / 100))
    assert isinstance(taken, SignedLSE)
    far = taken.xreplace({u: sp.Integer(300), w: sp.Rational(7, 10)})
    assert abs(far.evalf(20) + 900 - sp.log(sp.Rational(3, 10)).evalf(20)) < 1e-15


def test_logs_inside_an_expression():
    f = u * sp.log(1 + sp.exp(v)) - sp.log((u - v) ** 2) / 2
    assert stable_logs(f) == u * Softplus(v) - LogAbs(u - v)
    assert stable_logs(sp.log(p / w)) == sp.log(p / w)
    assert stable_logs(u**2) == u**2
