"""The Fisher information against textbook values, scipy's quadrature, and known conditions of finiteness."""

import numpy as np
import pytest
import scipy.integrate as integrate
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.errors import ParameterError
from symdsm.symbolic import information, information_terms
from symdsm.symbolic.constructors import from_density, from_random, mixture
from symdsm.symbolic.information import fisher_information

real, x = sp.Symbol("x", real=True), sp.Symbol("x", positive=True)
s, nu, a, b, L, k = sp.symbols("s nu a b L k", positive=True)
y = sp.Symbol("y", real=True)
z = st.Normal("z", 0, 1)

TEXTBOOK = {
    "gaussian": (st.Normal("y", real, s), real, s, 1 / s**2, True, 2 / s**2),
    "laplace": (st.Laplace("y", real, s), real, s, 1 / s**2, True, 1 / s**2),
    "logistic": (st.Logistic("y", real, s), real, None, 1 / (3 * s**2), True, None),
    "student": (real + s * st.StudentT("e", nu), real, s, (nu + 1) / (nu + 3) / s**2, True, 2 * nu / (nu + 3) / s**2),
    "cauchy": (st.Cauchy("y", real, s), real, s, 1 / (2 * s**2), True, 1 / (2 * s**2)),
    "speckle": (
        x * st.Gamma("e", L, 1 / L),
        x,
        L,
        L**2 / (x**2 * (L - 2)),
        (L > 2) | sp.Eq(L, 1),
        sp.polygamma(1, L) - 1 / L,
    ),
    "rayleigh": (st.Rayleigh("y", x), x, None, sp.oo, False, None),
    "log-normal": (x * sp.exp(s * z), x, s, (s**2 + 1) * sp.exp(2 * s**2) / (s * x) ** 2, True, 2 / s**2),
    "inverse gamma": (st.GammaInverse("y", a, x), x, a, a * (a + 1) * (a + 3) / x**2, True, sp.polygamma(1, a)),
    "maxwell": (st.Maxwell("y", x), x, None, 3 / x**2, True, None),
    "gennorm": (
        st.ExponentialPower("y", real, s, b),
        real,
        s,
        b**2 * sp.gamma(2 - 1 / b) / (s**2 * sp.gamma(1 / b)),
        b > sp.S.Half,
        b / s**2,
    ),
    "gumbel": (st.Gumbel("y", s, real), real, None, 1 / s**2, True, None),
    "uniform": (real + s * st.Uniform("e", -1, 1), real, s, sp.S.Zero, True, 1 / s**2),
    "inverse gaussian": (
        st.GaussianInverse("y", 1, L) * x,
        x,
        None,
        (L + sp.Rational(9, 2) + sp.Rational(21, 2) / L + sp.Rational(21, 2) / L**2) / x**2,
        True,
        None,
    ),
}


def close(expr, expected, **values):
    put = {sym: values.get(sym.name, 3.3) for sym in (expr.free_symbols | expected.free_symbols)}
    return abs(sp.N(expr.subs(put), 20) / sp.N(expected.subs(put), 20) - 1) < 1e-12


@pytest.mark.parametrize("name", TEXTBOOK)
def test_textbook_values(name):
    expr, clean, level, value, condition, in_level = TEXTBOOK[name]
    found = fisher_information(from_random(expr, clean, level))
    assert bool(sp.simplify_logic(found.condition) == sp.sympify(condition))
    if condition is False:
        assert found.expr == sp.oo
    elif value == 0:
        assert found.expr == 0
    else:
        assert close(found.expr, value)
    if in_level is not None:
        assert close(found.level_expr, in_level)


def test_the_exceptional_point_has_a_value_of_its_own():
    found = fisher_information(from_random(x * st.Gamma("e", L, 1 / L), x, L))
    assert found.expr.subs({L: 1, x: 2}) == sp.Rational(1, 4)


