"""Laws on the line and on half-lines; the sources are named in tests.oracles.densities."""

import numpy as np
import scipy.special as ss
import scipy.stats as st
from mpmath import mp, mpf

from tests.oracles.family import INF, family, line, log_beta, positive
from tests.oracles.laws import Bisected, ClosedForm, Image


@family(
    "Benini",
    lambda a, b, s: (s, INF),
    lambda a, b, s: ClosedForm(
        lambda y: -np.expm1(-a * np.log(y / s) - b * np.log(y / s) ** 2),
        lambda u: s * np.exp((-a + np.sqrt(a * a - 4 * b * np.log1p(-u))) / (2 * b)),
    ),
)
def benini(y, a, b, s):
    """KK 7.1: survival exp(-a L - b L^2), L = log(y/s)."""
    t = mp.log(y / s)
    return mp.log(a + 2 * b * t) - mp.log(y) - a * t - b * t * t


@family("BetaPrime", positive, lambda a, b: st.betaprime(a, b))
def beta_prime(y, a, b):
    """JKB2 25.7 (Pearson VI)."""
    return (a - 1) * mp.log(y) - (a + b) * mp.log1p(y) - log_beta(a, b)


@family("Cauchy", line, lambda m, g: st.cauchy(m, g))
def cauchy(y, m, g):
    """JKB1 16."""
    return -mp.log(mp.pi * g) - mp.log1p(((y - m) / g) ** 2)


@family("Chi", positive, lambda k: st.chi(k))
def chi(y, k):
    """JKB1 18: root of a chi-squared variable."""
    return (1 - k / 2) * mp.log(2) + (k - 1) * mp.log(y) - y * y / 2 - mp.loggamma(k / 2)


@family("ChiNoncentral", positive, lambda k, lam: Image(st.ncx2(k, lam * lam), np.sqrt, np.square))
def chi_noncentral(y, k, lam):
    """JKB2 29: root of a noncentral chi-squared variable, by its Bessel form."""
    bessel = mp.log(mp.besseli(k / 2 - 1, lam * y))
    return -(y * y + lam * lam) / 2 + k / 2 * mp.log(y) + (1 - k / 2) * mp.log(lam) + bessel


@family("ChiSquared", positive, lambda k: st.chi2(k))
def chi_squared(y, k):
    """JKB1 18."""
    return (k / 2 - 1) * mp.log(y) - y / 2 - k / 2 * mp.log(2) - mp.loggamma(k / 2)


@family("Dagum", positive, lambda p, a, b: st.burr(a, p, 0, b))
def dagum(y, p, a, b):
    """KK 6.3: distribution function (1 + (y/b)^-a)^-p."""
    return mp.log(a * p / b) - (a + 1) * mp.log(y / b) - (p + 1) * mp.log1p((y / b) ** -a)


def _davis_cdf(y, b, n, m):
    # Planck's law is a mixture of Gamma(n, 1/k) with weights k^-n / zeta(n); 4000 terms leave 4000^(1-n)/zeta(n).
    k, t = np.arange(1, 4001), b / (np.asarray(y, dtype=float)[..., None] - m)
    return (k**-n * ss.gammaincc(n, k * t)).sum(-1) / ss.zeta(n)


@family(
    "Davis",
    lambda b, n, m: (m, INF),
    lambda b, n, m: Bisected(lambda y: _davis_cdf(y, b, n, m), m, m + 1e6 * b),
)
def davis(y, b, n, m):
    """KK 7.2: Planck's law for b/(y - m)."""
    t = b / (y - m)
    return n * mp.log(b) - (n + 1) * mp.log(y - m) - mp.log(mp.expm1(t)) - mp.loggamma(n) - mp.log(mp.zeta(n))


@family("Erlang", positive, lambda k, rate: st.gamma(k, 0, 1 / rate))
def erlang(y, k, rate):
    """JKB1 17: Gamma with an integer shape and a rate."""
    return k * mp.log(rate) + (k - 1) * mp.log(y) - rate * y - mp.log(mp.factorial(k - 1))


