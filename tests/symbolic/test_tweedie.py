"""What the marginal score identifies, against exact posteriors.

For each kernel a density written by hand from a textbook, a prior of two bumps as a sum over quadrature nodes, and the
score of its marginal by differentiating that sum with 30 digits: E[T(x) | y] by Bayes against the formula.
"""

import mpmath
import pytest
import sympy as sp
import sympy.stats as st
from mpmath import mp

import symdsm as sd
from symdsm.symbolic.tweedie import tweedie

x, y = sp.Symbol("x", positive=True), sp.Symbol("y", real=True)
e, g = mp.exp, mp.gamma
FAMILY = sd.families
LINE, HALF, UNIT = (-2, 3), ("0.4", 3), ("0.15", "0.85")


def logit(v):
    return sp.log(v / (1 - v))


def normal(v, mean, variance):
    return e(-((v - mean) ** 2) / (2 * variance)) / mp.sqrt(2 * mp.pi * variance)


def beta_prime(t, beta_min, beta_max):
    return beta_min * t + (beta_max - beta_min) * t**2 / 2


# kernel, parameters, p(y | x) by hand, range of x, T(x) as expected (None: the kernel has no denoiser), values of y
ROWS = {
    "gaussian": (FAMILY.gaussian, {"sigma": 0.7}, lambda y, x, sigma: normal(y, x, sigma**2), LINE, "x", (-3, 0.2, 4)),
    "gamma": (
        FAMILY.gamma,
        {"theta": 0.3},
        lambda y, x, theta: y ** (x / theta - 1) * e(-y / theta) / g(x / theta) / theta ** (x / theta),
        HALF,
        "x",
        (0.1, 1, 4),
    ),
    "speckle": (
        FAMILY.speckle,
        {"L": 3.5},
        lambda y, x, L: (L / x) ** L * y ** (L - 1) * e(-L * y / x) / g(L),
        HALF,
        "1/x",
        (0.1, 1, 5),
    ),
    "speckle in logs": (
        lambda: FAMILY.speckle().change(sp.log),
        {"L": 3.5},
        lambda u, x, L: (L / x) ** L * e(L * u) * e(-L * e(u) / x) / g(L),
        HALF,
        "1/x",
        (-2, 0, 1),
    ),
    "speckle in logs, both": (
        lambda: FAMILY.speckle().change(sp.log, clean=True),
        {"L": 3.5},
        lambda u, v, L: e(L * (u - v)) * e(-L * e(u - v)) / g(L),
        (-1, 1),
        "exp(-v)",
        (-2, 0, 1),
    ),
    "speckle_amplitude": (
        FAMILY.speckle_amplitude,
        {"L": 2},
        lambda y, x, L: 2 * L**L * y ** (2 * L - 1) * e(-L * (y / x) ** 2) / g(L) / x ** (2 * L),
        HALF,
        "x**(-2)",
        (0.2, 1, 3),
    ),
    "inverse_gamma": (
        FAMILY.inverse_gamma,
        {"a": 2.5},
        lambda y, x, a: (a * x) ** a * y ** (-a - 1) * e(-a * x / y) / g(a),
        HALF,
        "x",
        (0.3, 1, 6),
    ),
    "inverse_gaussian": (
        FAMILY.inverse_gaussian,
        {"lam": 2},
        lambda y, x, lam: mp.sqrt(lam / y**3) * e(-lam * (y - x) ** 2 / (2 * x**2 * y)),
        HALF,
        "x**(-2)",
        (0.3, 1, 5),
    ),
    "log_normal": (
        FAMILY.log_normal,
        {"sigma": 0.6},
        lambda y, x, sigma: normal(mp.log(y), mp.log(x), sigma**2) / y,
        HALF,
        "log(x)",
        (0.2, 1, 6),
    ),
    "weibull": (
        FAMILY.weibull,
        {"k": 1.7},
        lambda y, x, k: k / x * (y / x) ** (k - 1) * e(-((y / x) ** k)),
        HALF,
        "x**(-k)",
        (0.2, 1, 4),
    ),
    "exponential, rate x": (
        lambda: sd.Kernel.from_random(st.Exponential("y", x), clean=x),
        {},
        lambda y, x: x * e(-x * y),
        HALF,
        "x",
        (0.2, 1, 4),
    ),
    "rayleigh": (
        lambda: sd.Kernel.from_random(st.Rayleigh("y", x), clean=x),
        {},
        lambda y, x: y / x**2 * e(-(y**2) / (2 * x**2)),
        HALF,
        "x**(-2)",
        (0.2, 1, 4),
    ),
    "gumbel": (
        FAMILY.gumbel,
        {"sigma": 0.8},
        lambda y, x, sigma: e(-(y - x) / sigma - e(-(y - x) / sigma)),
        LINE,
        "exp(x/sigma)",
        (-1, 0.5, 4),
    ),
    "beta": (
        FAMILY.beta,
        {"nu": 5},
        lambda y, x, nu: y ** (nu * x - 1) * (1 - y) ** (nu * (1 - x) - 1) / mp.beta(nu * x, nu * (1 - x)),
        UNIT,
        "x",
        (0.1, 0.5, 0.93),
    ),
    "beta in logits": (
        lambda: FAMILY.beta().change(logit),
        {"nu": 5},
        lambda u, x, nu: e(nu * x * u) / (1 + e(u)) ** nu / mp.beta(nu * x, nu * (1 - x)),
        UNIT,
        "x",
        (-2, 0, 3),
    ),
    "logit_normal": (
        FAMILY.logit_normal,
        {"sigma": 0.9},
        lambda y, x, sigma: normal(mp.log(y / (1 - y)), mp.log(x / (1 - x)), sigma**2) / (y * (1 - y)),
        UNIT,
        "log(x) + log(1/(1 - x))",
        (0.1, 0.5, 0.93),
    ),
    "kumaraswamy": (
        FAMILY.kumaraswamy,
        {"a": 1.5},
        lambda y, x, a: (b := -mp.log(2) / mp.log(1 - x**a)) * a * y ** (a - 1) * (1 - y**a) ** (b - 1),
        UNIT,
        "1/log(1 - x**a)",
        (0.1, 0.5, 0.93),
    ),
    "vp": (
        FAMILY.vp,
        {"beta_min": 0.1, "beta_max": 4.0, "t": 0.6},
        lambda y, x, beta_min, beta_max, t: normal(
            y, x * e(-beta_prime(t, beta_min, beta_max) / 2), 1 - e(-beta_prime(t, beta_min, beta_max))
        ),
        LINE,
        "x",
        (-2, 0.3, 3),
    ),
    "ou": (
        FAMILY.ou,
        {"theta": 0.8, "mu": 0.5, "sigma": 0.9, "t": 0.7},
        lambda y, x, theta, mu, sigma, t: normal(
            y, mu + (x - mu) * e(-theta * t), sigma**2 * (1 - e(-2 * theta * t)) / (2 * theta)
        ),
        LINE,
        "x",
        (-2, 0.3, 3),
    ),
    "poisson_gaussian": (
        FAMILY.poisson_gaussian,
        {"a": 0.5, "b": 0.2},
        lambda y, x, a, b: normal(y, x, a * x + b),
        HALF,
        None,
        (-1, 0.5, 4),
    ),
    "precision x in logs": (
        lambda: sd.Kernel.from_density(
            -x * sp.log(y) ** 2 / 2, noisy=y, clean=x, support=sp.Interval.open(0, sp.oo), log=True
        ),
        {},
        lambda y, x: e(-x * mp.log(y) ** 2 / 2),
        HALF,
        None,
        (0.3, 2, 5),
    ),
    "von_mises": (
        FAMILY.von_mises,
        {"kappa": 1.5},
        lambda y, x, kappa: e(kappa * mp.cos(y - x)),
        LINE,
        None,
        (-2, 0.3, 3),
    ),
    "laplace": (FAMILY.laplace, {"sigma": 0.8}, lambda y, x, sigma: e(-abs(y - x) / sigma), LINE, None, (-2.5, 0.3, 4)),
    "student_t": (
        FAMILY.student_t,
        {"nu": 4, "sigma": 0.8},
        lambda y, x, nu, sigma: (1 + (y - x) ** 2 / (nu * sigma**2)) ** (-(nu + mp.mpf(1)) / 2),
        LINE,
        None,
        (-2, 0.3, 3),
    ),
    "logistic": (
        FAMILY.logistic,
        {"sigma": 0.8},
        lambda y, x, sigma: mp.sech((y - x) / (2 * sigma)) ** 2,
        LINE,
        None,
        (-2, 0.3, 3),
    ),
}


