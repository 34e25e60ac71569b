"""Kernels that are not one family of sympy.stats: transforms, circles, mixtures, heteroscedastic noise.

The oracles are written by hand; a transformed kernel's is the density of its noise and the Jacobian on paper.
"""

import numpy as np
import scipy.stats as st
import sympy as sp
import sympy.stats as ss
from mpmath import mp, mpf
from scipy.special import expit, logit

import symdsm as sd
from tests.kernels.case import Case
from tests.oracles.densities import FAMILIES
from tests.oracles.laws import Bisected, ClosedForm, Image, affine
from tests.oracles.unbounded import normal

LINE = (-1.3, 0.4, 7.5)
HALF_LINE = (0.3, 1.0, 12.0)
UNIT = (0.2, 0.5, 0.9)
TURN = (-1.1, 0.2, 1.4)

real, positive = sp.Symbol("x", real=True), sp.Symbol("x", positive=True)
y_real, y_positive = sp.Symbol("y", real=True), sp.Symbol("y", positive=True)
s, a, b, L, r, w, k = sp.symbols("s a b L r w k", positive=True)
e = ss.Normal("e", 0, 1)
standard = FAMILIES["Normal"].law(0.0, 1.0)


def named(name, declare, clean, oracle, law, support=None, form="parameter", level="s", large=None, **params):
    """One row; the support defaults to the line."""
    return Case(
        name=name,
        group="named",
        form=form,
        declare=declare,
        clean=clean,
        params=params,
        large=large,
        level=level,
        oracle=oracle,
        support=support or (lambda x, p: (-mp.inf, mp.inf)),
        law=law,
        circular=clean is TURN,
    )


def half_line(x, p):
    return mpf(0), mp.inf


def unit_interval(x, p):
    return mpf(0), mpf(1)


def circle(x, p):
    return -mp.pi, +mp.pi


def random(expr, x, level=s):
    return lambda: sd.Kernel.from_random(expr, clean=x, level=level)


def density(f, x, support=None, level=s, log=False, y=y_real):
    return lambda: sd.Kernel.from_density(f, noisy=y, clean=x, support=support, level=level, log=log)


def ring(cdf):
    """A law on (-pi, pi) from an unwrapped distribution function."""
    return Bisected(cdf, -np.pi, np.pi)


def wrapped(base):
    """The law of a variable wrapped onto (-pi, pi)."""
    turns = 2 * np.pi * np.arange(-6, 7)
    return ring(lambda y: (base.cdf(np.asarray(y)[..., None] + turns) - base.cdf(turns - np.pi)).sum(-1))


def cut(base):
    """A law of the line with period 2 pi in its distribution function, seen on (-pi, pi)."""
    return ring(lambda y: base.cdf(y) - base.cdf(-np.pi))


def wrapped_cauchy_cdf(angle, r):
    # MJ 3.5.7; the branch of the tangent is taken out, so that the function grows along the line.
    return np.arctan((1 + r) / (1 - r) * np.tan(angle / 2)) / np.pi + np.floor(angle / (2 * np.pi) + 0.5)


def squared_oracle(y, x, p):
    root = mp.sqrt(y)
    both = [normal(root, x, p["s"]), normal(-root, x, p["s"])]
    return mp.log(mp.fsum(mp.exp(v) for v in both)) - mp.log(2 * root)


def squared_law(x, p):
    return Bisected(
        lambda y: st.norm.cdf(np.sqrt(y), x, p["s"]) - st.norm.cdf(-np.sqrt(y), x, p["s"]),
        0.0,
        (abs(x) + 40 * p["s"]) ** 2,
    )


def huber_oracle(y, x, p):
    z = abs(y - x) / p["s"]
    mass = mp.sqrt(2 * mp.pi) * mp.erf(1 / mp.sqrt(2)) + 2 * mp.exp(-mpf(1) / 2)
    return (-z * z / 2 if z <= 1 else mpf(1) / 2 - z) - mp.log(mass * p["s"])


def huber_cdf(z):
    mass = np.sqrt(2 * np.pi) * (2 * st.norm.cdf(1) - 1) + 2 * np.exp(-0.5)
    tail = np.exp(0.5 - np.abs(z))
    core = np.exp(-0.5) + np.sqrt(2 * np.pi) * (st.norm.cdf(z) - st.norm.cdf(-1))
    return np.where(np.abs(z) <= 1, core, np.where(z < 0, tail, mass - tail)) / mass


def mixture_oracle(y, x, p):
    parts = mp.log(p["w"]) + normal(y, x, p["s"]), mp.log(1 - p["w"]) + normal(y, x, 10 * p["s"])
    return mp.log(mp.exp(parts[0]) + mp.exp(parts[1]))


def mixture_law(x, p):
    def cdf(y):
        z = (y - x) / p["s"]
        return p["w"] * st.norm.cdf(z) + (1 - p["w"]) * st.norm.cdf(z / 10)

    return Bisected(cdf, x - 500 * p["s"], x + 500 * p["s"])


