"""E[level_score^2 | x] in numbers: against closed forms from books and sums over a grid that differentiate p."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special as scp
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.codegen.build import unverified_program
from symdsm.errors import DerivationError, ParameterError
from symdsm.symbolic.constructors import from_random

pytestmark = pytest.mark.usefixtures("unoptimised")

x = sp.Symbol("x", real=True)
s = sp.Symbol("s", positive=True)


def resultant(k):
    return scp.i1(k) / scp.i0(k)


CLOSED = {  # name: clean value, parameters, information
    "student_t": (0.3, {"sigma": 0.7, "nu": 4.0}, 2 * 4 / 7 / 0.49),
    "logistic": (0.3, {"sigma": 0.7}, (3 + np.pi**2) / 9 / 0.49),
    "speckle": (2.0, {"L": 3.0}, scp.polygamma(1, 3.0) - 1 / 3),
    "von_mises": (0.3, {"kappa": 2.5}, 1 - resultant(2.5) / 2.5 - resultant(2.5) ** 2),
}


@pytest.mark.parametrize(
    "name", ["speckle", *(pytest.param(n, marks=pytest.mark.slow) for n in CLOSED if n != "speckle")]
)
def test_known_information(name, x64):
    """Lehmann and Casella (1998), table 2.5.1; Mardia and Jupp (2000), section 5.3, for the concentration."""
    clean, params, value = CLOSED[name]
    program = unverified_program(getattr(sd.families, name)()._declaration, "0" * 64)
    assert float(program.level_fisher(clean, **params)) == pytest.approx(value, rel=1e-7)


def summed(log_p, points, level):
    """The sum over a grid of (d log p/dlevel)^2 p, the derivative by differences of order h^4."""
    h = 1e-3 * level
    slope = (8 * (log_p(level + h) - log_p(level - h)) - (log_p(level + 2 * h) - log_p(level - 2 * h))) / (12 * h)
    return np.trapezoid(slope**2 * np.exp(log_p(level)), points)


Y = np.linspace(-15, 15, 30001)
ANGLE = np.linspace(-np.pi, np.pi, 4001)
TURNS = 2 * np.pi * np.arange(-6, 7)[:, None]
T = np.linspace(-45, 45, 20001)
UNIT = scp.expit(T)


def kumaraswamy(a, x=0.6):
    """Of median x in the coordinate log(y/(1 - y)): P(Y > y) = (1 - y^a)^b with b = -log 2/log(1 - x^a)."""
    b, log_y = -np.log(2) / np.log1p(-(x**a)), scp.log_expit(T)
    beyond = np.log(-np.expm1(a * log_y))
    return np.log(a * b) + a * log_y + (b - 1) * beyond + scp.log_expit(-T)


GRID = {
    "skew_normal": (0.0, {"sigma": 0.8, "alpha": 2.0}, lambda v: scs.skewnorm.logpdf(Y, 2.0, 0, v), Y, 0.8),
    "wrapped_normal": (0.0, {"sigma": 0.9}, lambda v: np.log(scs.norm.pdf(ANGLE + TURNS, 0, v).sum(0)), ANGLE, 0.9),
    "kumaraswamy": (0.6, {"a": 2.5}, kumaraswamy, T, 2.5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRID)
def test_quadrature(name, x64):
    clean, params, log_p, points, level = GRID[name]
    program = unverified_program(getattr(sd.families, name)()._declaration, "0" * 64)
    found = jax.jit(lambda v: program.level_fisher(v, **params))(clean)
    assert float(found) == pytest.approx(summed(log_p, points, level), rel=1e-6)


@pytest.mark.slow
def test_mixture(x64):
    """0.9 N(0, s^2) + 0.1 N(0, (4 s)^2): no closed form."""
    narrow, wide = (sd.Kernel.from_random(st.Normal("y", x, k * s), x, level=s) for k in (1, 4))
    kernel = sd.Kernel.mixture({narrow: sp.Rational(9, 10), wide: sp.Rational(1, 10)})
    program = unverified_program(kernel._declaration, "0" * 64)

    def log_p(v):
        return np.log(0.9 * scs.norm.pdf(Y, 0, v) + 0.1 * scs.norm.pdf(Y, 0, 4 * v))

    assert float(program.level_fisher(0.0, s=0.6)) == pytest.approx(summed(log_p, Y, 0.6), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "params", "value"),
    [
        (st.Triangular("e", -1, 1, 0), {}, np.inf),  # p ~ d at an edge that moves with s, and the score ~ 1/d
        (st.Kumaraswamy("e", sp.Symbol("a", positive=True), 2), {"a": 3.0}, np.inf),
        (st.Uniform("e", -1, 1), {}, 1 / 0.49),
        (st.Beta("e", 3, sp.Symbol("b", positive=True)), {"b": np.array([1.5, 3.0])}, [np.inf, 15 / 0.49]),
    ],
)
def test_where_it_diverges(noise, params, value, x64):
    program = unverified_program(from_random(x + s * noise, x, s), "0" * 64)
    assert np.allclose(program.level_fisher(jnp.array([0.0, 4.0]), s=0.7, **params), value)


def test_blocks_add(x64):
    """2/s^2 + 2 nu/((nu + 3) s^2), of equal levels."""
    nu = sp.Symbol("nu", positive=True)
    a = sd.Kernel.from_random(st.Normal("y", x, s), x, level=s)
    b = sd.Kernel.from_random(x + s * st.StudentT("z", nu), x, level=s)
    program = unverified_program(sd.Kernel.product({"a": a, "b": b})._declaration, "0" * 64)
    clean = {"a": jnp.zeros(3), "b": jnp.ones(3)}
    assert np.allclose(program.level_fisher(clean, s=0.7, nu=4.0), (2 + 8 / 7) / 0.49)


@pytest.mark.slow
def test_blocks_whose_level_scores_have_a_mean_do_not_add():
    a = sd.Kernel.from_random(x + s * st.Uniform("e", -1, 1), x, level=s)
    both, normal = sd.Kernel.product({"a": a, "b": a}), sd.Kernel.from_random(st.Normal("y", x, s), x, level=s)
    assert both.fisher_information(of="level") is None
    assert sd.Kernel.product({"a": a, "b": normal}).fisher_information(of="level") == 3 / s**2  # one mean is no harm
    program = unverified_program(both._declaration, "0" * 64)
    clean = {"a": jnp.zeros(2), "b": jnp.zeros(2)}
    with pytest.raises(DerivationError, match="do not add"):
        program.level_fisher(clean, s=0.5)
    value, error = program.fisher_estimate(jax.random.key(0), clean, 16, of="level", s=0.5)
    assert np.allclose(value, 16.0) and np.allclose(error, 0.0)  # (1/s + 1/s)^2, in every draw


def test_gaussian_arrays_and_states(x64):
    """2 n/s^2; and for an SDE the closed form in symbols."""
    program = unverified_program(sd.families.multivariate_normal_precision()._declaration, "0" * 64)
    given = {n: (jnp.array([[2.0, 0.5], [0.5, 1.0]]) if n == "P" else 0.7) for n in program._params}
    assert np.allclose(program.level_fisher(jnp.zeros((3, 2)), **given), 4 / 0.49)


def test_linear_diffusion(x64):
    kernel = sd.families.critically_damped()
    program = unverified_program(kernel._declaration, "0" * 64)
    given = {p.name: 0.6 + 0.1 * k for k, p in enumerate(kernel.params)}
    clean = np.array([0.4, 2.0])
    told = kernel.fisher_information(of="level")
    for value, found in zip(clean, program.level_fisher(jnp.asarray(clean), **given), strict=True):
        at = {p: given[p.name] for p in kernel.params} | {kernel.clean: value}
        assert float(found) == pytest.approx(float(told.subs(at)), rel=1e-8)


def within(pair, truth, errors=4):
    value, error = pair
    assert np.all(np.abs(np.asarray(value) - truth) < errors * np.asarray(error)), (value, error, truth)
    assert np.all(np.asarray(error) < 0.05 * truth)


def test_estimate_of_independent_draws(x64):
    program = unverified_program(sd.families.student_t()._declaration, "0" * 64)
    params = {"sigma": np.array([0.7, 2.0]), "nu": 4.0}
    clean, key = jnp.zeros((3, 2)), jax.random.key(1)
    pair = program.fisher_estimate(key, clean, **params)
    assert pair[0].shape == pair[1].shape == (3, 2)
    within(pair, 5 / 7 / params["sigma"] ** 2)
    within(program.fisher_estimate(key, clean, of="level", **params), 8 / 7 / params["sigma"] ** 2)


@pytest.mark.slow
def test_estimate_by_chains(x64):
    """Logistic entries: E|score|^2 = n/(3 s^2), n (3 + pi^2)/(9 s^2) in the level s."""
    y, x, i, n = sp.IndexedBase("y"), sp.IndexedBase("x"), sp.Symbol("i", integer=True), sp.Symbol("n", integer=True)
    s = sp.Symbol("s", positive=True)
    z = (y[i] - x[i]) / s
    total = sp.Sum(-z - 2 * sp.log(1 + sp.exp(-z)), (i, 0, n - 1))
    program = sd.Kernel.from_density(total, noisy=y, clean=x, level=s, log=True).compile()
    assert program.needs_chains
    key = jax.random.key(0)
    pair = program.fisher_estimate(key, jnp.zeros((2, 3)), s=0.7)
    assert pair[0].shape == (2,)
    within(pair, 1 / 0.49)
    within(program.fisher_estimate(key, jnp.zeros((2, 3)), of="level", s=0.7), (3 + np.pi**2) / 3 / 0.49)


@pytest.mark.slow
def test_estimate_of_an_elliptical_kernel(x64):
    """E|score|^2 = tr P (nu + n)/((nu + n + 2) s^2), 2 n nu/((nu + n + 2) s^2) in the level s: Lange et al. (1989)."""
    program = sd.families.multivariate_t().compile()
    precision = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.5]])
    given, key = {"P": precision, "nu": 4.0, "sigma": 0.7}, jax.random.key(0)
    with pytest.raises(DerivationError, match="fisher_estimate"):
        program.fisher(jnp.zeros(3), **given)
    with pytest.raises(DerivationError, match="fisher_estimate"):
        program.level_fisher(jnp.zeros(3), **given)
    pair = program.fisher_estimate(key, jnp.zeros((2, 3)), **given)
    assert pair[0].shape == (2,)
    within(pair, 4.5 * 7 / 9 / 0.49)
    within(program.fisher_estimate(key, jnp.zeros((2, 3)), of="level", **given), 24 / 9 / 0.49)


BAD = {
    "one draw": ({"draws": 1}, ParameterError, "from 2 on"),
    "no number": ({"draws": True}, ParameterError, "whole number"),
    "another name": ({"of": "scale"}, ParameterError, '"level"'),
    "no level": ({"of": "level"}, DerivationError, "without a level"),
    "a parameter of none": ({"nu": 2.0}, ParameterError, "unknown: nu"),
    "a negative scale": ({"s": -1.0}, ParameterError, "s > 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests(name):
    arguments, error, words = BAD[name]
    program = unverified_program(from_random(st.Normal("y", x, s), x), "0" * 64)
    with pytest.raises(error, match=words):
        program.fisher_estimate(jax.random.key(0), 0.0, **{"s": 1.0} | arguments)


def test_no_level_no_information():
    program = unverified_program(from_random(st.Normal("y", x, s), x), "0" * 64)
    with pytest.raises(DerivationError, match="without a level"):
        program.level_fisher(0.0, s=1.0)
