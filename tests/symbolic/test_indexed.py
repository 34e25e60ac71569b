"""Coupled densities: values and scores in words, capture, boundaries, sizes and bad input."""

import time

import numpy as np
import pytest
import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.indexed import declare, event_indices, parameter_derivative, score_expression
from symdsm.symbolic.indexed_gaussian import log_normaliser_derivative
from symdsm.symbolic.indexed_nodes import LogDet
from tests.coupled_cases import CASES, A, P, X, Y, arrays, i, j, m, n, s, total, x

PLAIN = ["precision", "neighbours", "Laplace walk", "stride", "anchor", "log of a product", "Huber", "ring"]
PLAIN += ["blur of y", "triangular", "capture", "total variation", "log of a sum"]


def numbers(e, case, values):
    """e with arrays and sizes put in; sums are written out by SymPy itself."""
    y, clean, parameters = values
    sizes, d = {}, declare(case.log_density, case.noisy, case.clean)
    named = {**parameters, "y": y, "x": clean}
    for r in d.readings:
        offset = r.offset.subs({q: sizes[q.name] for q in r.offset.free_symbols})
        sizes[r.size.name] = (named[r.base.name].shape[r.axis] - int(offset)) // int(r.stride)
    e = e.subs({q: sizes[q.name] for q in e.free_symbols if getattr(q, "name", None) in sizes}).doit()
    entries = {q: float(named[q.base.name][tuple(map(int, q.indices))]) for q in e.atoms(sp.Indexed)}
    scalars = {q: float(named[q.name]) for q in e.free_symbols if q.is_Symbol and np.ndim(named[q.name]) == 0}
    return float(e.xreplace(entries).xreplace(scalars))


@pytest.mark.parametrize("name", PLAIN)
def test_score_in_words_is_the_difference_quotient(name):
    case = CASES[name]
    y, clean, parameters = arrays(case)
    d = declare(case.log_density, case.noisy, case.clean)
    value = numbers(case.log_density, case, (y, clean, parameters))
    np.testing.assert_allclose(value, float(case.by_hand(y, clean, **parameters)), rtol=1e-5)
    words, event = score_expression(d), event_indices(d)
    for place in [(0,) * y.ndim, (1,) * y.ndim, tuple(q - 1 for q in y.shape)]:
        put = dict(zip(event, place, strict=True))
        ours = numbers(words.subs(put), case, (y, clean, parameters))
        step = np.zeros_like(y)
        step[place] = 1e-5
        ends = [numbers(case.log_density, case, (y + sign * step, clean, parameters)) for sign in (1, -1)]
        np.testing.assert_allclose(ours, (ends[0] - ends[1]) / 2e-5, rtol=1e-5, atol=1e-6)


def test_neighbours_have_their_boundary_terms():
    d = declare(CASES["neighbours"].log_density, Y, X)
    (q,) = event_indices(d)
    inner = Y[q - 1] - Y[q]
    outer = Y[q + 1] - Y[q]
    expected = {
        sp.Piecewise((outer / s**2, q <= n - 2), (0, True)),
        sp.Piecewise((inner / s**2, q >= 1), (0, True)),
    }
    found = set(sp.Add.make_args(sp.expand(score_expression(d))))
    assert {sp.expand(e) for e in expected} <= found
    assert sp.expand(score_expression(d) - sp.Add(*expected) - 2 * (X[q] - Y[q])) == 0


def test_a_sum_does_not_capture_its_own_index():
    d = declare(sp.Sum(Y[i] * Y[j], (i, 0, n - 1), (j, 0, n - 1)), Y, X)
    words = score_expression(d).subs(n, 4).doit()
    assert sp.expand(words - 2 * sum(Y[q] for q in range(4))) == 0


def test_a_stride_reaches_every_second_entry_only():
    d = declare(CASES["stride"].log_density, Y, X)
    (q,) = event_indices(d)
    even, odd = (sp.expand(score_expression(d).subs(q, place)) for place in (4, 5))
    assert even == sp.expand(-2 * (Y[4] - Y[5] - X[2]))
    assert odd == sp.expand(2 * (Y[4] - Y[5] - X[2]))


def test_sizes_are_read_from_shapes_and_are_no_parameters():
    d = declare(CASES["linear operator, t"].log_density, Y, X)
    assert [q.name for q in d.sizes] == ["m", "n"]
    assert [q.name for q in d.scalar_params] == ["nu"]
    assert [b.name for b in d.array_params] == ["A"]
    assert {b.name: tuple(map(str, shape)) for b, shape in d.shapes.items()} == {
        "y": ("n",),
        "A": ("n", "m"),
        "x": ("m",),
    }
    walk = declare(sp.Sum((Y[i + 1] - Y[i]) ** 2, (i, 0, n - 2)), Y, x)
    assert walk.shapes[walk.noisy] == (n,)
    rectangle = declare(total((total(A[i, j] * Y[j], (j, n)) - X[i]) ** 2, (i, m)), Y, X)
    assert {str(b): tuple(map(str, q)) for b, q in rectangle.shapes.items()}["A"] == ("m", "n")


