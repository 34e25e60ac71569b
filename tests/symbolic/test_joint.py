"""Kernels of several coordinates: change of variables, verdicts, information, equality; bad declarations."""

import copy
import pickle

import mpmath
import pytest
import sympy as sp
import sympy.stats as ss

import symdsm as sd
from symdsm.errors import DeclarationError
from symdsm.symbolic.nodes import plain

x, x1, x2 = sp.symbols("x x1 x2", real=True)
p = sp.Symbol("p", positive=True)
s, nu, L, a, b, k = sp.symbols("s nu L a b k", positive=True)
r, w = sp.Symbol("r", real=True), sp.Symbol("w")
A, B = ss.Normal("A", 0, 1), ss.Normal("B", 0, 1)
PAIR = sp.Matrix([x1, x2])
G = ss.MultivariateT("G", [0, 0], [[1, sp.S.Half], [sp.S.Half, 1]], nu)


def kernel(*rows, clean=PAIR, level=None):
    return sd.Kernel.from_random(sp.Matrix(rows), clean=clean, level=level)


def value(expr, **numbers):
    return mpmath.mpf(sp.N(plain(expr).subs({t: numbers[t.name] for t in expr.free_symbols}), 30))


POINT = {"y1": 0.7, "y2": 1.3, "x1": -0.4, "x2": 0.9, "x": 0.8, "s": 0.6, "r": -0.5, "nu": 3.5, "L": 4.0, "p": 1.7,
         "a": 3.0, "b": 1.5, "k": 0.8}  # fmt: skip


def test_triangular_kernel_is_the_normal_law_with_that_covariance():
    triangular = kernel(x1 + s * A, x2 + r * A + s * B)
    covariance = [[s**2, r * s], [r * s, r**2 + s**2]]
    direct = sd.Kernel.from_random(ss.Normal("y", [x1, x2], covariance), clean=PAIR)
    textbook = ss.density(ss.Normal("y", [x1, x2], covariance))(*sp.symbols("y1 y2", real=True))
    for one in (triangular, direct):
        assert abs(value(one.log_density, **POINT) - mpmath.log(value(textbook, **POINT))) < 1e-25
    assert triangular == direct
    assert sp.simplify(triangular.fisher_information() - (2 * s**2 + r**2) / s**4) == 0


@pytest.mark.parametrize("law", [
    ss.MultivariateT("y", [x1, x2], [[s**2, r * s], [r * s, 1 + r**2]], nu),
    ss.MultivariateLaplace("y", [x1, x2], [[s**2, 0], [0, 1]]),
    ss.NormalGamma("y", x1, k, a, b),
    ss.GeneralizedMultivariateLogGamma("y", sp.Rational(1, 3), nu, [1, p], [1, 2]),
], ids=lambda law: type(law.pspace.distribution).__name__)  # fmt: skip
def test_joint_laws_have_sympys_density(law):
    clean = sp.Matrix([t for t in (x1, x2, p) if t in law.pspace.distribution.free_symbols])
    own = sd.Kernel.from_random(law, clean=clean).log_density
    y = sp.symbols("y1 y2", real=True)
    theirs = ss.density(law)(*y).subs(
        {t: sp.Rational(str(POINT[t.name])) for t in (*y, *law.pspace.distribution.free_symbols)}
    )
    assert abs(value(own, **POINT) - mpmath.log(mpmath.mpf(sp.N(theirs.doit(), 30)))) < 1e-12


def test_linear_system_in_its_noises_is_solved_at_once():
    mixed = kernel(x1 + s * A + B, x2 + A - B)
    covariance = sp.Matrix([[s**2 + 1, s - 1], [s - 1, 2]])
    direct = sd.Kernel.from_random(ss.Normal("y", [x1, x2], covariance), clean=PAIR)
    assert mixed == direct


def test_every_branch_counts():
    squared = kernel((x1 + s * A) ** 2, x2 + B)
    root = mpmath.sqrt(POINT["y1"])
    both = sum(mpmath.npdf(sign * root, POINT["x1"], POINT["s"]) for sign in (1, -1)) / (2 * root)
    expected = mpmath.log(both * mpmath.npdf(POINT["y2"], POINT["x2"], 1))
    assert abs(value(squared.log_density, **POINT) - expected) < 1e-12


def test_components_of_a_joint_symbol_may_be_moved_and_scaled():
    moved = kernel(x1 + s * G[0], x2 + s * G[1], level=s)
    direct = sd.Kernel.from_random(
        ss.MultivariateT("y", [x1, x2], [[s**2, s**2 / 2], [s**2 / 2, s**2]], nu), clean=PAIR, level=s
    )
    assert moved == direct and hash(moved) == hash(direct)
    assert sp.simplify(moved.fisher_information() - direct.fisher_information()) == 0
    assert moved != kernel(x1 + s * G[0], x2 + 2 * s * G[1], level=s)


