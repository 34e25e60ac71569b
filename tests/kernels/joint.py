"""Kernels of a few coordinates: sympy.stats' joint laws, and columns with one random symbol for each coordinate.

A row has an independent log density of mpf numbers, written from the textbooks' formulas (Kotz, Balakrishnan and
Johnson, Continuous Multivariate Distributions, 2000), never from SymPy's. Points lie at offsets from the centre in
units of each coordinate's interquartile range: interior ones within 1.5, tails at 5, 50 and 200 along and between the
axes, near ones at 1e-3 of an edge. On the simplex they are divided by their sum.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.stats as st
import sympy as sp
import sympy.stats as ss
from mpmath import mp, mpf
from scipy.special import gammainc

import symdsm as sd
from tests.oracles.unbounded import normal

INTERIOR = ((0.31, -0.47), (-0.62, 0.18), (1.1, 0.84), (-0.12, -1.3), (0.77, -0.95), (-1.4, 1.2))
DIRECTIONS = ((1.0, 0.0), (-1.0, 0.3), (0.2, 1.0), (0.7, -1.0), (-0.8, -0.6))
FAR = (5.0, 50.0, 200.0)
NEAR_EDGE = 1e-3

x1, x2 = sp.symbols("x1 x2", real=True)
p1, p2, p3 = sp.symbols("p1:4", positive=True)
s, nu, L, a, b, k = sp.symbols("s nu L a b k", positive=True)
r = sp.Symbol("r", real=True)
A, B = ss.Normal("A", 0, 1), ss.Normal("B", 0, 1)


@dataclass(frozen=True, kw_only=True)
class JointCase:
    """`spread(x, p)` is (centre, interquartile range) of each coordinate; `positive` lists coordinates above zero.

    `marginals(x, p)` are (weights, distribution function) of linear functions of y, for the sampler.
    """

    name: str
    declare: Callable
    clean: tuple[tuple[float, ...], ...]
    params: dict[str, float]
    oracle: Callable
    spread: Callable
    marginals: Callable
    size: int = 2
    positive: tuple[int, ...] = ()
    simplex: bool = False
    large: dict[str, float] | None = None
    level: str | None = None
    group: str = field(default="joint", init=False)

    def values(self, shapes: str = "ordinary") -> dict[str, float]:
        return self.params | (self.large or {}) if shapes == "large" else self.params

    def _at(self, offset, x, params) -> np.ndarray:
        centre, iqr = (np.asarray(v, float) for v in self.spread(x, params))
        wide = np.array([*offset, *([0.5 * offset[0] - 0.3 * offset[1]] * (self.size - 2))])
        y = centre + wide * iqr
        for i in self.positive:
            y[i] = centre[i] * np.exp(wide[i] * iqr[i] / centre[i]) if wide[i] < 0 else y[i]
        return self._placed(y)

    def _placed(self, y) -> np.ndarray:
        return y / np.sum(y) if self.simplex else y

    def interior(self, params) -> list[tuple[np.ndarray, tuple]]:
        return [(self._at(offset, x, params), x) for x in self.clean for offset in INTERIOR]

    def tails(self, params) -> list[tuple[np.ndarray, tuple]]:
        """Far points; a positive coordinate goes no nearer to zero than 1e-3 of its interquartile range."""
        found = []
        for x in self.clean:
            iqr = self.spread(x, params)[1]
            for far in FAR:
                for one, two in DIRECTIONS:
                    y = self._at((far * one, far * two), x, params)
                    for i in self.positive:
                        y[i] = max(y[i], NEAR_EDGE * iqr[i])
                    found.append((self._placed(y), x))
        return found

    def outside(self, params) -> list[tuple[np.ndarray, tuple]]:
        found = []
        for x in self.clean if self.positive else ():
            for i in self.positive:
                y = self._at(INTERIOR[0], x, params)
                y[i] = -y[i]
                found.append((y, x))
        return found

    def log_density(self, y, x, params):
        inside = all(y[i] > 0 for i in self.positive)
        return self.oracle(y, x, params) if inside else -mp.inf

    def tangent(self, gradient) -> np.ndarray:
        """The part of a gradient along the support."""
        return gradient - np.mean(gradient, -1, keepdims=True) if self.simplex else gradient


def gamma_log(y, shape, rate):
    return shape * mp.log(rate) + (shape - 1) * mp.log(y) - rate * y - mp.loggamma(shape)


def whitened(y, centre, scatter):
    """(q, log det) of the 2 by 2 scatter matrix, by Cramer's rule."""
    (c11, c12), (_, c22) = scatter
    u, v = y[0] - centre[0], y[1] - centre[1]
    det = c11 * c22 - c12 * c12
    return (c22 * u * u - 2 * c12 * u * v + c11 * v * v) / det, mp.log(det)