def bell(u):
    """The normal density as a user types it."""
    return sp.exp(-(u**2) / 2) / sp.sqrt(2 * sp.pi)


_z = (y_real - real) / s
_turn = sp.Interval.open(-sp.pi, sp.pi)
_huber = sp.Piecewise((-(_z**2) / 2, sp.Abs(_z) <= 1), (sp.Rational(1, 2) - sp.Abs(_z), True))
_huber_mass = sp.sqrt(2 * sp.pi) * sp.erf(1 / sp.sqrt(2)) + 2 * sp.exp(-sp.Rational(1, 2))

ROWS = [
    named(
        "poisson_gaussian",
        random(ss.Normal("y", positive, sp.sqrt(a * positive + b)), positive, None),
        HALF_LINE,
        lambda y, x, p: normal(y, x, mp.sqrt(p["a"] * x + p["b"])),
        lambda x, p: st.norm(x, np.sqrt(p["a"] * x + p["b"])),
        level=None,
        a=0.4,
        b=0.1,
    ),
    named(
        "variance_preserving",
        random(sp.sqrt(1 - s**2) * real + s * e, real),
        LINE,
        lambda y, x, p: normal(y, mp.sqrt(1 - p["s"] ** 2) * x, p["s"]),
        lambda x, p: st.norm(np.sqrt(1 - p["s"] ** 2) * x, p["s"]),
        s=0.7,
    ),
    named(
        "relative_gaussian",
        random(positive * (1 + s * e), positive),
        HALF_LINE,
        lambda y, x, p: normal(y, x, p["s"] * x),
        lambda x, p: st.norm(x, p["s"] * x),
        s=0.7,
    ),
    named(
        "log_normal_by_exp",
        random(positive * sp.exp(s * e), positive),
        HALF_LINE,
        lambda y, x, p: FAMILIES["LogNormal"].log_density(y, mp.log(x), p["s"]),
        lambda x, p: st.lognorm(p["s"], 0, x),
        half_line,
        s=0.8,
    ),
    named(
        "log_laplace_by_exp",
        random(positive * sp.exp(s * ss.Laplace("e", 0, 1)), positive),
        HALF_LINE,
        lambda y, x, p: FAMILIES["Laplace"].log_density(mp.log(y), mp.log(x), p["s"]) - mp.log(y),
        lambda x, p: Image(st.laplace(np.log(x), p["s"]), np.exp, np.log),
        half_line,
        s=0.45,
    ),
    named(
        "logit_normal_by_sigmoid",
        random(1 / (1 + sp.exp(-sp.log(positive / (1 - positive)) - s * e)), positive),
        UNIT,
        lambda y, x, p: FAMILIES["LogitNormal"].log_density(y, mp.log(x / (1 - x)), p["s"]),
        lambda x, p: Image(st.norm(logit(x), p["s"]), expit, logit),
        unit_interval,
        s=0.8,
    ),
    named(
        "tanh_normal",
        random(sp.tanh(real + s * e), real),
        TURN,
        lambda y, x, p: normal(mp.atanh(y), x, p["s"]) - mp.log1p(-y * y),
        lambda x, p: Image(st.norm(x, p["s"]), np.tanh, np.arctanh),
        lambda x, p: (mpf(-1), mpf(1)),
        s=0.7,
    ),
    named(
        "sinh_normal",
        random(real + s * sp.sinh(e), real),
        LINE,
        lambda y, x, p: (
            normal(mp.asinh((y - x) / p["s"]), 0, 1) - mp.log1p(((y - x) / p["s"]) ** 2) / 2 - mp.log(p["s"])
        ),
        lambda x, p: affine(Image(standard, np.sinh, np.arcsinh), x, p["s"]),
        form="additive",
        s=0.7,
    ),
    named(
        "squared_normal",
        random(positive * e**2, positive, None),
        HALF_LINE,
        lambda y, x, p: FAMILIES["ChiSquared"].log_density(y / x, mpf(1)) - mp.log(x),
        lambda x, p: affine(st.chi2(1), 0, x),
        half_line,
        form="scale",
        level=None,
    ),
    named(
        "folded_normal",
        random(positive * sp.Abs(e), positive, None),
        HALF_LINE,
        lambda y, x, p: normal(y, 0, x) + mp.log(2),
        lambda x, p: st.halfnorm(0, x),
        half_line,
        form="scale",
        level=None,
    ),
    named(
        "square_of_shifted_normal",
        random((real + s * e) ** 2, real),
        LINE,
        squared_oracle,
        squared_law,
        half_line,
        s=0.7,
    ),
    named(
        "amplitude_speckle",
        random(positive * sp.sqrt(ss.Gamma("e", L, 1 / L)), positive, L),
        HALF_LINE,
        lambda y, x, p: FAMILIES["Nakagami"].log_density(y, p["L"], x * x),
        lambda x, p: st.nakagami(p["L"], 0, x),
        half_line,
        form="scale",
        level="L",
        large={"L": 400.0},
        L=4.0,
    ),
    named(
        "inverse_gamma_by_division",
        random(positive / ss.Gamma("e", a, 1 / a), positive, a),
        HALF_LINE,
        lambda y, x, p: FAMILIES["GammaInverse"].log_density(y, p["a"], p["a"] * x),
        lambda x, p: st.invgamma(p["a"], 0, p["a"] * x),
        half_line,
        form="scale",
        level="a",
        large={"a": 400.0},
        a=2.6,
    ),
    named(
        "additive_gamma",
        random(real + ss.Gamma("e", a, s), real),
        LINE,
        lambda y, x, p: FAMILIES["Gamma"].log_density(y - x, p["a"], p["s"]),
        lambda x, p: st.gamma(p["a"], x, p["s"]),
        lambda x, p: (x, mp.inf),
        form="additive",
        large={"a": 400.0},
        a=2.6,
        s=0.7,
    ),
    named(
        "wrapped_cauchy",
        density((1 - r**2) / (2 * sp.pi * (1 + r**2 - 2 * r * sp.cos(y_real - real))), real, _turn, r),
        TURN,
        lambda y, x, p: mp.log((1 - p["r"] ** 2) / (2 * mp.pi * (1 + p["r"] ** 2 - 2 * p["r"] * mp.cos(y - x)))),
        lambda x, p: cut(
            ClosedForm(
                lambda y: (
                    np.arctan((1 + p["r"]) / (1 - p["r"]) * np.tan((y - x) / 2)) / np.pi
                    + np.floor((y - x) / (2 * np.pi) + 0.5)
                ),
                None,
            )
        ),
        circle,
        level="r",
        r=0.6,
    ),
    named(
        "wrapped_normal",
        density(sum(bell((y_real - real + 2 * sp.pi * n) / s) / s for n in range(-4, 5)), real, _turn),
        TURN,
        lambda y, x, p: mp.log(mp.fsum(mp.exp(normal(y + 2 * mp.pi * n, x, p["s"])) for n in range(-8, 9))),
        lambda x, p: wrapped(st.norm(x, p["s"])),
        circle,
        s=0.7,
    ),
    named(
        "von_mises_log",
        density(k * sp.cos(y_real - real) - sp.log(2 * sp.pi * sp.besseli(0, k)), real, _turn, k, log=True),
        TURN,
        lambda y, x, p: p["k"] * mp.cos(y - x) - mp.log(2 * mp.pi * mp.besseli(0, p["k"])),
        lambda x, p: cut(st.vonmises(p["k"], x)),
        circle,
        level="k",
        large={"k": 400.0},
        k=1.5,
    ),
    named(
        "cardioid",
        density((1 + 2 * r * sp.cos(y_real - real)) / (2 * sp.pi), real, _turn, r),
        TURN,
        lambda y, x, p: mp.log((1 + 2 * p["r"] * mp.cos(y - x)) / (2 * mp.pi)),
        lambda x, p: cut(ClosedForm(lambda y: (y - x + 2 * p["r"] * np.sin(y - x)) / (2 * np.pi), None)),
        circle,
        level="r",
        r=0.3,
    ),
    named(
        "huber",
        density(_huber - sp.log(_huber_mass * s), real, log=True),
        LINE,
        huber_oracle,
        lambda x, p: affine(Bisected(huber_cdf, -300.0, 300.0), x, p["s"]),
        form="additive",
        s=0.7,
    ),
    named(
        "two_normals",
        density(w * bell(_z) / s + (1 - w) * bell(_z / 10) / (10 * s), real),
        LINE,
        mixture_oracle,
        mixture_law,
        form="additive",
        w=0.7,
        s=0.7,
    ),
    named(
        "skew_normal",
        density(2 * bell(_z) / s * sp.erfc(-a * _z / sp.sqrt(2)) / 2, real),
        LINE,
        lambda y, x, p: normal(y, x, p["s"]) + mp.log(mp.erfc(-p["a"] * (y - x) / (p["s"] * mp.sqrt(2)))),
        lambda x, p: st.skewnorm(p["a"], x, p["s"]),
        form="additive",
        large={"a": 400.0},
        a=2.5,
        s=0.7,
    ),
    named(
        "generalised_normal",
        density(b / (2 * s * sp.gamma(1 / b)) * sp.exp(-(sp.Abs(_z) ** b)), real),
        LINE,
        lambda y, x, p: FAMILIES["ExponentialPower"].log_density(y, x, p["s"], p["b"]),
        lambda x, p: st.gennorm(p["b"], x, p["s"]),
        form="additive",
        large={"b": 400.0},
        b=1.6,
        s=0.7,
    ),
]