BY_QUADRATURE = {
    "von mises": (st.VonMises("y", real, k), real, {"k": 2.5}, scs.vonmises(2.5), (-np.pi, np.pi)),
    "weibull": (st.Weibull("y", x, k), x, {"k": 3.4, "x": 1.0}, scs.weibull_min(3.4), (0, 12)),
    "beta prime": (x * st.BetaPrime("e", a, b), x, {"a": 3.2, "b": 2.1, "x": 1}, scs.betaprime(3.2, 2.1), (0, np.inf)),
    "nakagami": (st.Nakagami("y", k, x), x, {"k": 2.3, "x": 1.0}, scs.nakagami(2.3), (0, 9)),
    "pareto": (st.Pareto("y", x, a), x, {"a": 1.7, "x": 1.0}, scs.pareto(1.7), (1, np.inf)),
}


@pytest.mark.parametrize("name", BY_QUADRATURE)
def test_against_scipy(name):
    expr, clean, values, law, (low, high) = BY_QUADRATURE[name]
    found = fisher_information(from_random(expr, clean))

    def square(v, h=1e-5):
        slope = (law.logpdf(v * (1 + h)) - law.logpdf(v * (1 - h))) / (2 * h * v) if v else 0.0
        return slope**2 * law.pdf(v)

    oracle, _ = integrate.quad(square, low, high, limit=200)
    assert (
        close(found.expr, sp.Float(oracle), **values)
        or abs(float(found.expr.subs({sym: values[sym.name] for sym in found.expr.free_symbols}).evalf()) / oracle - 1)
        < 1e-5
    )


def test_a_density_gives_what_its_noise_gives():
    laplace = from_density(-sp.Abs(y - real) / s, y, real, level=s, log=True)
    assert fisher_information(laplace).expr == s**-2
    assert fisher_information(laplace).level_expr == s**-2


def test_what_has_no_closed_form_says_so():
    one = from_random(st.Normal("y", real, s), real)
    found = fisher_information(mixture(((one, sp.Rational(1, 3)), (one, sp.Rational(2, 3)))))
    assert found.expr is None and "mixture" in found.method
    double_well = from_density(-((y**2 - real**2) ** 2) / s, y, real, log=True)
    assert fisher_information(double_well).expr is None


def test_a_planted_wrong_value_is_dropped(monkeypatch):
    declaration = from_random(st.Laplace("y", real, 2 * s), real)
    wrong = ("pivot", lambda *args: (information_terms.pivot_mean(*args)[0] * 2, sp.true))
    monkeypatch.setattr(information, "_RULES", (wrong,))
    found = fisher_information(declaration)
    assert found.expr is None and "disagreed" in found.method
    information._CACHE.clear()


def test_the_level_has_an_information_of_its_own():
    gauss = sd.families.gaussian()
    sigma = gauss.level
    assert gauss.fisher_information() == sigma**-2 and gauss.fisher_information(of="level") == 2 / sigma**2
    walk = sd.families.random_walk()
    size = sp.Symbol("n", integer=True, positive=True)
    assert sp.expand(walk.fisher_information() - (2 * size - 1) / walk.level**2) == 0
    assert walk.fisher_information(of="level") == 2 * size / walk.level**2
    with pytest.raises(ParameterError, match="noisy"):
        gauss.fisher_information(of="clean")


def test_a_vector_gaussian_has_the_information_of_its_moments():
    """Brownian motion in two coordinates from (X1, X2): covariance t I, so 2/(2 t^2) per coordinate."""
    x1, x2 = sp.symbols("x1 x2", real=True)
    t = sp.Symbol("t", positive=True)
    kernel = sd.Kernel.from_sde(sp.zeros(2, 1), sp.eye(2), sp.Matrix([x1, x2]), t)
    assert sp.simplify(kernel.fisher_information() - 2 / t) == 0
    assert sp.simplify(kernel.fisher_information(of="level") - 1 / t**2) == 0


def test_a_logistic_map_of_a_normal():
    """score = -(z + s (1 - 2y))/(s y (1 - y)), with y = logistic(logit x + s z): the mean of its square by scipy."""
    found = sd.families.logit_normal().fisher_information()
    at, scale = 0.3, 0.5

    def square(z):
        v = 1 / (1 + np.exp(-(np.log(at / (1 - at)) + scale * z)))
        return ((z + scale * (1 - 2 * v)) / (scale * v * (1 - v))) ** 2 * scs.norm.pdf(z)

    oracle, _ = integrate.quad(square, -12, 12)
    own = found.subs({sym: at if sym.name == "x" else scale for sym in found.free_symbols})
    assert abs(float(own) / oracle - 1) < 1e-8
