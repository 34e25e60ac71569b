"""The 52 univariate continuous families of sympy.stats, each in the form that fits its support.

additive: y = x + s e for laws on the line; scale: y = x e for laws on the half-line; parameter: x is a
parameter of the law. The oracles are those of tests.oracles.densities.
"""

import sympy as sp
import sympy.stats as st
from mpmath import mp, mpf

import symdsm as sd
from tests.kernels.case import Case
from tests.oracles.densities import FAMILIES
from tests.oracles.laws import affine

LINE = (-1.3, 0.4, 7.5)
HALF_LINE = (0.3, 1.0, 12.0)
UNIT = (0.2, 0.5, 0.9)
CIRCLE = (2.0, 3.0, 4.5)
TURNS = "a real angle lies nowhere outside the circle: the kernel repeats along the line"

CLEAN = {
    LINE: sp.Symbol("x", real=True),
    HALF_LINE: sp.Symbol("x", positive=True),
    UNIT: sp.Symbol("x", positive=True),
    CIRCLE: sp.Symbol("x", real=True),
}


def symbols(params, integers=()):
    """Positive symbols named as the parameters."""
    return {n: sp.Symbol(n, positive=True, integer=True if n in integers else None) for n in params}


def exactly(params):
    return {k: mpf(v) for k, v in params.items()}


def additive(name, noise, theta, large=None, **params):
    """y = x + s e on the line."""
    family, params = FAMILIES[name], {"s": 0.7} | params

    def declare():
        x, p = CLEAN[LINE], symbols(params)
        return sd.Kernel.from_random(x + p["s"] * noise(p), clean=x, level=p["s"])

    def support(x, p):
        low, high = family.support(*theta(p))
        return x + p["s"] * low, x + p["s"] * high

    return Case(
        name=name,
        group="sympy.stats",
        form="additive",
        declare=declare,
        clean=LINE,
        params=params,
        large=large,
        level="s",
        oracle=lambda y, x, p: family.log_density((y - x) / p["s"], *theta(p)) - mp.log(p["s"]),
        support=support,
        law=lambda x, p: affine(family.law(*map(float, theta(exactly(p)))), x, p["s"]),
    )


def scale(name, noise, theta, large=None, integers=(), **params):
    """y = x e on the half-line."""
    family = FAMILIES[name]

    def declare():
        x, p = CLEAN[HALF_LINE], symbols(params, integers)
        return sd.Kernel.from_random(x * noise(p), clean=x)

    def support(x, p):
        low, high = family.support(*theta(p))
        return x * low, x * high

    return Case(
        name=name,
        group="sympy.stats",
        form="scale",
        declare=declare,
        clean=HALF_LINE,
        params=params,
        large=large,
        oracle=lambda y, x, p: family.log_density(y / x, *theta(p)) - mp.log(x),
        support=support,
        law=lambda x, p: affine(family.law(*map(float, theta(exactly(p)))), 0.0, x),
    )


def parameter(name, noise, theta, clean=HALF_LINE, large=None, level=None, **params):
    """x is a parameter of the law."""
    family = FAMILIES[name]

    def declare():
        x, p = CLEAN[clean], symbols(params)
        return sd.Kernel.from_random(noise(x, p), clean=x, level=p.get(level))

    return Case(
        name=name,
        group="sympy.stats",
        form="parameter",
        declare=declare,
        clean=clean,
        params=params,
        large=large,
        level=level,
        circular=clean is CIRCLE,
        periodic=clean is CIRCLE,
        notes=TURNS if clean is CIRCLE else "",
        oracle=lambda y, x, p: family.log_density(y, *theta(x, p)),
        support=lambda x, p: family.support(*theta(x, p)),
        law=lambda x, p: family.law(*map(float, theta(mpf(x), exactly(p)))),
    )