def normal_oracle(y, x, p):
    q, log_det = whitened(y, x, _scatter(p))
    return -q / 2 - log_det / 2 - mp.log(2 * mp.pi)


def _scatter(p):
    return ((p["s"] ** 2, p["r"] * p["s"]), (p["r"] * p["s"], 1 + p["r"] ** 2))


def student_oracle(y, x, p):
    q, log_det = whitened(y, x, _scatter(p))
    constant = mp.loggamma(p["nu"] / 2 + 1) - mp.loggamma(p["nu"] / 2) - mp.log(p["nu"] * mp.pi)
    return constant - log_det / 2 - (p["nu"] / 2 + 1) * mp.log1p(q / p["nu"])


def log_k0(z):
    """log K_0(z) = log of half the integral of exp(-z cosh t) over the line (DLMF 10.32.9), by the trapezoidal rule.

    Its error is below 1e-60 at a sixteenth of the bump's width; mpmath's own function is slow at 60 digits.
    """
    step, total, t, term = 1 / (16 * mp.sqrt(1 + z)), mpf(1) / 2, mpf(0), mpf(1)
    while term > mpf(10) ** -75:
        t += step
        term = mp.exp(-2 * z * mp.sinh(t / 2) ** 2)
        total += term
    return mp.log(step * total) - z


def laplace_oracle(y, x, p):
    """Kotz, Kozubowski and Podgorski (2001), 6.2.1, in two dimensions with scatter s^2 I and drift x."""
    s2 = p["s"] ** 2
    q, m = (y[0] ** 2 + y[1] ** 2) / s2, (x[0] ** 2 + x[1] ** 2) / s2
    drift = (x[0] * y[0] + x[1] * y[1]) / s2
    return mp.log(2) + drift + log_k0(mp.sqrt((2 + m) * q)) - mp.log(2 * mp.pi * s2)


def additive_laplace_oracle(y, x, p):
    q = ((y[0] - x[0]) ** 2 + (y[1] - x[1]) ** 2) / p["s"] ** 2
    return log_k0(mp.sqrt(2 * q)) - mp.log(mp.pi * p["s"] ** 2)


def normal_gamma_oracle(y, x, p):
    return gamma_log(y[1], p["a"], p["b"]) + normal(y[0], x[0], 1 / mp.sqrt(p["k"] * y[1]))


def log_gamma_oracle(y, x, p):
    """Demirhan and Hamurkaroglu (2011), (3), with delta = 1/2, unit rates and scales x; the sum by mpmath."""
    v = p["nu"]
    exponents = [t - mp.log(c) for t, c in zip(y, x, strict=True)]
    series = mp.hyp0f1(v, mp.exp(mp.fsum(exponents)) / 2)
    rest = mp.fsum(v * e - mp.exp(e) for e in exponents) - 2 * mp.loggamma(v) - v * mp.log(2)
    return rest + mp.log(series)


def dirichlet_oracle(y, x, p):
    rest = mp.fsum((p["nu"] * c - 1) * mp.log(t) - mp.loggamma(p["nu"] * c) for t, c in zip(y, x, strict=True))
    return rest + mp.loggamma(p["nu"] * mp.fsum(x))


def speckled_oracle(y, x, p):
    return normal(y[0], x[0], p["s"]) + gamma_log(y[1], p["L"], p["L"] / x[1])


def triangular_oracle(y, x, p):
    first = (y[0] - x[0]) / p["s"]
    return normal(y[0], x[0], p["s"]) + normal(y[1], x[1] + p["r"] * first, p["s"])


def rotated_oracle(y, x, p):
    u, v = y[0] - x[0], y[1] - x[1]
    z = -abs((u + v) / 2), (u - v) / (2 * p["s"])
    return z[0] - mp.log(2) - z[1] ** 2 / 2 - mp.log(2 * mp.pi) / 2 - mp.log(2 * p["s"])


def heavy_rotated_oracle(y, x, p):
    return normal(mp.log(y[0]), mp.log(x[0]), p["s"]) - mp.log(y[0]) + normal(y[1], x[1] + mp.log(y[0] / x[0]), mpf(1))


