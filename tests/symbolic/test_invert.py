"""Solving y = g(e): 22 maps solved with no missing and no spurious branch, 6 refused, on random numbers.

missing: each noise value is found among the branches of its image; spurious: each valid branch maps back.
"""

import random

import mpmath
import pytest
import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.invert import invert
from symdsm.symbolic.nodes import Sigmoid, Softplus
from symdsm.symbolic.probe import numeric

e, y, x = sp.symbols("e y x", real=True)
r = sp.Symbol("r", positive=True)
s, a = sp.symbols("s a", positive=True)

# map, noise, number of branches
SOLVED = {
    "shift and scale": (x + s * e, e, 1),
    "scale": (a * r, r, 1),
    "heteroscedastic": (x * a + sp.sqrt(x**2 + s) * e, e, 1),
    "exp": (a * sp.exp(s * e), e, 1),
    "log": (x + sp.log(r) / s, r, 1),
    "power of a positive": (a * r ** (1 / s), r, 1),
    "reciprocal": (a / r, r, 1),
    "reciprocal of real": (x + 1 / e, e, 1),
    "square": (a * e**2, e, 2),
    "shifted square": ((x + s * e) ** 2, e, 2),
    "cube": ((x + s * e) ** 3, e, 1),
    "fourth power": (x + e**4, e, 2),
    "inverse square": (1 / e**2, e, 2),
    "absolute value": (sp.Abs(x + s * e), e, 2),
    "square root": (x + sp.sqrt(r), r, 1),
    "sinh": (sp.sinh(x + s * e), e, 1),
    "cosh": (sp.cosh(e), e, 2),
    "tanh": (sp.tanh(x + s * e), e, 1),
    "arctan": (sp.atan(x + s * e), e, 1),
    "asinh": (sp.asinh(e / s), e, 1),
    "erf": (sp.erf(x + s * e), e, 1),
    "sigmoid as typed": (1 / (1 + sp.exp(-x - s * e)), e, 1),
    "sigmoid": (Sigmoid(x + s * e), e, 1),
    "softplus": (Softplus(x + s * e), e, 1),
    "square in exp": (sp.exp(e) + sp.exp(2 * e), e, None),
    "quadratic": (e + s * e**2, e, 2),
    "leaky": (sp.Piecewise((e, e > 0), (a * e, True)) + x, e, 2),
    "base": (2**e, e, 1),
}


@pytest.mark.parametrize("name", SOLVED)
def test_no_branch_is_missing_and_none_invented(name):
    g, noise, count = SOLVED[name]
    branches = invert(g, noise, y)
    assert count is None or len(branches) == count
    symbols = [noise, x, s, a]
    forward = numeric(g, symbols)
    faces = [(numeric(b.inverse, [y, x, s, a]), numeric(b.condition, [y, x, s, a])) for b in branches]
    rng = random.Random(7)
    with mpmath.workdps(60):
        for _ in range(60):
            rest = [mpmath.mpf(v) for v in (rng.gauss(0, 1), rng.uniform(0.3, 2), rng.uniform(0.3, 2))]
            value = mpmath.mpf(rng.gauss(0, 1.2))
            value = abs(value) if noise.is_positive else value
            image = mpmath.re(forward(value, *rest))
            found = [mpmath.re(inverse(image, *rest)) for inverse, valid in faces if bool(valid(image, *rest))]
            assert any(abs(root - value) < 1e-12 * (1 + abs(value)) for root in found)
            assert all(abs(forward(root, *rest) - image) < 1e-12 * (1 + abs(image)) for root in found)


REFUSED = {
    "tan": (sp.tan(e), "tan"),
    "cos": (sp.cos(x + e), "cos"),
    "e |e|": (e * sp.Abs(e), "several places"),
    "full cubic": (e + e**3 + x, "several places"),
    "e + exp e": (x + e + sp.exp(e), "several places"),
    "Max": (sp.Max(x + e, 0), "atoms"),
    "sign": (sp.sign(e), "atoms"),
    "no noise": (x + 1, "without the noise"),
    "real power": (e ** sp.Rational(1, 3), "power"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(name):
    g, words = REFUSED[name]
    with pytest.raises(DeclarationError, match=words.replace("|", "[|]")):
        invert(g, e, y)
