"""Every univariate continuous law of sympy.stats as `map(z)` of a standard law with a stable log density.

A row says three things about a distribution D(a, b, ..):

    map      an increasing or decreasing function of one standard variable z, with the law's location and scale in it
    log f    the log density of z, normalised, in nodes that neither overflow nor cancel
    draw     z written in primitive draws (normal, uniform, exponential, gamma, ...), or None: numerical inverse CDF

so that y ~ D has log density log f(z) + log|dz/dy| at z = map^-1(y), and a target can be computed from the noise z
itself. Formulas: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions (1994, 1995), unless said.
The formulas are compared with SymPy's own densities, and with independent ones, by the tests.
"""

from dataclasses import dataclass

import sympy as sp
from sympy import Abs, Interval, S, exp, log, loggamma, oo, pi, sqrt

from symdsm.symbolic.nodes import (
    Log1mExp,
    LogAbs,
    LogBesselI,
    LogExpm1,
    LogHyp1F1,
    LogNdtr,
    Sigmoid,
    Softplus,
)

__all__ = ["LAWS", "Draw", "Law", "law_of"]

z = sp.Symbol("_z", real=True)
r = sp.Symbol("_r", positive=True)
LINE, HALF, UNIT, BOTH = S.Reals, Interval.open(0, oo), Interval.open(0, 1), Interval.open(-1, 1)


class Draw(sp.Function):
    """Draw(kind, slot, *shapes): an independent primitive draw; draws in different slots use different keys."""

    is_real = True

    @classmethod
    def eval(cls, *args):
        return None


def _draw(kind: str, *shapes: sp.Expr, slot: int = 0) -> sp.Expr:
    return Draw(sp.Symbol(kind), sp.Integer(slot), *map(sp.sympify, shapes))


NORMAL, UNIFORM, EXPONENTIAL = _draw("normal"), _draw("uniform"), _draw("exponential")


@dataclass(frozen=True)
class Law:
    """y = map(variable), where `variable` has the log density `log_density` on `support`."""

    variable: sp.Symbol
    map: sp.Expr
    log_density: sp.Expr
    support: sp.Set
    draw: sp.Expr | None
    period: sp.Expr | None = None


def _line(map_, log_density, draw, support=LINE, period=None):
    return Law(z, sp.sympify(map_), sp.sympify(log_density), support, draw, period)


def _half(map_, log_density, draw, support=HALF):
    return Law(r, sp.sympify(map_), sp.sympify(log_density), support, draw)


def _log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


_NORMAL = -(z**2) / 2 - log(2 * pi) / 2
_LOGISTIC = -z - 2 * Softplus(-z)
_LAPLACE = -Abs(z) - log(2)
_CAUCHY = -log(1 + z**2) - log(pi)
_GUMBEL = -z - exp(-z)


def _normal(map_):
    return _line(map_, _NORMAL, NORMAL)


def _exponential(map_):
    return _half(map_, -r, EXPONENTIAL)


def _gamma(map_, k):
    return _half(map_, (k - 1) * log(r) - r - loggamma(k), _draw("gamma", k))


def _log_ratio(map_, a, b):
    """z = log(G_a / G_b), the logarithm of a beta-prime variable."""
    return _line(
        map_,
        a * z - (a + b) * Softplus(z) - _log_beta(a, b),
        _draw("loggamma", a) - _draw("loggamma", b, slot=1),
    )


def _student_t(nu):
    density = -(nu + 1) / 2 * log(1 + z**2 / nu) - log(nu * pi) / 2 - loggamma(nu / 2) + loggamma((nu + 1) / 2)
    return _line(z, density, _draw("t", nu))


def _triangular(a, b, c):
    peak = (c - a) / (b - a)
    density = log(2) + sp.Piecewise((LogAbs(r) - log(peak), r < peak), (LogAbs(1 - r) - log(1 - peak), True))
    return _half(a + (b - a) * r, density, _draw("triangular", peak), UNIT)


def _trapezoidal(a, b, c, d):
    left, right = (b - a) / (d - a), (c - a) / (d - a)
    density = (
        log(2)
        - log(1 + right - left)
        + sp.Piecewise(
            (LogAbs(r) - log(left), r < left), (S.Zero, r < right), (LogAbs(1 - r) - log(1 - right), True)
        )
    )
    return _half(a + (d - a) * r, density, None, UNIT)