NORMAL_IQR = 1.349


def normal_spread(x, p):
    return x, (NORMAL_IQR * p["s"], NORMAL_IQR * np.sqrt(1 + p["r"] ** 2))


def normal_marginals(x, p):
    (c11, c12), (_, c22) = _scatter(p)
    return [
        ((1, 0), st.norm(x[0], np.sqrt(c11)).cdf),
        ((0, 1), st.norm(x[1], np.sqrt(c22)).cdf),
        ((1, 1), st.norm(x[0] + x[1], np.sqrt(c11 + c22 + 2 * c12)).cdf),
    ]


def student_marginals(x, p):
    (c11, c12), (_, c22) = _scatter(p)
    rows = (((1, 0), x[0], c11), ((0, 1), x[1], c22), ((1, 1), x[0] + x[1], c11 + c22 + 2 * c12))
    return [(w, st.t(p["nu"], m, np.sqrt(c)).cdf) for w, m, c in rows]


def asymmetric_laplace_cdf(drift, scale):
    """The distribution function of drift W + scale sqrt(W) Z: two exponential tails."""
    root = np.sqrt(drift**2 + 2 * scale**2)
    right, left = (root - drift) / scale**2, (root + drift) / scale**2
    below = right / (left + right)
    return lambda y: np.where(
        y < 0, below * np.exp(left * np.minimum(y, 0)), 1 - (1 - below) * np.exp(-right * np.maximum(y, 0))
    )


def laplace_marginals(x, p):
    rows = (((1, 0), x[0], p["s"]), ((0, 1), x[1], p["s"]), ((1, 1), x[0] + x[1], np.sqrt(2) * p["s"]))
    return [(w, asymmetric_laplace_cdf(m, c)) for w, m, c in rows]


def additive_laplace_marginals(x, p):
    rows = (((1, 0), x[0], p["s"]), ((0, 1), x[1], p["s"]), ((1, 1), x[0] + x[1], np.sqrt(2) * p["s"]))
    return [(w, lambda y, m=m, c=c: asymmetric_laplace_cdf(0.0, c)(y - m)) for w, m, c in rows]


def normal_gamma_marginals(x, p):
    scale = np.sqrt(p["b"] / (p["a"] * p["k"]))
    return [((1, 0), st.t(2 * p["a"], x[0], scale).cdf), ((0, 1), st.gamma(p["a"], scale=1 / p["b"]).cdf)]


def log_gamma_marginals(x, p):
    counts = np.arange(400)
    weights = st.nbinom(p["nu"], 0.5).pmf(counts)

    def cdf(scale):
        return lambda y: gammainc(p["nu"] + counts, np.exp(y)[..., None] / scale) @ weights

    return [((1, 0), cdf(x[0])), ((0, 1), cdf(x[1]))]


def dirichlet_spread(x, p):
    x = np.asarray(x)
    return x, NORMAL_IQR * np.sqrt(x * (1 - x) / (1 + p["nu"]))


def dirichlet_marginals(x, p):
    return [(w, st.beta(p["nu"] * np.dot(w, x), p["nu"] * (1 - np.dot(w, x))).cdf) for w in np.eye(3)]


def joint(name, expr, clean, at, oracle, spread, marginals, level=None, **rest):
    params = {key: rest.pop(key) for key in ("s", "r", "nu", "L", "a", "b", "k") if key in rest}
    return JointCase(
        name=name,
        declare=lambda: sd.Kernel.from_random(expr, clean=sp.Matrix(clean), level=level),
        clean=at,
        params=params,
        oracle=oracle,
        spread=spread,
        marginals=marginals,
        level=None if level is None else level.name,
        **rest,
    )


PLANE = ((-1.3, 0.4), (7.5, -2.0))
MIXED = ((-1.3, 0.3), (7.5, 12.0))
QUADRANT = ((0.3, 1.2), (4.0, 0.8))
_covariance = [[s**2, r * s], [r * s, 1 + r**2]]
_G = ss.MultivariateLaplace("G", [0, 0], [[1, 0], [0, 1]])


def log_gamma_spread(x, p):
    centre = np.log(np.asarray(x) * 2 * p["nu"])
    return centre, [1.5 / np.sqrt(p["nu"])] * 2