def test_verdicts():
    independent = kernel(x1 + s * A, p * ss.Gamma("b", L, 1 / L), clean=sp.Matrix([x1, p]), level=s).check()
    assert independent.holds == sp.Or(sp.Eq(L, 1), L > 2) and independent.level_holds == sp.true
    assert kernel(x1 + s * A, x2 + r * A + s * B, level=s).check().level_holds == sp.true
    exponential = ss.Exponential("E", 1)
    assert kernel(x1 + A, x2 + exponential).check().identity_holds == sp.false
    assert kernel(x1 + A + exponential, x2 + exponential).check().identity_holds == sp.false
    gamma = sd.Kernel.from_random(ss.NormalGamma("y", x, k, a, b), clean=x).check()
    assert gamma.identity_holds == sp.true and gamma.holds == (a > 2)
    laplace = sd.Kernel.from_random(ss.MultivariateLaplace("y", [x1, x2], [[1, 0], [0, 1]]), clean=PAIR)
    assert laplace.check().identity_holds == sp.true and laplace.check().holds == sp.false
    assert laplace.fisher_information() == sp.oo
    undecided = kernel(p * sp.exp(s * A), x2 + s * A + B, clean=sp.Matrix([p, x2]))
    assert undecided.check().holds is None and undecided.fisher_information() is None


def test_information_of_a_normal_gamma_law_by_quadrature():
    exact = sd.Kernel.from_random(ss.NormalGamma("y", x, k, a, b), clean=x).fisher_information()
    shape, rate, precision = 3.0, 1.5, 0.8

    def squares(t):
        centre = (shape - 1) / t - rate
        density = rate**shape * t ** (shape - 1) * mpmath.exp(-rate * t) / mpmath.gamma(shape)
        return density * (precision * t + centre**2 + 1 / (2 * t * t))

    found = mpmath.quad(squares, [0, 0.5, 1, 2, 5, 20, 60])
    assert abs(exact.subs({a: shape, b: rate, k: precision}) / found - 1) < 1e-6


def test_storage_and_reading():
    moved = kernel(x1 + s * G[0], x2 + s * G[1], level=s)
    assert sd.Kernel.from_json(moved.to_json()) == moved
    assert pickle.loads(pickle.dumps(moved)) == moved and copy.deepcopy(moved) == moved
    assert sd.Kernel.from_json(moved.to_json()).digest == moved.digest
    assert moved.params == (nu, s) and moved.normalised is True and moved.event_ndim == 1
    assert moved.subs({nu: 4}).params == (s,)
    assert repr(moved).startswith("Kernel(log p(y1, y2 | x1, x2) =")
    assert r"\log p(y_{1}, y_{2}\mid x_{1}, x_{2})" in moved._repr_latex_()
    one = sd.Kernel.from_random([x + A, x + s * B], clean=x)
    assert one.clean == x and one.noisy == sp.Matrix(sp.symbols("y1 y2", real=True))


BAD = [
    (lambda: sd.Kernel.from_random(x + A + B, clean=x), ["several random symbols", "sp.Matrix"]),
    (lambda: kernel(x1 + A, x2 + A), ["2 noisy coordinates and 1 of noise", "is one noise"]),
    (lambda: kernel(x1 + A + B, x2), ["y2 = x2", "noise of its own"]),
    (lambda: kernel(x1 + A + B, clean=x1), ["1 noisy coordinates and 2 of noise", "integral"]),
    (lambda: kernel(x1 + A + B, x2 + 2 * A + 2 * B), ["[[1, 1], [2, 2]] is singular"]),
    (lambda: kernel(x1 + A * B, x2 + A + B), ["_A*_B", "one after the other"]),
    (lambda: kernel(x1 + A, x2 + ss.Normal("A", 0, 2)), ["both called 'A'"]),
    (lambda: kernel(x1 + A, x2 + ss.Poisson("N", 2)), ["discrete law Poisson"]),
    (lambda: kernel(x1 + A, x2 + B, clean=[x1, x1]), ["x1, x1", "different symbols"]),
    (lambda: kernel(x1 + A, x2 + B, clean=[x1, x]), ["clean=x", "does not occur"]),
    (lambda: kernel(x1 + A, x2 + B, level=k), ["level=k", "does not occur"]),
    (lambda: sd.Kernel.from_random(sp.Matrix([[x1 + A, x2 + B]]), clean=PAIR), ["shape (1, 2)", "column"]),
    (lambda: sd.Kernel.from_random(x1 + 2 * G, clean=x1), ["x1 + 2*G", "G[0]"]),
    (lambda: kernel(x1 + G[0], x2 + G[0]), ["y2 = _G0 + x2", "noise of its own"]),
    (lambda: sd.Kernel.from_random(ss.Multinomial("M", 5, x, 1 - x), clean=x), ["law Multinomial", "Dirichlet"]),
    (lambda: sd.Kernel.from_random(ss.Normal("y", [x1, x2], [[1, 0], [0, s * w]]), clean=PAIR), ["s*w", "positive"]),
    (lambda: sd.Kernel.from_random(ss.MultivariateT("y", [x1, x2], [[1, 0], [0, 1]], w), clean=PAIR), ["dof = w"]),
    (lambda: sd.Kernel.from_random(ss.Normal("y", [x1, x2], sp.MatrixSymbol("S", 2, 2)), clean=PAIR), ["matrix"]),
    (lambda: kernel(x1 + sp.sign(A), x2 + B), ["sign(_A)", "flat or broken"]),
    (lambda: kernel(x1, x2), ["no random symbol"]),
    (lambda: sd.Kernel.from_random(["x1", x2 + A], clean=PAIR), ["'x1', a str"]),
    (lambda: kernel(x1 + A, x2 + B).change(sp.log), ["not real at", "Reals"]),
]  # fmt: skip


@pytest.mark.parametrize("declare, words", BAD)
def test_bad_declarations(declare, words):
    with pytest.raises(DeclarationError) as caught:
        declare()
    for word in words:
        assert word in str(caught.value)