def _gumbel(beta, mu, minimum):
    minimum = sp.sympify(minimum)
    if minimum not in (S.true, S.false):
        return None
    return _line(mu - beta * z if minimum else mu + beta * z, _GUMBEL, _draw("gumbel"))


def _inverse_gaussian(mean, shape):
    phi = shape / mean
    density = (log(phi) - log(2 * pi) - 3 * log(r)) / 2 - phi * (r - 1) ** 2 / (2 * r)
    return _half(mean * r, density, phi * _draw("wald", 1 / phi))


def _noncentral_beta(a, b, lam):
    density = (
        (a - 1) * log(r) + (b - 1) * log(1 - r) - _log_beta(a, b) - lam / 2 + LogHyp1F1(a + b, a, lam * r / 2)
    )
    count = _draw("poisson", lam / 2, slot=1)
    return _half(r, density, _draw("beta", a + count, b), UNIT)


def _noncentral_chi(k, lam):
    nu = k / 2 - 1
    density = (
        -((r - lam) ** 2) / 2 + log(lam) + k / 2 * (log(r) - log(lam)) + LogBesselI(nu, lam * r) - lam * r
    )
    return _half(r, density, None)


def _bounded_pareto(alpha, left, right):
    width = log(right / left)
    density = log(alpha) - alpha * r - Log1mExp(-alpha * width)
    draw = -sp.log(1 - UNIFORM * (1 - exp(-alpha * width))) / alpha
    return _half(left * exp(r), density, draw, Interval.open(0, width))


def _shifted_gompertz(b, eta):
    density = log(1 + eta * (1 - exp(-r))) - r - eta * exp(-r)
    return _half(r / b, density, sp.Max(EXPONENTIAL, log(eta) + _draw("gumbel", slot=1)))


def _von_mises(mu, k):
    density = -2 * k * sp.sin(z / 2) ** 2 - log(2 * pi) - LogBesselI(0, k) + k
    return _line(mu + z, density, None, LINE, 2 * pi)