@family("ExGaussian", line, lambda m, s, rate: st.exponnorm(1 / (s * rate), m, s))
def ex_gaussian(y, m, s, rate):
    """Grushka (1972): a normal plus an exponential variable."""
    tail = mp.erfc((m + rate * s * s - y) / (s * mp.sqrt(2)))
    return mp.log(rate / 2) + rate * (m - y) + (rate * s) ** 2 / 2 + mp.log(tail)


@family("Exponential", positive, lambda rate: st.expon(0, 1 / rate))
def exponential(y, rate):
    """JKB1 19."""
    return mp.log(rate) - rate * y


@family("ExponentialPower", line, lambda m, a, b: st.gennorm(b, m, a))
def exponential_power(y, m, a, b):
    """JKB2 24 (Subbotin)."""
    return mp.log(b / (2 * a)) - mp.loggamma(1 / b) - (abs(y - m) / a) ** b


@family("FDistribution", positive, lambda d1, d2: st.f(d1, d2))
def f_distribution(y, d1, d2):
    """JKB2 27."""
    r = d1 / d2
    return d1 / 2 * mp.log(r) + (d1 / 2 - 1) * mp.log(y) - (d1 + d2) / 2 * mp.log1p(r * y) - log_beta(d1 / 2, d2 / 2)


@family("FisherZ", line, lambda d1, d2: Image(st.f(d1, d2), lambda f: np.log(f) / 2, lambda z: np.exp(2 * z)))
def fisher_z(y, d1, d2):
    """JKB2 27: half the logarithm of an F variable."""
    return f_distribution(mp.exp(2 * y), d1, d2) + mp.log(2) + 2 * y


@family("Frechet", lambda a, s, m: (m, INF), lambda a, s, m: st.invweibull(a, m, s))
def frechet(y, a, s, m):
    """JKB2 22: distribution function exp(-((y - m)/s)^-a)."""
    t = (y - m) / s
    return mp.log(a / s) - (a + 1) * mp.log(t) - t**-a


@family("Gamma", positive, lambda k, theta: st.gamma(k, 0, theta))
def gamma(y, k, theta):
    """JKB1 17."""
    return (k - 1) * mp.log(y) - y / theta - mp.loggamma(k) - k * mp.log(theta)


@family("GammaInverse", positive, lambda a, b: st.invgamma(a, 0, b))
def gamma_inverse(y, a, b):
    """JKB1 17: Gamma(a, 1/b) upside down."""
    return a * mp.log(b) - mp.loggamma(a) - (a + 1) * mp.log(y) - b / y


@family("Gompertz", positive, lambda b, eta: st.gompertz(eta, 0, 1 / b))
def gompertz(y, b, eta):
    """JKB2 22: hazard b eta exp(b y)."""
    return mp.log(b * eta) + b * y - eta * mp.expm1(b * y)


@family("Gumbel", line, lambda beta, m: st.gumbel_r(m, beta))
def gumbel(y, beta, m):
    """JKB2 22: the law of maxima."""
    z = (y - m) / beta
    return -mp.log(beta) - z - mp.exp(-z)


@family("Laplace", line, lambda m, b: st.laplace(m, b))
def laplace(y, m, b):
    """JKB2 24."""
    return -mp.log(2 * b) - abs(y - m) / b


@family("Levy", lambda m, c: (m, INF), lambda m, c: st.levy(m, c))
def levy(y, m, c):
    """JKB1 12.2 (positive stable law of index 1/2)."""
    return mp.log(c / (2 * mp.pi)) / 2 - c / (2 * (y - m)) - mpf(3) / 2 * mp.log(y - m)


@family("LogCauchy", positive, lambda m, s: Image(st.cauchy(m, s), np.exp, np.log))
def log_cauchy(y, m, s):
    """JKB1 16: the exponential of a Cauchy variable."""
    return cauchy(mp.log(y), m, s) - mp.log(y)


@family("Logistic", line, lambda m, s: st.logistic(m, s))
def logistic(y, m, s):
    """JKB2 23: sech^2((y - m)/(2 s))/(4 s)."""
    z = abs(y - m) / s
    return -z - 2 * mp.log1p(mp.exp(-z)) - mp.log(s)


