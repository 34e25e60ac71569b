"""Laws on the circle are recognised however they are written, and nothing else is."""

import pytest
import sympy as sp

from symdsm.symbolic.circular_laws import circular_draw
from symdsm.symbolic.laws import Draw
from symdsm.symbolic.nodes import LogWrappedNormal

x, y = sp.symbols("x y", real=True)
k, s, r = sp.symbols("k s r", positive=True)
POINTS = [{x: 0.4, k: 1.3, s: 0.8, r: 0.3}, {x: -1.7, k: 0.2, s: 2.1, r: 0.7}]
d, t = y - x, sp.tanh(s / 2)
TURN = 2 * sp.pi


def drawn(kind, shape):
    return Draw(sp.Symbol(kind), 0, shape)


CASES = {
    "cosine": (k * sp.cos(d), TURN, x + drawn("von_mises", k)),
    "cosine about another mean": (k * sp.cos(y - 2 * x) - sp.log(k), TURN, 2 * x + drawn("von_mises", k)),
    "half angle": (-2 * k * sp.sin(d / 2) ** 2, TURN, x + drawn("von_mises", k)),
    "sums of products": (k * (sp.cos(x) * sp.cos(y) + sp.sin(x) * sp.sin(y)), TURN, None),
    "hours": (k * sp.cos(sp.pi * d / 12), 24, x + drawn("von_mises", k) * 12 / sp.pi),
    "Poisson's kernel": (
        -sp.log(1 + r**2 - 2 * r * sp.cos(d)),
        TURN,
        x + drawn("wrapped_cauchy", sp.Abs(r - 1) / (r + 1)),
    ),
    "half angles": (
        -sp.log(sp.sin(d / 2) ** 2 + t**2 * sp.cos(d / 2) ** 2),
        TURN,
        x + drawn("wrapped_cauchy", t),
    ),
    "wrapped normal": (LogWrappedNormal(d, s), TURN, x + drawn("wrapped_normal", s)),
}


@pytest.mark.parametrize("name", CASES)
def test_laws_are_recognised(name):
    log_density, period, expected = CASES[name]
    found = circular_draw(log_density, y, sp.sympify(period), x, POINTS)
    if expected is None:
        (call,) = found.atoms(Draw)
        assert call.args[0].name == "von_mises" and sp.simplify(call.args[2] - k) == 0
    else:
        assert sp.simplify(found - expected) == 0


@pytest.mark.parametrize(
    "other",
    [
        sp.log(1 + 2 * r / 3 * sp.cos(d)),
        k * sp.cos(d) + r * sp.cos(2 * d),
        k * sp.cos(2 * d),
        -2 * sp.log(1 + r**2 - 2 * r * sp.cos(d)),
        k * sp.cos(d) ** 3,
        k * sp.cos(d + r * sp.sin(d)),
        LogWrappedNormal(2 * d, s),
        2 * sp.log(sp.Abs(sp.cos(d / 2))),  # zero opposite its mode: no concentration is large enough
    ],
    ids=str,
)
def test_other_laws_are_not(other):
    assert circular_draw(other, y, TURN, x, POINTS) is None