LAWS = {
    "Arcsin": lambda a, b: _half(
        a + (b - a) * r, -log(pi) - (log(r) + log(1 - r)) / 2, sp.sin(pi * UNIFORM / 2) ** 2, UNIT
    ),
    "Benini": lambda a, b, s: _half(
        s * exp(r),
        log(a + 2 * b * r) - a * r - b * r**2,
        2 * EXPONENTIAL / (a + sqrt(a**2 + 4 * b * EXPONENTIAL)),
    ),
    "Beta": lambda a, b: _half(
        r, (a - 1) * log(r) + (b - 1) * log(1 - r) - _log_beta(a, b), _draw("beta", a, b), UNIT
    ),
    "BetaNoncentral": _noncentral_beta,
    "BetaPrime": lambda a, b: _log_ratio(exp(z), a, b),
    "BoundedPareto": _bounded_pareto,
    "Cauchy": lambda x0, g: _line(x0 + g * z, _CAUCHY, _draw("cauchy")),
    "Chi": lambda k: _half(
        r,
        (1 - k / 2) * log(2) + (k - 1) * log(r) - r**2 / 2 - loggamma(k / 2),
        sqrt(2 * _draw("gamma", k / 2)),
    ),
    "ChiNoncentral": _noncentral_chi,
    "ChiSquared": lambda k: _gamma(2 * r, k / 2),
    "Dagum": lambda p, a, b: _line(
        b * exp(z / a), log(p) - z - (p + 1) * Softplus(-z), -LogExpm1(EXPONENTIAL / p)
    ),
    "Davis": lambda b, n, mu: _half(
        mu + b / r, (n - 1) * log(r) - LogExpm1(r) - loggamma(n) - log(sp.zeta(n)), None
    ),
    "ExGaussian": lambda m, s, rate: _line(
        m + s * z,
        log(s * rate) + (s * rate) ** 2 / 2 - s * rate * z + LogNdtr(z - s * rate),
        NORMAL + _draw("exponential", slot=1) / (s * rate),
    ),
    "Exponential": lambda rate: _exponential(r / rate),
    "ExponentialPower": lambda mu, a, b: _line(
        mu + a * z, log(b) - log(2) - loggamma(1 / b) - Abs(z) ** b, _draw("generalized_normal", b)
    ),
    "FDistribution": lambda d1, d2: _log_ratio(d2 / d1 * exp(z), d1 / 2, d2 / 2),
    "FisherZ": lambda d1, d2: _log_ratio(z / 2 + log(d2 / d1) / 2, d1 / 2, d2 / 2),
    "Frechet": lambda a, s, m: _line(m + s * exp(z / a), _GUMBEL, _draw("gumbel")),
    "Gamma": lambda k, theta: _gamma(theta * r, k),
    "GammaInverse": lambda a, b: _gamma(b / r, a),
    "GaussianInverse": _inverse_gaussian,
    "Gompertz": lambda b, eta: _exponential(log(1 + r / eta) / b),
    "Gumbel": _gumbel,
    "Kumaraswamy": lambda a, b: _half(
        r,
        log(a) + log(b) + (a - 1) * log(r) + (b - 1) * Log1mExp(a * log(r)),
        exp(Log1mExp(-EXPONENTIAL / b) / a),
        UNIT,
    ),
    "Laplace": lambda mu, b: _line(mu + b * z, _LAPLACE, _draw("laplace")),
    "Levy": lambda mu, c: _half(mu + c * r, -log(2 * pi) / 2 - 3 * log(r) / 2 - 1 / (2 * r), 1 / NORMAL**2),
    "LogCauchy": lambda mu, s: _line(exp(mu + s * z), _CAUCHY, _draw("cauchy")),
    "LogLogistic": lambda a, b: _line(a * exp(z / b), _LOGISTIC, _draw("logistic")),
    "LogNormal": lambda m, s: _normal(exp(m + s * z)),
    "Logistic": lambda mu, s: _line(mu + s * z, _LOGISTIC, _draw("logistic")),
    "LogitNormal": lambda mu, s: _normal(Sigmoid(mu + s * z)),
    "Lomax": lambda a, lam: _exponential(lam * (exp(r / a) - 1)),
    "Maxwell": lambda a: _half(a * r, log(2 / pi) / 2 + 2 * log(r) - r**2 / 2, _draw("maxwell")),
    "Moyal": lambda mu, s: _line(mu + s * z, -log(2 * pi) / 2 - (z + exp(-z)) / 2, -2 * LogAbs(NORMAL)),
    "Nakagami": lambda m, w: _half(
        sqrt(w) * r,
        log(2) + m * log(m) - loggamma(m) + (2 * m - 1) * log(r) - m * r**2,
        sqrt(_draw("gamma", m) / m),
    ),
    "Normal": lambda m, s: _normal(m + s * z),
    "Pareto": lambda xm, a: _exponential(xm * exp(r / a)),
    "PowerFunction": lambda a, low, high: _half(
        low + (high - low) * r, log(a) + (a - 1) * log(r), exp(-EXPONENTIAL / a), UNIT
    ),
    "QuadraticU": lambda a, b: _line(
        (a + b) / 2 + (b - a) / 2 * z,
        log(S(3) / 2) + 2 * LogAbs(z),
        sp.sign(2 * UNIFORM - 1) * Abs(2 * UNIFORM - 1) ** sp.Rational(1, 3),
        BOTH,
    ),
    "RaisedCosine": lambda mu, s: _line(mu + s * z, 2 * LogAbs(sp.cos(pi * z / 2)), None, BOTH),
    "Rayleigh": lambda s: _half(s * r, log(r) - r**2 / 2, sqrt(2 * EXPONENTIAL)),
    "Reciprocal": lambda a, b: _half(a * exp(log(b / a) * r), S.Zero, UNIFORM, UNIT),
    "StudentT": _student_t,
    "ShiftedGompertz": _shifted_gompertz,
    "Trapezoidal": _trapezoidal,
    "Triangular": _triangular,
    "Uniform": lambda a, b: _half(a + (b - a) * r, S.Zero, UNIFORM, UNIT),
    "VonMises": _von_mises,
    "Weibull": lambda a, b: _exponential(a * r ** (1 / b)),
    "WignerSemicircle": lambda radius: _line(
        radius * z,
        log(2 / pi) + (log(1 - z) + log(1 + z)) / 2,
        2 * _draw("beta", S(3) / 2, S(3) / 2) - 1,
        BOTH,
    ),
}


def law_of(distribution) -> Law | None:
    """The row of a sympy.stats distribution, with its arguments put in; None when the table has none."""
    row = LAWS.get(type(distribution).__name__.removesuffix("Distribution"))
    return None if row is None else row(*distribution.args)
