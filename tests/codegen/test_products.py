"""Printed products overflow only where their value does, whatever their factors are."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from symdsm.codegen import special
from symdsm.codegen.naming import statements
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.stabilise import whole_powers
from symdsm.symbolic.nodes import Exp, Hump, Square

y, x = sp.symbols("y x", real=True)
a, s, t = sp.symbols("a s t", positive=True)

CASES = {
    "square of a quotient": y * Square(a / (s * t)),
    "inverse square of a product": (y - x) / (s * t) ** 2,
    "fourth power": (y - x) ** 3 / s**2,
    "square before a small divisor": a * Square(y / s) / t,
    "square times a sum": (y - a) * (1 + Square((y - a) / s)) / s**2,
    "three above one": a * s * t / y,
    "one above three": y / (a * s * t),
    "exponential": a * Exp(y / s) / t,
    "bounded function": a / (s * t) * Hump(y / (s * t)),
    "named product": a * (y / s) / t + sp.sin(y / s),
}


@pytest.mark.parametrize("name", CASES)
def test_finite_where_value_and_functions_are(name):
    """At the corners of 1e-15 to 1e15 in float32, against float64, in which none of these leaves the range."""
    expr = whole_powers(CASES[name])
    lines, (value,) = statements([expr], JaxPrinter().doprint, y, x)
    symbols = sorted(expr.free_symbols, key=str)
    corners = np.array(list(itertools.product([1e-15, 3e-6, 1.0, 7e7, 1e15], repeat=len(symbols)))).T
    found = _run(lines, value, symbols, corners.astype(np.float32))
    inner = [sp.Add(*e.args) if e.is_Add else e for e in expr.atoms(sp.Function, sp.Add)]
    parts = [expr, *inner, *(f for e in inner for f in e.args)]
    with np.errstate(all="ignore"):
        sizes = [np.abs(_numpy(e, symbols)(*corners)) for e in parts]
        held = np.max(np.broadcast_arrays(*sizes), axis=0) < 1e38
    assert held.sum() > 20
    assert np.all(np.isfinite(np.broadcast_to(found, held.shape)[held]))


def _numpy(expr, symbols):
    return sp.lambdify(symbols, expr.replace(lambda e: hasattr(e, "as_plain"), lambda e: e.as_plain()), "numpy")


def _run(lines, value, symbols, columns):
    space = {"jnp": jnp, "special": special, **{q.name: jnp.asarray(c) for q, c in zip(symbols, columns, strict=True)}}
    exec("\n".join([*lines, f"result = {value}"]), space)
    return np.asarray(space["result"], np.float64)