def test_declared_shapes_and_the_users_symbols():
    """sp.Idx, shapes of bases and symbols without assumptions are taken as they come, and come back."""
    size, sigma = sp.symbols("size sigma")
    index, noisy = sp.Idx("i", size), sp.IndexedBase("y", shape=(size,))
    d = declare(-sp.Sum((noisy[index] - X[index]) ** 2, index) / sigma - size * sp.log(sigma), noisy, X)
    assert [str(q) for q in (*d.sizes, *d.scalar_params)] == ["size", "sigma"]
    (event,) = event_indices(d)
    assert sp.expand(score_expression(d) + 2 * (noisy[event] - X[event]) / sigma) == 0
    assert parameter_derivative(d, sigma).free_symbols >= {size, sigma}


def test_parameter_derivative():
    d = declare(CASES["neighbours"].log_density, Y, X)
    direct = sp.Sum((Y[i + 1] - Y[i]) ** 2, (i, 0, n - 2)) / s**3
    assert sp.expand((parameter_derivative(d, s) - direct).subs(n, 4).doit()) == 0


@pytest.mark.parametrize(
    ("log_density", "expected"),
    [
        (-total((Y[i] - X[i]) ** 2, (i, n)) / (2 * s**2), n / s),
        (-total((Y[i] - X[i]) ** 2, (i, n)) / (2 * s**2) - n * sp.log(s), 0),
        (-total(sp.Abs(Y[i] - total(A[i, j] * X[j], (j, m))) / s, (i, n)), n / s),
        (-total(P[i, j] * Y[i] * Y[j] / s**2, (i, n), (j, n)) + LogDet(P.label) / 2, n / s),
        (-total((Y[i, j] - X[i, j]) ** 4, (i, n), (j, m)) / s**4, m * n / s),
        (-total((Y[i] - X[i]) ** 2, (i, n)) / s**2 - total((Y[i] - X[i]) ** 4, (i, n)), None),
    ],
)
def test_scale_rule(log_density, expected):
    d = declare(log_density, Y, X)
    found = log_normaliser_derivative(d, s)
    assert (found is None) if expected is None else sp.expand(found - expected) == 0


def test_deriving_does_not_depend_on_the_size():
    """A thousand and a million coordinates written as numbers give the same normal form but for the number."""
    times = []
    for size in (10**3, 10**6):
        start = time.perf_counter()
        d = declare(sp.Sum((Y[i + 1] - Y[i]) ** 2, (i, 0, size - 2)), Y, x)
        assert d.shapes[d.noisy] == (size,)
        assert len(d.score) == 2
        times.append(time.perf_counter() - start)
    assert max(times) < 1.0


q = sp.Symbol("q", integer=True)
BAD = [
    (Y[i] ** 2, Y, X, "free index i"),
    (total(Y[i] * A[i, q], (i, n)), Y, X, "free index q"),
    (total(X[i], (i, n)), Y, X, "entries of y"),
    (sp.Symbol("y") ** 2, sp.Symbol("y"), X, "IndexedBase"),
    (total(sp.IndexedBase("y", integer=True)[i] ** 2, (i, n)), sp.IndexedBase("y", integer=True), X, "integer"),
    (total(Y[i] ** 2, (i, n)) + total(Y[i] ** 2, (i, m)), Y, X, "no array's shape tells"),
    (sp.Sum(Y[i] ** 2, (i, 1, n)), Y, X, "start at 0"),
    (total((Y[i] - Y[i - 1]) ** 2, (i, n)), Y, X, "index -1"),
    (total(Y[i**2], (i, n)), Y, X, "linear in the bound indices"),
    (total(Y[i] ** 2, (i, n)) + total(Y[i, j], (i, n), (j, n)), Y, X, "same number of indices"),
    (total(Y[i] * sp.Symbol("A") * A[i, i], (i, n)), Y, X, "with and without an index"),
    (total(Y[i] ** 2, (i, n)), Y, Y, "both clean and noisy"),
    (total(Y[i] ** 2 * sp.Symbol("c", imaginary=True), (i, n)), Y, X, "complex"),
]


@pytest.mark.parametrize(("log_density", "noisy", "clean", "words"), BAD)
def test_bad_input(log_density, noisy, clean, words):
    with pytest.raises(DeclarationError, match=words):
        declare(log_density, noisy, clean)
