"""Linear SDEs: moments against the moment equations integrated by scipy, and the closed forms of the papers."""

import mpmath
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st
from scipy.integrate import solve_ivp

from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic import families_sde as families
from symdsm.symbolic.diffusion import transition
from symdsm.symbolic.moments import check_moments
from symdsm.symbolic.nodes import NUMERIC

x, v, z, X = sp.symbols("x v z X", real=True)
t = sp.Symbol("t", positive=True)
s, c, d, e = sp.symbols("s c d e", positive=True)
plane, space = sp.Matrix([x, v]), sp.Matrix([x, v, z])
given = {"clean": {x: X}, "initial": {v: st.Normal("v0", 0, s)}}

CASES = {
    "ve": families.ve(),
    "vp": families.vp(),
    "sub_vp": families.sub_vp(),
    "ou": families.ou(),
    "critically_damped": families.critically_damped(),
    "sqrt-time ve": (sp.S(0), sp.sqrt(2 * t), x, t),
    "cosine vp": (-sp.tan(sp.pi * t / 4) * x / 2, sp.sqrt(sp.tan(sp.pi * t / 4)), x, t),
    "growing noise": (-c * x, sp.sqrt(t), x, t),
    "other clocks": (sp.Matrix([-x, -t * v]), sp.diag(1, sp.sqrt(t)), plane, t),
    "coupled ou": (sp.Matrix([-2 * x + v, x - 3 * v]), sp.Matrix([[s, 1], [0, 1]]), plane, t),
    "coupled ou, any rates": (sp.Matrix([-c * x + e * v, e * x - d * v]), sp.Matrix([[s, 1], [0, 1]]), plane, t),
    "underdamped": (sp.Matrix([v, -x - v / 2]), sp.Matrix([0, s]), plane, t, {x: X}, {v: st.Normal("v0", 1, s)}),
    "overdamped": (sp.Matrix([v, -x - 3 * v + 1]), sp.Matrix([0, s]), plane, t, {x: X}, {v: 2}),
    "free particle": (sp.Matrix([v, 0]), sp.Matrix([0, s]), plane, t, {x: X}, {v: 0}),
    "three, oscillating": (sp.Matrix([v, z, -z - v]), sp.Matrix([0, 0, s]), space, t),
    "three, jordan": (sp.Matrix([v - x, z - v, -z]), sp.Matrix([0, 0, s]), space, t),
}


def moments_by_ode(sde, values, times):
    """Integrate m' and S' from the SDE itself, with nothing taken from the code under test but the start."""
    drift, diffusion, state, time, *starts = sde
    clean, initial = (list(starts) + [None, None])[:2]
    state, drift, diffusion = (p if isinstance(p, sp.MatrixBase) else sp.Matrix([p]) for p in (state, drift, diffusion))
    n = len(state)
    law = dict(initial or {})
    mean, cov = [], []
    for symbol in state:
        start = law.get(symbol, (clean or {}).get(symbol, symbol))
        random = start in st.random_symbols(start) if isinstance(start, sp.Basic) else False
        mean.append(float(sp.sympify(st.E(start) if random else start).subs(values)))
        cov.append(float(st.variance(start).subs(values)) if random else 0.0)
    a = sp.lambdify(time, drift.jacobian(state).subs(values), "numpy")
    o = sp.lambdify(time, drift.subs(dict.fromkeys(state, 0)).subs(values), "numpy")
    q = sp.lambdify(time, (diffusion * diffusion.T).subs(values), "numpy")

    def rhs(time, flat):
        m, S = flat[:n], flat[n:].reshape(n, n)
        A = np.asarray(a(time), float)
        return np.concatenate([A @ m + np.ravel(o(time)), (A @ S + S @ A.T + q(time)).ravel()])

    start = np.concatenate([mean, np.diag(cov).ravel()])
    flat = solve_ivp(rhs, (1e-12, times[-1]), start, t_eval=times, rtol=1e-10, atol=1e-12, method="DOP853").y
    return [(column[:n], column[n:].reshape(n, n)) for column in flat.T]


