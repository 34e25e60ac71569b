"""Kernels on the simplex and the sphere: sets, tangent scores, recognised laws, validity, what is refused."""

import pickle

import numpy as np
import pytest
import sympy as sp

import symdsm as sd
from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic.indexed_numbers import number
from symdsm.symbolic.manifolds import Simplex, Sphere
from symdsm.symbolic.nodes import NUMERIC
from symdsm.symbolic.serialise import dumps, loads

Y, X, Z = (sp.IndexedBase(name, real=True) for name in "yxz")
P = sp.IndexedBase("x", positive=True)
W = sp.IndexedBase("P", real=True)
i, j, k = sp.symbols("i j k", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
kappa, s = sp.symbols("kappa s", positive=True)


def total(f, *axes):
    return sp.Sum(f, *((a, 0, n - 1) for a in axes or (i,)))


def declared(f, support, clean=X, level=None, log=True):
    return sd.Kernel.from_density(f, noisy=Y, clean=clean, support=support, level=level, log=log)


def law(kernel):
    found = kernel._declaration.law
    return None if found is None else found.name


v = sp.log(Y[i]) - sp.log(P[i])
DISTANCE = total(v**2) - total(v) ** 2 / n
VOLUME = total(sp.log(Y[i]))
centred = sp.log(Y[i]) - total(sp.log(Y[j]), j) / n - P[i]
other = centred.subs(i, k)


def test_sets_know_their_points_and_travel():
    third = sp.Rational(1, 3)
    assert sp.Tuple(third, third, third) in Simplex() and sp.Tuple(sp.Rational(3, 5), sp.Rational(4, 5)) in Sphere()
    outside = [(Simplex(), (third, third)), (Simplex(), (2, -1)), (Sphere(), (1, 1)), (Sphere(), (1,))]
    assert not any(sp.Tuple(*map(sp.sympify, point)) in where for where, point in outside)
    assert Simplex() == Simplex() != Sphere()
    for where in (Simplex(), Sphere()):
        assert loads(dumps(where)) == where == pickle.loads(pickle.dumps(where)) == eval(str(where))
    assert (sd.Simplex, sd.Sphere) == (Simplex, Sphere)


@pytest.mark.parametrize(
    ("f", "support", "name", "normalised"),
    [
        (total((kappa * P[i] - 1) * sp.log(Y[i])), Simplex(), "Dirichlet", True),
        (total(kappa * X[i] * sp.log(Y[i])) + sp.cos(kappa), Simplex(), "Dirichlet", True),
        (-VOLUME / 2 + kappa * sp.log(Y[0]), Simplex(), "Dirichlet", True),
        (-DISTANCE / (2 * s**2) - VOLUME, Simplex(), "isotropic logistic-normal", None),
        (-total(W[i, k] * centred * other, i, k) / 2 - VOLUME, Simplex(), "logistic-normal", None),
        (-DISTANCE / (2 * s**2), Simplex(), None, None),
        (-total(v**2) / (2 * s**2) - VOLUME, Simplex(), None, None),
        (-total((Y[i] - X[i]) ** 2), Simplex(), None, None),
        (kappa * total(X[i] * Y[i]), Sphere(), "von Mises-Fisher", True),
        (-kappa * total((X[i] - Y[i]) ** 2) / 2, Sphere(), "von Mises-Fisher", True),
        (total(W[i, j] * X[j] * Y[i], i, j), Sphere(), "von Mises-Fisher", True),
        (kappa * total(X[i] * Y[i]) ** 2, Sphere(), None, None),
        (-total(X[i] * Y[i] ** 2), Sphere(), None, None),
    ],
)
def test_laws_are_recognised(f, support, name, normalised):
    kernel = declared(f, support, P if f.has(P) else X)
    assert law(kernel) == name
    assert kernel.normalised is normalised
    assert (name is None or "logistic" in name) == (kernel.check().fisher_information is None)


def test_a_product_is_a_dirichlet_too():
    kernel = declared(sp.Product(Y[i] ** (kappa * P[i]), (i, 0, n - 1)), Simplex(), P, kappa, log=False)
    assert law(kernel) == "Dirichlet" and kernel.level == kappa
    assert str(kernel.check().holds) == "kappa*x[j] + 1 > 2"


def test_a_logistic_normal_density_is_normalised_only_with_its_whole_factor():
    constant = (n - 1) * sp.log(2 * sp.pi * s**2) / 2 + sp.log(n) / 2
    assert declared(-DISTANCE / (2 * s**2) - VOLUME - constant, Simplex(), P, s).normalised is True
    short = declared(-DISTANCE / (2 * s**2) - VOLUME - constant + sp.log(n) / 2, Simplex(), P, s)
    assert short.normalised is None
    bare = declared(-DISTANCE / (2 * s**2) - VOLUME, Simplex(), P, s)
    point = values(3)
    y, x = (a.copy() for a in point["arrays"].values())
    d = np.log(y / x)
    exact = (sum(d**2) - sum(d) ** 2 / 3) / point["s"] ** 3 - 2 / point["s"]
    for kernel in (short, bare):
        assert put(kernel.level_score, point) == pytest.approx(float(exact), rel=1e-12)


def values(size, on="simplex"):
    rng = np.random.default_rng(4)
    y, x = rng.uniform(0.2, 1.0, (2, size))
    y, x = (a / a.sum() if on == "simplex" else a / np.linalg.norm(a) for a in (y, x))
    return {"arrays": {"y": y, "x": x}, "n": size, "kappa": 7.3, "s": 0.6}


def put(e, point, at=None):
    """A formula for people at numbers, its sums written out by SymPy."""
    by_name = {q.name: q for q in e.free_symbols if q.is_Symbol}
    e = e.subs({by_name[q]: point[q] for q in ("n", "kappa", "s") if q in by_name})
    e = e.subs(by_name["j"], at).doit() if at is not None and "j" in by_name else e.doit()
    entries = {q: sp.Float(float(point["arrays"][str(q.base.label)][int(q.indices[0])])) for q in e.atoms(sp.Indexed)}
    return float(sp.lambdify([], e.xreplace(entries), [NUMERIC, "mpmath"])())


@pytest.mark.parametrize("name", ["dirichlet", "logistic_normal", "von_mises_fisher"])
def test_the_formula_of_the_score_is_the_derivative_along_tangents(name):
    kernel = getattr(sd.families, name)()
    on = kernel.support.manifold
    point = values(3, on)
    point["sigma"] = point["s"]
    log_density = kernel.log_density.subs(kernel.level, point["s" if name == "logistic_normal" else "kappa"])
    score_formula = kernel.score.subs(kernel.level, point["s" if name == "logistic_normal" else "kappa"])
    y = point["arrays"]["y"]
    score = np.array([put(score_formula, point, at) for at in range(3)])
    normal = np.ones(3) if on == "simplex" else y
    assert abs(score @ normal) < 1e-9 * np.abs(score).max()
    for seed in (0, 1):
        tangent = np.random.default_rng(seed).normal(size=3)
        tangent -= normal * (tangent @ normal) / (normal @ normal)

        def along(t, tangent=tangent):
            moved = y + t * tangent
            moved = moved if on == "simplex" else moved / np.linalg.norm(moved)
            return put(log_density, point | {"arrays": point["arrays"] | {"y": moved}})

        assert (along(1e-5) - along(-1e-5)) / 2e-5 == pytest.approx(score @ tangent, rel=1e-6)


def test_the_verdicts():
    dirichlet, logistic, sphere = (getattr(sd.families, f)().check() for f in
                                   ("dirichlet", "logistic_normal", "von_mises_fisher"))  # fmt: skip
    for check in (dirichlet, logistic, sphere):
        assert check.identity_holds == check.level_holds == sp.true
    assert logistic.holds == sphere.holds == sp.true
    (entry,) = dirichlet.holds.atoms(sp.Indexed)
    level = next(q for q in dirichlet.holds.free_symbols if q.name == "kappa")
    held = [dirichlet.holds.subs({entry: 1, level: a}) for a in (0.5, 1, 1.5, 2, 2.5)]
    assert held == [sp.false, sp.true, sp.false, sp.false, sp.true]
    assert dirichlet.judge(kappa=3.0).variance is None and dirichlet.judge(kappa=3.0).identity is True
    assert "logistic_normal" in dirichlet.remedies[0].code
    assert dirichlet.mean_score == logistic.mean_score == 0
    assert "(n - 1) E[y | x]" in str(sphere)


@pytest.mark.parametrize(
    ("f", "support", "identity", "holds"),
    [
        (kappa * total(X[i] * Y[i]) ** 2, Sphere(), sp.true, sp.true),
        (sp.log(total(sp.Abs(Y[i]))) + total(X[i] * Y[i]), Sphere(), None, None),
        (-total((Y[i] - X[i]) ** 2), Simplex(), None, None),
    ],
)
def test_what_is_not_known_is_not_claimed(f, support, identity, holds):
    check = declared(f, support).check()
    assert check.identity_holds == identity and check.holds == holds


def test_no_denoiser_and_why():
    kernel = sd.families.von_mises_fisher()
    assert kernel.denoiser() is None
    assert "orthogonal to y" in str(kernel.check())


@pytest.mark.parametrize(
    ("f", "kwargs", "words"),
    [
        (total(Y[i, j] * X[i], i, j), {"support": Simplex()}, "one index"),
        (Y[0] * X[0], {"support": Sphere()}, "at least two entries"),
        (total(X[i] * Y[i]), {"support": sp.FiniteSet(1)}, "no list of points"),
        (total(X[i] * Y[i]), {"support": sp.Interval(0, s)}, "range of each entry"),
        (total(X[i] * Y[i]), {"support": "simplex"}, "a SymPy set"),
        (kappa * total(X[i] * Y[i]), {"support": Sphere(), "level": s}, "scalar parameters"),
        (kappa * total(X[i] * Y[i]), {"support": sp.S.EmptySet}, "not empty"),
    ],
)
def test_bad_declarations(f, kwargs, words):
    with pytest.raises(DeclarationError, match=words):
        sd.Kernel.from_density(f, noisy=Y, clean=X, log=True, **kwargs)


def test_one_number_is_on_no_manifold():
    y, x = sp.symbols("y x", real=True)
    with pytest.raises(DeclarationError, match="IndexedBase"):
        sd.Kernel.from_density(-((y - x) ** 2), noisy=y, clean=x, support=Simplex(), log=True)


def test_no_level_score_without_the_mass():
    kernel = declared(kappa * total(X[i] * Y[i]) ** 2, Sphere(), level=kappa)
    with pytest.raises(DerivationError, match="mass is not known"):
        _ = kernel.level_score
    with pytest.raises(DerivationError, match="without a level"):
        _ = declared(total(X[i] * Y[i]), Sphere()).level_score


def test_an_interval_for_each_entry_has_a_scale_only_about_zero():
    """On a half line y = s u keeps the support and y = x + s u does not; a normal's factor is not a truncated one's."""
    half = sp.Interval(0, sp.oo)
    about_zero = declared(-total(Y[i] ** 2) / (2 * s**2) - total(X[i] ** 2), half, level=s)
    assert sp.expand(about_zero.level_score - total(Y[i] ** 2) / s**3 + n / s) == 0
    normal = -total((Y[i] - X[i]) ** 2) / (2 * s**2) - n * sp.log(2 * sp.pi * s**2) / 2
    assert declared(normal, None, level=s).normalised is True
    truncated = declared(normal, half, level=s)
    assert truncated.normalised is None and truncated.support == half
    with pytest.raises(DerivationError):
        _ = truncated.level_score


def test_numbers_of_determinants_and_solutions():
    from symdsm.symbolic.families_coupled import multivariate_normal_covariance
    from symdsm.symbolic.indexed import declare
    from symdsm.symbolic.indexed_numbers import example

    f, noisy, clean, *_ = multivariate_normal_covariance()
    d = declare(f, noisy, clean)
    scalars, arrays = example(d, seed=2)
    y, x, C = (np.array(arrays[name], float) for name in "yxC")
    r = y - x
    exact = -r @ np.linalg.solve(C, r) / 2 - np.linalg.slogdet(C)[1] / 2 - 1.5 * np.log(2 * np.pi)
    assert float(number(d.expr, scalars, arrays)) == pytest.approx(exact, rel=1e-12)