ROWS = [
    scale("Arcsin", lambda p: st.Arcsin("e", 0, 1), lambda p: (mpf(0), mpf(1))),
    parameter(
        "Benini",
        lambda x, p: st.Benini("y", p["a"], p["b"], x),
        lambda x, p: (p["a"], p["b"], x),
        a=1.3,
        b=0.7,
        large={"a": 400.0},
    ),
    parameter(
        "Beta",
        lambda x, p: st.Beta("y", p["a"] * x, p["a"] * (1 - x)),
        lambda x, p: (p["a"] * x, p["a"] * (1 - x)),
        UNIT,
        a=6.5,
        level="a",
        large={"a": 400.0},
    ),
    parameter(
        "BetaNoncentral",
        lambda x, p: st.BetaNoncentral("y", p["a"], p["b"], x),
        lambda x, p: (p["a"], p["b"], x),
        a=2.5,
        b=1.7,
        large={"a": 400.0},
    ),
    scale(
        "BetaPrime",
        lambda p: st.BetaPrime("e", p["a"], p["b"]),
        lambda p: (p["a"], p["b"]),
        a=2.5,
        b=3.3,
        large={"a": 400.0, "b": 410.0},
    ),
    parameter(
        "BoundedPareto",
        lambda x, p: st.BoundedPareto("y", p["a"], x, 20 * x),
        lambda x, p: (p["a"], x, 20 * x),
        a=1.4,
        large={"a": 400.0},
    ),
    additive("Cauchy", lambda p: st.Cauchy("e", 0, 1), lambda p: (mpf(0), mpf(1))),
    scale("Chi", lambda p: st.Chi("e", p["k"]), lambda p: (p["k"],), k=3.5, large={"k": 400.0}),
    parameter(
        "ChiNoncentral",
        lambda x, p: st.ChiNoncentral("y", p["k"], x),
        lambda x, p: (p["k"], x),
        k=3.0,
        large={"k": 400.0},
    ),
    scale(
        "ChiSquared",
        lambda p: st.ChiSquared("e", p["k"]),
        lambda p: (p["k"],),
        k=5,
        integers="k",
        large={"k": 400.0},
    ),
    parameter(
        "Dagum",
        lambda x, p: st.Dagum("y", p["p"], p["a"], x),
        lambda x, p: (p["p"], p["a"], x),
        p=0.8,
        a=2.5,
        large={"p": 400.0},
    ),
    parameter("Davis", lambda x, p: st.Davis("y", x, p["n"], p["m"]), lambda x, p: (x, p["n"], p["m"]), n=3.5, m=0.5),
    scale(
        "Erlang",
        lambda p: st.Erlang("e", p["k"], p["k"]),
        lambda p: (p["k"], p["k"]),
        k=4,
        integers="k",
        large={"k": 400.0},
    ),
    parameter(
        "ExGaussian",
        lambda x, p: st.ExGaussian("y", x, p["s"], p["r"]),
        lambda x, p: (x, p["s"], p["r"]),
        LINE,
        s=0.7,
        r=0.8,
        level="s",
        large={"r": 400.0},
    ),
    scale("Exponential", lambda p: st.Exponential("e", 1), lambda p: (mpf(1),)),
    additive(
        "ExponentialPower",
        lambda p: st.ExponentialPower("e", 0, 1, p["b"]),
        lambda p: (mpf(0), mpf(1), p["b"]),
        b=2.6,
        large={"b": 400.0},
    ),
    scale(
        "FDistribution",
        lambda p: st.FDistribution("e", p["d1"], p["d2"]),
        lambda p: (p["d1"], p["d2"]),
        d1=5,
        d2=7,
        large={"d1": 400.0, "d2": 410.0},
        integers=("d1", "d2"),
    ),
    additive(
        "FisherZ",
        lambda p: st.FisherZ("e", p["d1"], p["d2"]),
        lambda p: (p["d1"], p["d2"]),
        d1=5.0,
        d2=7.0,
        large={"d1": 400.0, "d2": 410.0},
    ),
    scale(
        "Frechet",
        lambda p: st.Frechet("e", p["a"]),
        lambda p: (p["a"], mpf(1), mpf(0)),
        a=2.2,
        large={"a": 400.0},
    ),
    scale(
        "Gamma",
        lambda p: st.Gamma("e", p["L"], 1 / p["L"]),
        lambda p: (p["L"], 1 / p["L"]),
        L=4.0,
        large={"L": 400.0},
    ),
    parameter(
        "GammaInverse",
        lambda x, p: st.GammaInverse("y", p["a"], x),
        lambda x, p: (p["a"], x),
        a=2.6,
        large={"a": 400.0},
    ),
    scale(
        "Gompertz",
        lambda p: st.Gompertz("e", 1, p["h"]),
        lambda p: (mpf(1), p["h"]),
        h=0.6,
        large={"h": 400.0},
    ),
    additive("Gumbel", lambda p: st.Gumbel("e", 1, 0), lambda p: (mpf(1), mpf(0))),
    parameter(
        "Kumaraswamy",
        lambda x, p: st.Kumaraswamy("y", x, p["b"]),
        lambda x, p: (x, p["b"]),
        b=3.1,
        large={"b": 400.0},
    ),
    additive("Laplace", lambda p: st.Laplace("e", 0, 1), lambda p: (mpf(0), mpf(1))),
    scale("Levy", lambda p: st.Levy("e", 0, 1), lambda p: (mpf(0), mpf(1))),
    parameter(
        "LogCauchy",
        lambda x, p: st.LogCauchy("y", sp.log(x), p["s"]),
        lambda x, p: (mp.log(x), p["s"]),
        s=0.8,
        level="s",
    ),
    additive("Logistic", lambda p: st.Logistic("e", 0, 1), lambda p: (mpf(0), mpf(1))),
    parameter(
        "LogLogistic",
        lambda x, p: st.LogLogistic("y", x, p["b"]),
        lambda x, p: (x, p["b"]),
        b=2.7,
        large={"b": 400.0},
    ),
    parameter(
        "LogitNormal",
        lambda x, p: st.LogitNormal("y", sp.log(x / (1 - x)), p["s"]),
        lambda x, p: (mp.log(x / (1 - x)), p["s"]),
        UNIT,
        s=0.8,
        level="s",
    ),
    parameter(
        "LogNormal",
        lambda x, p: st.LogNormal("y", sp.log(x), p["s"]),
        lambda x, p: (mp.log(x), p["s"]),
        s=0.8,
        level="s",
    ),
    parameter("Lomax", lambda x, p: st.Lomax("y", p["a"], x), lambda x, p: (p["a"], x), a=2.3, large={"a": 400.0}),
    parameter("Maxwell", lambda x, p: st.Maxwell("y", x), lambda x, p: (x,)),
    additive("Moyal", lambda p: st.Moyal("e", 0, 1), lambda p: (mpf(0), mpf(1))),
    parameter(
        "Nakagami",
        lambda x, p: st.Nakagami("y", p["m"], x**2),
        lambda x, p: (p["m"], x**2),
        m=1.8,
        large={"m": 400.0},
    ),
    parameter("Normal", lambda x, p: st.Normal("y", x, p["s"]), lambda x, p: (x, p["s"]), LINE, s=0.7, level="s"),
    parameter(
        "GaussianInverse",
        lambda x, p: st.GaussianInverse("y", x, p["v"]),
        lambda x, p: (x, p["v"]),
        v=2.3,
        large={"v": 400.0},
    ),
    parameter("Pareto", lambda x, p: st.Pareto("y", x, p["a"]), lambda x, p: (x, p["a"]), a=2.3, large={"a": 400.0}),
    parameter(
        "PowerFunction",
        lambda x, p: st.PowerFunction("y", p["k"], 0, x),
        lambda x, p: (p["k"], mpf(0), x),
        k=2.3,
        large={"k": 400.0},
    ),
    parameter(
        "QuadraticU",
        lambda x, p: st.QuadraticU("y", x - p["s"], x + p["s"]),
        lambda x, p: (x - p["s"], x + p["s"]),
        LINE,
        s=0.7,
    ),
    parameter(
        "RaisedCosine",
        lambda x, p: st.RaisedCosine("y", x, p["s"]),
        lambda x, p: (x, p["s"]),
        LINE,
        s=0.7,
        level="s",
    ),
    scale("Rayleigh", lambda p: st.Rayleigh("e", 1), lambda p: (mpf(1),)),
    parameter("Reciprocal", lambda x, p: st.Reciprocal("y", x, 20 * x), lambda x, p: (x, 20 * x)),
    additive("StudentT", lambda p: st.StudentT("e", p["nu"]), lambda p: (p["nu"],), nu=3.7, large={"nu": 400.0}),
    scale(
        "ShiftedGompertz",
        lambda p: st.ShiftedGompertz("e", 1, p["h"]),
        lambda p: (mpf(1), p["h"]),
        h=0.8,
        large={"h": 400.0},
    ),
    additive(
        "Trapezoidal",
        lambda p: st.Trapezoidal("e", -2, -1, 1, 3),
        lambda p: (mpf(-2), mpf(-1), mpf(1), mpf(3)),
    ),
    additive(
        "Triangular",
        lambda p: st.Triangular("e", -1, 2, sp.Rational(1, 2)),
        lambda p: (mpf(-1), mpf(2), mpf(1) / 2),
    ),
    parameter(
        "Uniform",
        lambda x, p: st.Uniform("y", x - p["s"], x + p["s"]),
        lambda x, p: (x - p["s"], x + p["s"]),
        LINE,
        s=0.7,
    ),
    additive("UniformSum", lambda p: st.UniformSum("e", 4), lambda p: (mpf(4),)),
    parameter(
        "VonMises",
        lambda x, p: st.VonMises("y", x, p["k"]),
        lambda x, p: (x, p["k"]),
        CIRCLE,
        k=1.5,
        level="k",
        large={"k": 400.0},
    ),
    scale("Weibull", lambda p: st.Weibull("e", 1, p["b"]), lambda p: (mpf(1), p["b"]), b=2.3, large={"b": 400.0}),
    additive("WignerSemicircle", lambda p: st.WignerSemicircle("e", 1), lambda p: (mpf(1),)),
]