@family("LogLogistic", positive, lambda a, b: st.fisk(b, 0, a))
def log_logistic(y, a, b):
    """JKB2 23: distribution function 1/(1 + (y/a)^-b)."""
    t = mp.log(y / a)
    return mp.log(b) - mp.log(y) + b * t - 2 * mp.log1p(mp.exp(b * t))


@family("LogNormal", positive, lambda m, s: st.lognorm(s, 0, np.exp(m)))
def log_normal(y, m, s):
    """JKB1 14."""
    return normal(mp.log(y), m, s) - mp.log(y)


@family("Lomax", positive, lambda a, scale: st.lomax(a, 0, scale))
def lomax(y, a, scale):
    """JKB1 20 (Pareto of the second kind)."""
    return mp.log(a / scale) - (a + 1) * mp.log1p(y / scale)


@family("Maxwell", positive, lambda a: st.maxwell(0, a))
def maxwell(y, a):
    """JKB1 18: the length of a normal vector in three dimensions."""
    return mp.log(2 / mp.pi) / 2 + 2 * mp.log(y) - y * y / (2 * a * a) - 3 * mp.log(a)


@family("Moyal", line, lambda m, s: st.moyal(m, s))
def moyal(y, m, s):
    """Moyal (1955)."""
    z = (y - m) / s
    return -(z + mp.exp(-z)) / 2 - mp.log(2 * mp.pi) / 2 - mp.log(s)


@family("Nakagami", positive, lambda m, omega: st.nakagami(m, 0, np.sqrt(omega)))
def nakagami(y, m, omega):
    """Nakagami (1960): the root of Gamma(m, omega/m)."""
    return gamma(y * y, m, omega / m) + mp.log(2 * y)


@family("Normal", line, lambda m, s: st.norm(m, s))
def normal(y, m, s):
    """JKB1 13."""
    return -(((y - m) / s) ** 2) / 2 - mp.log(s) - mp.log(2 * mp.pi) / 2


@family("GaussianInverse", positive, lambda m, lam: st.invgauss(m / lam, 0, lam))
def gaussian_inverse(y, m, lam):
    """JKB1 15."""
    return mp.log(lam / (2 * mp.pi)) / 2 - mpf(3) / 2 * mp.log(y) - lam * (y - m) ** 2 / (2 * m * m * y)


@family("Pareto", lambda low, a: (low, INF), lambda low, a: st.pareto(a, 0, low))
def pareto(y, low, a):
    """JKB1 20."""
    return mp.log(a) + a * mp.log(low) - (a + 1) * mp.log(y)


@family("Rayleigh", positive, lambda s: st.rayleigh(0, s))
def rayleigh(y, s):
    """JKB1 18."""
    return mp.log(y) - 2 * mp.log(s) - (y / s) ** 2 / 2


@family("StudentT", line, lambda nu: st.t(nu))
def student_t(y, nu):
    """JKB2 28."""
    return -(nu + 1) / 2 * mp.log1p(y * y / nu) - mp.log(nu) / 2 - log_beta(mpf(1) / 2, nu / 2)


@family(
    "ShiftedGompertz",
    positive,
    lambda b, eta: ClosedForm(
        lambda y: -np.expm1(-b * y) * np.exp(-eta * np.exp(-b * y)),
        # The quantile solves v e^(-eta (1 - v)) = u for v = 1 - e^(-b y), by Lambert's W.
        lambda u: -np.log1p(-ss.lambertw(eta * u * np.exp(eta)).real / eta) / b,
    ),
)
def shifted_gompertz(y, b, eta):
    """Bemmaor (1994): the larger of an exponential and a Gumbel variable."""
    t = mp.exp(-b * y)
    return mp.log(b) - b * y - eta * t + mp.log1p(eta * (1 - t))


@family("Weibull", positive, lambda a, b: st.weibull_min(b, 0, a))
def weibull(y, a, b):
    """JKB1 21; a is the scale."""
    return mp.log(b / a) + (b - 1) * mp.log(y / a) - (y / a) ** b
