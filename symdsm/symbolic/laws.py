"""Every univariate continuous law of sympy.stats as `map(z)` of a standard law with a stable log density.

A row says three things about a distribution D(a, b, ..):

    map      an increasing or decreasing function of one standard variable z, with the law's location and scale in it
    log f    the log density of z, normalised, in nodes that neither overflow nor cancel
    draw     z written in primitive draws (normal, uniform, exponential, gamma, ...), or None: numerical inverse CDF

so that y ~ D has log density log f(z) + log|dz/dy| at z = map^-1(y), and a target can be computed from the noise z
itself. Formulas: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions (1994, 1995). Gamma and
beta laws are written as deviances with Stirling's remainder (Loader, Fast and Accurate Computation of Binomial
Probabilities, 2000). The formulas are compared with SymPy's own densities, and with independent ones, by the tests.
"""

from dataclasses import dataclass

import sympy as sp
from sympy import Abs, Interval, S, exp, log, loggamma, oo, pi, sqrt

from symdsm.symbolic.nodes import (
    AbsPower,
    ExpGap,
    Log1mExp,
    LogAbs,
    LogBesselIe,
    LogExpm1,
    LogGap,
    LogHyp1F1,
    LogNdtr,
    Mills,
    Sigmoid,
    Softplus,
    StirlingError,
)

__all__ = ["LAWS", "Draw", "Law", "law_of", "stirling_gamma"]

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


def stirling_gamma(log_u, k):
    """k log G - G - log Gamma(k) at G = k e^log_u, by Stirling's formula: nothing of size k cancels (Loader 2000)."""
    return -k * ExpGap(log_u) + log(k / (2 * pi)) / 2 - StirlingError(k)


def _stirling_beta(log_u, log_v, a, b):
    """a log p + b log q - log B(a, b) at p = a/(a + b) e^log_u, q = 1 - p = b/(a + b) e^log_v, likewise."""
    return -a * ExpGap(log_u) - b * ExpGap(log_v) + _beta_peak(a, b)


def _beta_peak(a, b):
    """The value where p = a/(a + b)."""
    return log(a * b / (2 * pi * (a + b))) / 2 + StirlingError(a + b) - StirlingError(a) - StirlingError(b)


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
    return _half(map_, stirling_gamma(log(r / k), k) - log(r), _draw("gamma", k))


def _beta_density(a, b):
    n = a + b
    return _stirling_beta(log(n * r / a), log(n * (1 - r) / b), a, b) - log(r) - log(1 - r)


def _log_ratio(map_, a, b):
    """z = log(G_a / G_b), the logarithm of a beta-prime variable; p = Sigmoid(z)."""
    density = _stirling_beta(log((a + b) / a) - Softplus(-z), log((a + b) / b) - Softplus(z), a, b)
    return _line(map_, density, _draw("loggamma", a) - _draw("loggamma", b, slot=1))


def _ratio(map_, a, b):
    """r = G_a / G_b, a beta-prime variable, p = r/(1 + r): r keeps digits that its logarithm loses."""
    u, v = (a + b) / a / (1 + 1 / r), (a + b) / b / (1 + r)
    density = -a * LogGap(u) - b * LogGap(v) + _beta_peak(a, b) - log(r)
    return _half(map_, density, exp(_draw("loggamma", a) - _draw("loggamma", b, slot=1)))


def _student_t(nu):
    """Gamma((nu + 1)/2) / Gamma(nu/2) by Stirling's formula, so that nothing of size nu cancels."""
    a = nu / 2
    constant = a * log(1 + 1 / nu) - S.Half + StirlingError(a + S.Half) - StirlingError(a) - log(2 * pi) / 2
    return _line(z, constant - (nu + 1) / 2 * log(1 + z**2 / nu), _draw("t", nu))


def _ex_gaussian(m, s, rate):
    """Left of z = k through the ratio phi/Phi, where the exponential and the normal tail would cancel."""
    k = s * rate
    left = log(k) - z**2 / 2 - log(2 * pi) / 2 - log(Mills(z - k))
    right = log(k) + k**2 / 2 - k * z + LogNdtr(z - k)
    draw = NORMAL + _draw("exponential", slot=1) / k
    return _line(m + s * z, sp.Piecewise((left, z < k), (right, True)), draw)


