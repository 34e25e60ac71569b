"""Laws on bounded intervals; the sources are named in tests.oracles.densities."""

import numpy as np
import scipy.special as ss
import scipy.stats as st
from mpmath import mp, mpf

from tests.oracles.family import family, log_beta, unit
from tests.oracles.laws import ClosedForm, Image, affine
from tests.oracles.unbounded import normal


@family("Arcsin", lambda a, b: (a, b), lambda a, b: st.arcsine(a, b - a))
def arcsin(y, a, b):
    """JKB2 25: 1/(pi sqrt((y-a)(b-y)))."""
    return -mp.log(mp.pi) - (mp.log(y - a) + mp.log(b - y)) / 2


@family("Beta", unit, lambda a, b: st.beta(a, b))
def beta(y, a, b):
    """JKB2 25."""
    return (a - 1) * mp.log(y) + (b - 1) * mp.log1p(-y) - log_beta(a, b)


@family(
    "BetaNoncentral",
    unit,
    lambda a, b, lam: Image(st.ncf(2 * a, 2 * b, lam), lambda f: a * f / (a * f + b), lambda y: b * y / (a * (1 - y))),
)
def beta_noncentral(y, a, b, lam):
    """JKB2 30.7: Poisson(lam/2) mixture of Beta(a + k, b), summed by Kummer's 1F1(a + b; a; lam y/2)."""
    return beta(y, a, b) - lam / 2 + mp.log(mp.hyp1f1(a + b, a, lam * y / 2))


@family(
    "BoundedPareto",
    lambda a, low, high: (low, high),
    lambda a, low, high: st.truncpareto(a, high / low, 0, low),
)
def bounded_pareto(y, a, low, high):
    """JKB1 20: the Pareto law cut at `high`."""
    return mp.log(a) + a * mp.log(low) - (a + 1) * mp.log(y) - mp.log(1 - (low / high) ** a)


@family(
    "Kumaraswamy",
    unit,
    lambda a, b: ClosedForm(
        lambda y: -np.expm1(b * np.log1p(-(y**a))), lambda u: (-np.expm1(np.log1p(-u) / b)) ** (1 / a)
    ),
)
def kumaraswamy(y, a, b):
    """Kumaraswamy (1980): distribution function 1 - (1 - y^a)^b."""
    return mp.log(a * b) + (a - 1) * mp.log(y) + (b - 1) * mp.log1p(-(y**a))


@family("LogitNormal", unit, lambda m, s: Image(st.norm(m, s), ss.expit, ss.logit))
def logit_normal(y, m, s):
    """JKB1 12 (Johnson's S_B): the logit is normal."""
    return normal(mp.log(y) - mp.log1p(-y), m, s) - mp.log(y) - mp.log1p(-y)


@family("PowerFunction", lambda k, a, b: (a, b), lambda k, a, b: st.powerlaw(k, a, b - a))
def power_function(y, k, a, b):
    """JKB2 25: Beta(k, 1) on (a, b)."""
    return mp.log(k) + (k - 1) * mp.log(y - a) - k * mp.log(b - a)


@family(
    "QuadraticU",
    lambda a, b: (a, b),
    lambda a, b: ClosedForm(
        lambda y: (1 + ((2 * y - a - b) / (b - a)) ** 3) / 2,
        lambda u: (a + b + (b - a) * np.cbrt(2 * u - 1)) / 2,
    ),
)
def quadratic_u(y, a, b):
    """The density grows with the square of the distance from the middle."""
    return mp.log(12) - 3 * mp.log(b - a) + 2 * mp.log(abs(y - (a + b) / 2))


@family("RaisedCosine", lambda m, s: (m - s, m + s), lambda m, s: affine(st.cosine(), m, s / np.pi))
def raised_cosine(y, m, s):
    """JKB2 24: (1 + cos(pi (y - m)/s))/(2 s), here as cos^2 of half the angle."""
    return 2 * mp.log(mp.cospi((y - m) / (2 * s))) - mp.log(s)


@family("Reciprocal", lambda a, b: (a, b), lambda a, b: st.reciprocal(a, b))
def reciprocal(y, a, b):
    """Hamming (1970): uniform in log y."""
    return -mp.log(y) - mp.log(mp.log(b / a))


@family(
    "Trapezoidal",
    lambda a, b, c, d: (a, d),
    lambda a, b, c, d: st.trapezoid((b - a) / (d - a), (c - a) / (d - a), a, d - a),
)
def trapezoidal(y, a, b, c, d):
    """van Dorp, Kotz (2003): straight up, flat, straight down."""
    height = mp.log(2 / (d + c - a - b))
    return height + mp.log(min(mpf(1), (y - a) / (b - a), (d - y) / (d - c)))


@family("Triangular", lambda a, b, c: (a, b), lambda a, b, c: st.triang((c - a) / (b - a), a, b - a))
def triangular(y, a, b, c):
    """JKB2 26.9; c is the mode."""
    return mp.log(2 / (b - a)) + mp.log(min((y - a) / (c - a), (b - y) / (b - c)))


@family("Uniform", lambda a, b: (a, b), lambda a, b: st.uniform(a, b - a))
def uniform(y, a, b):
    """JKB2 26."""
    return -mp.log(b - a)


@family("UniformSum", lambda n: (mpf(0), mpf(n)), lambda n: st.irwinhall(n))
def uniform_sum(y, n):
    """JKB2 26.9 (Irwin, Hall)."""
    terms = ((-1) ** k * mp.binomial(n, k) * (y - k) ** (n - 1) for k in range(int(mp.floor(y)) + 1))
    return mp.log(mp.fsum(terms)) - mp.loggamma(n)


@family(
    "VonMises",
    lambda m, k: (mpf(0), 2 * mp.pi),
    lambda m, k: ClosedForm(
        lambda y: st.vonmises(k).cdf(y - m) - st.vonmises(k).cdf(-m),
        lambda u: (m + st.vonmises(k).ppf(u)) % (2 * np.pi),
    ),
)
def von_mises(y, m, k):
    """MJ 3.5.4, on (0, 2 pi)."""
    return k * mp.cos(y - m) - mp.log(2 * mp.pi * mp.besseli(0, k))


@family("WignerSemicircle", lambda r: (-r, r), lambda r: st.semicircular(0, r))
def wigner_semicircle(y, r):
    """Wigner (1955)."""
    return mp.log(2 / mp.pi) - 2 * mp.log(r) + (mp.log(r - y) + mp.log(r + y)) / 2
