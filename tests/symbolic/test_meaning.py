"""Equality of coupled kernels is that of their densities: at random small arrays, whatever the letters."""

import pytest
import sympy as sp

import symdsm as sd

Y, X, P = (sp.IndexedBase(name) for name in "yxP")
U, V = sp.IndexedBase("u"), sp.IndexedBase("v")
i, j, a, b = sp.symbols("i j a b", integer=True)
n, m = sp.symbols("n m", integer=True, positive=True)
s, nu = sp.symbols("s nu", positive=True)


def coupled(f, noisy=Y, clean=X, level=s):
    return sd.Kernel.from_density(f, noisy=noisy, clean=clean, level=level, log=True)


def form(noisy, clean, p, q, size):
    return sp.Sum(P[p, q] * (noisy[p] - clean[p]) * (noisy[q] - clean[q]), (p, 0, size - 1), (q, 0, size - 1))


REFERENCE = coupled(-form(Y, X, i, j, n) / (2 * s**2))
expanded = sp.Sum(P[a, b] * (Y[a] * Y[b] - X[a] * Y[b] - Y[a] * X[b] + X[a] * X[b]), (b, 0, n - 1), (a, 0, n - 1))


@pytest.mark.parametrize("same", [
    coupled(-form(Y, X, a, b, m) / (2 * s**2)),
    coupled(-form(U, V, i, j, n) / (2 * s**2), noisy=U, clean=V),
    coupled(-expanded / (2 * s**2)),
    coupled(sp.Sum(-P[j, i] * (X[j] - Y[j]) * (X[i] - Y[i]) / s**2 / 2, (i, 0, n - 1), (j, 0, n - 1))),
], ids=["letters", "arrays", "expanded", "reordered"])  # fmt: skip
def test_the_same_density_is_the_same_kernel(same):
    assert same == REFERENCE and hash(same) == hash(REFERENCE)


@pytest.mark.parametrize("other", [
    coupled(-form(Y, X, i, j, n) / s**2),
    coupled(-form(Y, X, i, j, n) / (2 * s**2), level=None),
    coupled(-(nu + n) / 2 * sp.log(1 + form(Y, X, i, j, n) / (s**2 * nu))),
    coupled(-form(Y, X, i, j, n) / (2 * s**2) - n * sp.log(s)),
    coupled(-sp.Sum((Y[i] - X[i]) ** 2, (i, 0, n - 1)) / (2 * s**2)),
    coupled(-sp.Sum(P[i, j] * (Y[i] - X[i]) * (Y[j] - X[i]) / (2 * s**2), (i, 0, n - 1), (j, 0, n - 1))),
], ids=["scale", "level", "tail", "factor", "matrix", "index"])  # fmt: skip
def test_another_density_is_another_kernel(other):
    assert other != REFERENCE