def posterior(density, span, values):
    """The score of the marginal at y, and y -> E[f(x, y) | y], for a prior of two bumps on the span."""
    low, high = map(mp.mpf, span)
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos((k + mp.mpf(1) / 2) * mp.pi / 24) for k in range(24)]
    thirds = [low + (high - low) * k / 3 for k in (1, 2)]
    width = (high - low) / 12
    prior = [normal(v, thirds[0], width**2) * 0.3 + normal(v, thirds[1], width**2) * 0.7 for v in nodes]
    weights = [p * mp.sqrt((v - low) * (high - v)) for p, v in zip(prior, nodes, strict=True)]

    def q(at):
        return mp.fsum(w * density(at, v, **values) for w, v in zip(weights, nodes, strict=True))

    def mean(f, at):
        return mp.fsum(w * density(at, v, **values) * f(v) for w, v in zip(weights, nodes, strict=True)) / q(at)

    return lambda at: mp.diff(q, at) / q(at), mean


def function(expr, *arguments):
    return sp.lambdify(arguments, expr, "mpmath")


DEAR = ("beta in logits", "kumaraswamy", "logit_normal", "speckle in logs, both", "inverse_gaussian")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in DEAR else n for n in ROWS])
def test_the_formula_is_the_exact_posterior_mean(name):
    build, values, density, span, statistic, places = ROWS[name]
    kernel = build()
    found = tweedie(kernel._declaration)
    assert (str(kernel.identified) if found.denoises else None) == statistic
    assert (kernel.denoiser() is None) == (statistic is None)
    values = {k: mp.mpf(v) for k, v in values.items()}
    put = {p: values[p.name] for p in kernel._declaration.params}
    noisy, clean = kernel._declaration.noisy, kernel._declaration.clean
    T = function(sp.sympify(found.statistic).subs(put), clean, noisy)
    formula = function(sp.sympify(found.mean).subs(put).doit(), noisy, found.score)
    with mpmath.workdps(30):
        score, mean = posterior(density, span, values)
        for at in map(mp.mpf, places):
            slope = score(at)
            exact = mean(lambda v, at=at: T(v, at), at)
            assert abs(formula(at, slope) - exact) < 1e-8 * (1 + abs(exact))
            if found.denoises:
                estimate = function(found.estimate.subs(put), noisy, found.score)(at, slope)
                assert abs(T(estimate, at) - exact) < 1e-8 * (1 + abs(exact))
