"""Printed code: parentheses, safe powers, and refusals that name the function and the nearest alternative."""

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import pytest
import sympy as sp

from symdsm.codegen import special
from symdsm.codegen.printer import JaxPrinter
from symdsm.errors import CodegenError
from symdsm.symbolic.nodes import LSE, LogBesselI, LogNdtr, Mills, Softplus

y, x = sp.symbols("y x", real=True)
s = sp.Symbol("s", positive=True)


@pytest.mark.parametrize(
    "expr, text",
    [
        (1 / Softplus(y), "1 / special.softplus(y)"),
        (Mills(y) ** 2, "special.mills(y) * special.mills(y)"),
        (sp.exp(-LogNdtr(y)), "jnp.exp(-special.log_ndtr(y))"),
        ((y - x) ** 2, "(y - x) * (y - x)"),
        (1 / (y - x) ** 2, "1 / (y - x)**2"),
        (sp.sqrt(s), "jnp.sqrt(s)"),
        (-(y + x), "-x - y"),
        (y / (2 * s), "y / (2 * s)"),
        (sp.Rational(1, 3) * y, "y / 3"),
        (sp.Rational(1, 2), "0.5"),
        (sp.And(y > x, y < 1), "(y > x) & (y < 1)"),
        (sp.besseli(0, y) ** 2, None),
    ],
)
def test_text(expr, text):
    printed = JaxPrinter().doprint(expr)
    if text is not None:
        assert printed.replace(" ", "") in {text.replace(" ", ""), _square(text)}
    value = eval(printed, {"jnp": jnp, "jsp": jsp, "special": special, "y": 0.7, "x": -0.4, "s": 1.3})
    put = {y: sp.Rational(7, 10), x: -sp.Rational(2, 5), s: sp.Rational(13, 10)}
    expected = expr.xreplace(put)
    if expected in (sp.true, sp.false):
        assert bool(value) == bool(expected)
    else:
        assert float(value) == pytest.approx(float(expected.evalf(20)), rel=1e-6)


def _square(text):
    return text.replace("(y - x)**2", "((y - x) * (y - x))").replace(" ", "")


NESTED = [
    1 / (1 + sp.exp(-y)) ** 3 - (y - x) / s**2,
    -((y - x) ** 3) / (2 * s) + sp.Abs(y) ** (s / 2) - s ** (-2 * s),
    (y * s) ** 4 / (x - (y - s)) - (x / y) / (s / x),
    LSE(y, -x, s) ** 2 / LogBesselI(s, s + 1) - sp.tanh(y) ** -2,
    sp.Piecewise((y**2, y > x), (sp.Piecewise((-y, x > s), (s, True)), True)) * -2,
    sp.Max(y, x, s) - sp.Min(y, -x),
    sp.exp(-(y**2) / 2) ** 2 * sp.sqrt(s) ** 3 / sp.pi - sp.EulerGamma,
]


@pytest.mark.parametrize("expr", NESTED, ids=range(len(NESTED)))
def test_nested_expressions_have_sympy_s_value(expr):
    code = compile(JaxPrinter().doprint(expr), "printed", "eval")
    for at in ((0.7, -0.4, 1.3), (-1.9, 0.6, 0.4), (2.2, 2.1, 0.9)):
        put = dict(zip((y, x, s), (sp.Float(v, 30) for v in at), strict=True))
        with jax.enable_x64(True):
            values = {k.name: jnp.asarray(float(v)) for k, v in put.items()}
            found = eval(code, {"jnp": jnp, "jsp": jsp, "special": special, **values})
        assert float(found) == pytest.approx(float(expr.xreplace(put).evalf(20)), rel=1e-12)


@pytest.mark.parametrize(
    "expr, words",
    [
        (sp.besselj(1, y), ("besselj", "besseli")),
        (sp.airyai(s), ("airyai", "besselk")),
        (sp.LambertW(s), ("LambertW", "density")),
        (1 + sp.hyper([s], [2], y) ** 2, ("hyper", "hyperexpand")),
        (sp.binomial(s, y), ("binomial", "gamma")),
        (sp.Function("f")(y), ("f", "jax")),
        (sp.Integral(sp.exp(-(y**2)), (y, 0, x)), ("Integral", "jax")),
        (sp.Derivative(sp.Function("f")(y), y), ("Derivative", "jax")),
        (sp.I * y, ("I", "jax")),
    ],
)
def test_refusals_name_the_function_and_the_nearest(expr, words):
    with pytest.raises(CodegenError) as caught:
        JaxPrinter().doprint(expr)
    assert all(word in str(caught.value) for word in words)


def test_names_replace_symbols():
    assert JaxPrinter({y: "noisy"}).doprint(y - 2 * x) == "noisy - 2 * x"


def test_gradient_through_a_branch_is_finite():
    printed = JaxPrinter().doprint(sp.Piecewise((y**2, y > 0), (-y, True)))
    f = eval(f"lambda y: {printed}", {"jnp": jnp})
    assert np.allclose(jax.vmap(jax.grad(f))(jnp.array([-2.0, 3.0])), [-1, 6])