def numbers(expr, values):
    expr = expr if isinstance(expr, sp.MatrixBase) else sp.Matrix([expr])
    symbols = sorted(expr.free_symbols, key=str)
    function = sp.lambdify(symbols, expr, [NUMERIC, "mpmath"])
    return np.array(function(*(mpmath.mpf(values[a]) for a in symbols)).tolist(), float)


def values_for(sde, result):
    """Parameters apart from each other, increasing by name but sigma_max above sigma_min."""
    symbols = set().union(*(sp.sympify(p).free_symbols for p in (result.mean, result.covariance, *sde[:2])))
    fixed = {"sigma_min": 0.3, "sigma_max": 2.5, "beta_min": 0.4, "beta_max": 3.0, "e": 0.7}
    return {a: fixed.get(a.name, 0.6 + 0.17 * k) for k, a in enumerate(sorted(symbols, key=str))}


SLOW = ("coupled ou, any rates", "three, oscillating")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in CASES])
def test_moments_solve_the_moment_equations(name):
    sde = CASES[name]
    result = transition(*sde)
    values = {a: w for a, w in values_for(sde, result).items() if a != t}
    times = (0.05, 1.3)
    for now, (mean, covariance) in zip(times, moments_by_ode(sde, values, times), strict=True):
        at = values | {t: now}
        np.testing.assert_allclose(numbers(result.mean, at).ravel(), mean, rtol=2e-8, atol=1e-10)
        np.testing.assert_allclose(numbers(result.covariance, at), covariance, rtol=2e-8, atol=1e-10)


def test_closed_forms_of_song_et_al():
    low, high = sp.symbols("beta_min beta_max", positive=True)
    B = low * t + (high - low) * t**2 / 2
    r = transition(*families.vp())
    assert sp.expand(sp.log(r.mean / families.x), force=True).equals(-B / 2)
    at = {low: 0.1, high: 20.0, t: 0.37, families.x: 1.7}
    b = 0.1 * 0.37 + 19.9 * 0.37**2 / 2
    assert numbers(r.covariance, at)[0, 0] == pytest.approx(1 - np.exp(-b), rel=1e-14)
    assert numbers(transition(*families.sub_vp()).covariance, at)[0, 0] == pytest.approx(
        (1 - np.exp(-b)) ** 2, rel=1e-14
    )
    lo, hi = sp.symbols("sigma_min sigma_max", positive=True)
    ve = numbers(transition(*families.ve()).covariance, {lo: 0.01, hi: 50.0, t: 0.4})[0, 0]
    assert ve == pytest.approx((0.01 * 5000**0.4) ** 2 - 0.01**2, rel=1e-13)


def test_closed_form_of_dockhorn_et_al():
    """Appendix B.1 of arXiv 2112.07068: mean and covariance with constant beta, B = beta t, Gamma = 2 sqrt(M)."""
    r = transition(*families.critically_damped())
    M, g, beta, time = 0.25, 0.04, 4.0, 0.3
    G, B = 2 * np.sqrt(M), beta * time
    k = np.exp(-2 * B / G)
    mean = np.array([2 * B / G + 1, -B]) * 1.7 * k
    xx = np.exp(4 * B / G) - 1 - 4 * B / G - 8 * B**2 / G**2 + 16 * B**2 / G**4 * g * M
    xv = 4 * B**2 / G + 4 / G**2 * (B - 2 * B**2 / G) * g * M
    vv = G**2 / 4 * (np.exp(4 * B / G) - 1) + B * G - 2 * B**2 + g * M * (1 + 4 * B**2 / G**2 - 4 * B / G)
    values = dict(zip(sp.symbols("M gamma beta t", positive=True), (M, g, beta, time), strict=True))
    values[families.X] = 1.7
    np.testing.assert_allclose(numbers(r.mean, values).ravel(), mean, rtol=1e-13)
    np.testing.assert_allclose(numbers(r.covariance, values), np.array([[xx, xv], [xv, vv]]) * k**2, rtol=1e-12)


