"""Shared parts: the names that a reader would give, and the same value after putting them back."""

import sympy as sp

from symdsm.codegen.naming import shared

y, x = sp.symbols("y x", real=True)
s, w = sp.symbols("s w", positive=True)


def put_back(named, expr):
    for symbol, value in reversed(named):
        expr = expr.xreplace({symbol: value})
    return expr


def names(exprs, y=y, x=x):
    named, reduced = shared(exprs, y, x)
    for before, after in zip(exprs, reduced, strict=True):
        assert sp.simplify(put_back(named, after) - before) == 0
    return [symbol.name for symbol, _ in named]


def test_residual_and_z():
    z = (y - x) / s
    assert names([-(z**2) / 2 - sp.log(s)]) == ["residual"]
    assert names([sp.exp(-z) + sp.cos(z)]) == ["residual", "z"]
    assert "residual" in names([(x - y) ** 3 / s, (y - x) ** 2])


def test_ratio_of_positive_values():
    yp, xp = sp.symbols("y x", positive=True)
    assert "ratio" in names([sp.exp(-yp / xp) + yp / xp, (yp / xp) ** 2], yp, xp)


def test_nothing_shared_is_nothing_named():
    assert names([y**2 + sp.sin(x)]) == []


def test_names_of_parameters_are_not_taken():
    t0, z = sp.symbols("t0 z", positive=True)
    u = (y - x) / z
    found = names([sp.exp(u) + sp.sin(w * t0) + u, sp.cos(w * t0) * u])
    assert len(set(found)) == len(found) and not {"t0", "z"} & set(found)


def test_same_text_whatever_the_order_of_construction():
    one = shared([(y - x) ** 2 * sp.exp(-s) + sp.exp(-s)], y, x)
    two = shared([sp.exp(-s) + sp.exp(-s) * (x - y) ** 2], y, x)
    assert str(one) == str(two)


def test_the_negative_of_a_name_is_not_named():
    t = 2 * s * w
    named, (value,) = shared([sp.exp(-t) + sp.log(t + 1) + sp.asinh(1 - t) + sp.Max(-t, w)], y, x)
    assert [n.name for n, _ in named] == ["t0"] and sp.exp(-named[0][0]) in value.args