ROWS = [
    joint("MultivariateNormal", ss.Normal("y", [x1, x2], _covariance), [x1, x2], PLANE, normal_oracle, normal_spread,
          normal_marginals, level=s, s=0.7, r=-0.6),
    joint("MultivariateT", ss.MultivariateT("y", [x1, x2], _covariance, nu), [x1, x2], PLANE, student_oracle,
          normal_spread, student_marginals, level=s, large={"nu": 400.0}, s=0.7, r=-0.6, nu=3.5),
    joint("MultivariateLaplace", ss.MultivariateLaplace("y", [x1, x2], [[s**2, 0], [0, s**2]]), [x1, x2],
          ((-1.3, 0.4), (0.6, 2.1)), laplace_oracle, lambda x, p: (x, 1.5 * p["s"] + np.abs(x)),
          laplace_marginals, s=0.7),
    joint("AdditiveLaplace", sp.Matrix([x1 + s * _G[0], x2 + s * _G[1]]), [x1, x2], PLANE, additive_laplace_oracle,
          lambda x, p: (x, (p["s"], p["s"])), additive_laplace_marginals, level=s, s=0.7),
    joint("NormalGamma", ss.NormalGamma("y", x1, k, a, b), [x1], ((-1.3,), (7.5,)), normal_gamma_oracle,
          lambda x, p: ((x[0], p["a"] / p["b"]), (1.3 * np.sqrt(p["b"] / (p["a"] * p["k"])), np.sqrt(p["a"]) / p["b"])),
          normal_gamma_marginals, positive=(1,), large={"a": 400.0, "b": 150.0}, a=4.0, b=1.5, k=0.8),
    joint("GeneralizedMultivariateLogGamma",
          ss.GeneralizedMultivariateLogGamma("y", sp.Rational(1, 2), nu, [p1, p2], [1, 1]), [p1, p2], QUADRANT,
          log_gamma_oracle, log_gamma_spread, log_gamma_marginals, large={"nu": 400.0}, nu=2.5),
    joint("Dirichlet", ss.Dirichlet("y", [nu * q for q in (p1, p2, p3)]), [p1, p2, p3],
          ((0.2, 0.3, 0.5), (0.6, 0.1, 0.3)), dirichlet_oracle, dirichlet_spread, dirichlet_marginals, size=3,
          positive=(0, 1, 2), simplex=True, level=nu, large={"nu": 4000.0}, nu=12.0),
    joint("column_speckled", sp.Matrix([x1 + s * A, p2 * ss.Gamma("b", L, 1 / L)]), [x1, p2], MIXED, speckled_oracle,
          lambda x, p: (x, (1.35 * p["s"], x[1] * 1.35 / np.sqrt(p["L"]))),
          lambda x, p: [((1, 0), st.norm(x[0], p["s"]).cdf), ((0, 1), st.gamma(p["L"], scale=x[1] / p["L"]).cdf)],
          positive=(1,), level=s, large={"L": 400.0}, s=0.7, L=4.0),
    joint("column_triangular", sp.Matrix([x1 + s * A, x2 + r * A + s * B]), [x1, x2], PLANE, triangular_oracle,
          lambda x, p: (x, (1.35 * p["s"], 1.35 * np.hypot(p["r"], p["s"]))),
          lambda x, p: [((1, 0), st.norm(x[0], p["s"]).cdf), ((0, 1), st.norm(x[1], np.hypot(p["r"], p["s"])).cdf)],
          level=s, s=0.7, r=-0.6),
    joint("column_rotated", sp.Matrix([x1 + ss.Laplace("l", 0, 1) + s * A, x2 + ss.Laplace("l", 0, 1) - s * A]),
          [x1, x2], PLANE, rotated_oracle, lambda x, p: (x, (2.0, 2.0)),
          lambda x, p: [((1, 1), lambda y: st.laplace(x[0] + x[1], 2).cdf(y)),
                        ((1, -1), lambda y: st.norm(x[0] - x[1], 2 * p["s"]).cdf(y))],
          level=s, s=0.7),
    joint("column_nonlinear", sp.Matrix([p1 * sp.exp(s * A), x2 + s * A + B]), [p1, x2], ((0.3, 0.4), (12.0, -2.0)),
          heavy_rotated_oracle, lambda x, p: ((x[0], x[1]), (x[0], 1.35)),
          lambda x, p: [((1, 0), st.lognorm(p["s"], 0, x[0]).cdf), ((0, 1), st.norm(x[1], np.hypot(p["s"], 1)).cdf)],
          positive=(0,), level=s, s=0.7),
]  # fmt: skip