@pytest.mark.parametrize("name", ["vp", "sub_vp", "ou", "ve", "critically_damped"])
def test_variances_keep_their_digits_near_time_zero(name):
    """In double precision at t = 1e-9 the written-out forms have no digits left."""
    r = transition(*CASES[name])
    values = values_for(CASES[name], r) | {t: 1e-9}
    with mpmath.workdps(60):
        exact = numbers(r.covariance, values)
    np.testing.assert_allclose(numbers(r.covariance, values), exact, rtol=1e-6)
    assert exact[0, 0] > 0


def test_result_says_what_it_is():
    r = transition(*families.critically_damped())
    assert r.clean == (families.X,) and r.time == families.t and r.mean.shape == (2, 1)
    r = transition(*families.ou())
    assert r.clean == (families.x,) and isinstance(r.covariance, sp.Expr)


def test_check_finds_planted_faults():
    one = sp.Matrix([1])
    right = dict(matrix=-one, offset=0 * one, noise=2 * one, start=x * one, spread=0 * one, t=t)
    m, S = sp.Matrix([x * sp.exp(-t)]), sp.Matrix([1 - sp.exp(-2 * t)])
    assert check_moments(m, S, **right) is None
    assert "mean's equation" in check_moments(m.subs(t, 2 * t), S, **right)
    assert "covariance's equation" in check_moments(m, S * 2, **right)
    assert "does not begin" in check_moments(2 * m, S, **right)
    assert "initial one" in check_moments(m, sp.Matrix([1 + sp.exp(-2 * t)]), **right)
    assert check_moments(m, 0 * S, **(right | {"noise": 0 * one})) == "singular"


BAD = {
    "nonlinear": ((-(x**3), s, x, t), {}, "not linear"),
    "nonlinear, vector": ((sp.Matrix([v, -sp.sin(x)]), sp.eye(2), plane, t), {}, "not linear"),
    "geometric": ((-x, s * x, x, t), {}, "depends on the state"),
    "shapes": ((sp.Matrix([v]), sp.eye(2), plane, t), {}, "shape"),
    "state": ((x, s, x + v, t), {}, "symbols"),
    "no start": ((sp.Matrix([v, -v]), sp.Matrix([0, s]), plane, t), {"clean": {x: X}}, "no start for v"),
    "unknown": ((-x, s, x, t), {"clean": {z: X}}, "each of x"),
    "twice": ((sp.Matrix([v, -v]), sp.eye(2), plane, t), {"clean": {x: X, v: z}, "initial": {v: 0}}, "once"),
    "law": ((sp.Matrix([v, -v]), sp.eye(2), plane, t), {"initial": {v: st.Laplace("l", 0, 1)}}, "normal law"),
    "law in time": ((sp.Matrix([v, -v]), sp.eye(2), plane, t), {"initial": {v: t}}, "without the time"),
    "no clean": ((-x, s, x, t), {"initial": {x: 0}}, "no clean component"),
    "same clean": ((sp.Matrix([-x, -v]), sp.eye(2), plane, t), {"clean": {x: X, v: X}}, "different clean"),
    "no noise": ((-x, sp.S(0), x, t), {}, "does not reach"),
    "noise short": ((sp.Matrix([-x, -v]), sp.Matrix([s, 0]), plane, t), {}, "does not reach"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_sdes(case):
    args, more, words = BAD[case]
    with pytest.raises(DeclarationError, match=words):
        transition(*args, **more)


def test_undecided_damping_asks_for_assumptions():
    a, b = sp.symbols("a b", positive=True)
    with pytest.raises(DerivationError, match="sign"):
        transition(sp.Matrix([v, -a * x - b * v]), sp.Matrix([0, s]), plane, t, **given)


def test_singular_start_is_refused():
    with pytest.raises(DerivationError):
        transition(-x / t, s, x, t)