def _uniform_sum(n):
    """Irwin-Hall: sum_k (-1)^k C(n, k) (d - k)_+^(n-1) / (n-1)!, d the distance to the nearer end."""
    if not n.is_Integer or not 1 <= n <= 12:
        return None
    d = n * S.Half - Abs(r - n * S.Half)
    pieces, total = [], S.Zero
    for k in range(n // 2 + 1):
        total += (-1) ** k * sp.binomial(n, k) * (r - k) ** (n - 1)
        pieces.append((log(sp.Poly(total, r).as_expr().xreplace({r: d}) / sp.factorial(n - 1)), d <= k + 1))
    pieces[-1] = (pieces[-1][0], True)
    draw = sp.Add(*[_draw("uniform", slot=k) for k in range(n)])
    return _half(r, sp.Piecewise(*pieces), draw, Interval.open(0, n))


def _triangular(a, b, c):
    peak = (c - a) / (b - a)
    density = log(2) + sp.Piecewise((LogAbs(r) - log(peak), r < peak), (LogAbs(1 - r) - log(1 - peak), True))
    return _half(a + (b - a) * r, density, _draw("triangular", peak), UNIT)


def _trapezoidal(a, b, c, d):
    left, right = (b - a) / (d - a), (c - a) / (d - a)
    density = (
        log(2)
        - log(1 + right - left)
        + sp.Piecewise((LogAbs(r) - log(left), r < left), (S.Zero, r < right), (LogAbs(1 - r) - log(1 - right), True))
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
    density = _beta_density(a, b) - lam / 2 + LogHyp1F1(a + b, a, lam * r / 2)
    count = _draw("poisson", lam / 2, slot=1)
    return _half(r, density, _draw("beta", a + count, b), UNIT)


def _noncentral_chi(k, lam):
    nu = k / 2 - 1
    density = -((r - lam) ** 2) / 2 + log(lam) + k / 2 * (log(r) - log(lam)) + LogBesselIe(nu, lam * r)
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
    density = -2 * k * sp.sin(z / 2) ** 2 - log(2 * pi) - LogBesselIe(0, k)
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
    "Beta": lambda a, b: _half(r, _beta_density(a, b), _draw("beta", a, b), UNIT),
    "BetaNoncentral": _noncentral_beta,
    "BetaPrime": lambda a, b: _ratio(r, a, b),
    "BoundedPareto": _bounded_pareto,
    "Cauchy": lambda x0, g: _line(x0 + g * z, _CAUCHY, _draw("cauchy")),
    "Chi": lambda k: _half(
        r, stirling_gamma(2 * log(r) - log(k), k / 2) + log(2) - log(r), sqrt(2 * _draw("gamma", k / 2))
    ),
    "ChiNoncentral": _noncentral_chi,
    "ChiSquared": lambda k: _gamma(2 * r, k / 2),
    "Dagum": lambda p, a, b: _line(b * exp(z / a), log(p) - z - (p + 1) * Softplus(-z), -LogExpm1(EXPONENTIAL / p)),
    "Davis": lambda b, n, mu: _half(mu + b / r, (n - 1) * log(r) - LogExpm1(r) - loggamma(n) - log(sp.zeta(n)), None),
    "ExGaussian": _ex_gaussian,
    "Exponential": lambda rate: _exponential(r / rate),
    "ExponentialPower": lambda mu, a, b: _line(
        mu + a * z, log(b) - log(2) - loggamma(1 / b) - AbsPower(z, b), _draw("generalized_normal", b)
    ),
    "FDistribution": lambda d1, d2: _ratio(d2 / d1 * r, d1 / 2, d2 / 2),
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
        sqrt(w) * r, stirling_gamma(2 * log(r), m) + log(2) - log(r), sqrt(_draw("gamma", m) / m)
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
    "UniformSum": _uniform_sum,
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
