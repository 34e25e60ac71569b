"""Ready kernels of one noisy value, each a few lines: formula, level, reference.

x is the clean value, y the noisy one, e the noise. The level is the parameter that sets the amount of noise; the
other symbols are parameters as well. Families of the half line and of the unit interval are centred at x: it is the
mean unless the formula says otherwise.

References. JKB: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions (1994, 1995). MJ: Mardia and
Jupp, Directional Statistics (2000). Others stand where they are used.
"""

import sympy as sp
import sympy.stats as st

from symdsm.symbolic.circular import from_circular_density
from symdsm.symbolic.constructors import from_density, from_random
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.nodes import LogNdtr, LogWrappedNormal

__all__ = [
    "beta",
    "cauchy",
    "gamma",
    "gaussian",
    "generalised_normal",
    "gumbel",
    "inverse_gamma",
    "inverse_gaussian",
    "kumaraswamy",
    "laplace",
    "log_normal",
    "logistic",
    "logit_normal",
    "poisson_gaussian",
    "skew_normal",
    "speckle",
    "speckle_amplitude",
    "student_t",
    "von_mises",
    "weibull",
    "wrapped_cauchy",
    "wrapped_normal",
]

_x, _y = sp.symbols("x y", real=True)
_positive = sp.Symbol("x", positive=True)
_sigma, _nu, _L, _k = sp.symbols("sigma nu L k", positive=True)

# The real line


def gaussian() -> Declaration:
    """y = x + sigma e with e ~ N(0, 1); level sigma. JKB 13."""
    return from_random(st.Normal("y", _x, _sigma), _x, _sigma)


def poisson_gaussian() -> Declaration:
    """y ~ N(x, a x + b): photon noise of gain a and read-out noise of variance b, x > 0; level a.

    Foi, Trimeche, Katkovnik and Egiazarian, IEEE Transactions on Image Processing 17 (2008), 1737.
    """
    a, b = sp.symbols("a b", positive=True)
    return from_random(st.Normal("y", _positive, sp.sqrt(a * _positive + b)), _positive, a)


def laplace() -> Declaration:
    """p = exp(-|y - x|/sigma) / (2 sigma); level sigma. JKB 24."""
    return from_random(st.Laplace("y", _x, _sigma), _x, _sigma)


def student_t() -> Declaration:
    """y = x + sigma e, e ~ t with nu degrees of freedom; level sigma. JKB 28."""
    return from_random(_x + _sigma * st.StudentT("e", _nu), _x, _sigma)


def logistic() -> Declaration:
    """p = sech^2((y - x)/(2 sigma)) / (4 sigma); level sigma. JKB 23."""
    return from_random(st.Logistic("y", _x, _sigma), _x, _sigma)


def generalised_normal() -> Declaration:
    """p = beta exp(-(|y - x|/sigma)^beta) / (2 sigma Gamma(1/beta)); level sigma. Subbotin 1923; JKB 24.6."""
    return from_random(st.ExponentialPower("y", _x, _sigma, sp.Symbol("beta", positive=True)), _x, _sigma)


def cauchy() -> Declaration:
    """p = 1/(pi sigma (1 + z^2)), z = (y - x)/sigma; level sigma. JKB 16."""
    return from_random(st.Cauchy("y", _x, _sigma), _x, _sigma)


def skew_normal() -> Declaration:
    """p = 2 phi(z) Phi(alpha z) / sigma, z = (y - x)/sigma; level sigma.

    Azzalini, Scandinavian Journal of Statistics 12 (1985), 171.
    """
    z = (_y - _x) / _sigma
    tilt = sp.log(2) + LogNdtr(sp.Symbol("alpha", real=True) * z)
    log_density = -(z**2) / 2 - sp.log(2 * sp.pi) / 2 - sp.log(_sigma) + tilt
    return from_density(log_density, _y, _x, level=_sigma, log=True)


def gumbel() -> Declaration:
    """p = exp(-z - exp(-z)) / sigma, z = (y - x)/sigma, the law of large maxima; level sigma. JKB 22."""
    return from_random(st.Gumbel("y", _sigma, _x), _x, _sigma)


# The half line


def log_normal() -> Declaration:
    """y = x exp(sigma e), e ~ N(0, 1): x is the median; level sigma. JKB 14."""
    return from_random(_positive * sp.exp(_sigma * st.Normal("e", 0, 1)), _positive, _sigma)


def gamma() -> Declaration:
    """y ~ Gamma(x/theta, theta): mean x and variance theta x, as of counts; level theta. JKB 17."""
    theta = sp.Symbol("theta", positive=True)
    return from_random(st.Gamma("y", _positive / theta, theta), _positive, theta)


def speckle() -> Declaration:
    """y = x e, e ~ Gamma(L, 1/L): the intensity of coherent light in L looks, L -> 0 the noisiest; level L.

    Goodman, Speckle Phenomena in Optics (2007), 3.2.
    """
    return from_random(_positive * st.Gamma("e", _L, 1 / _L), _positive, _L)


def speckle_amplitude() -> Declaration:
    """y = x sqrt(e), e ~ Gamma(L, 1/L), a Nakagami law with mean square x^2; level L. Goodman 2007, 3.2."""
    return from_random(_positive * sp.sqrt(st.Gamma("e", _L, 1 / _L)), _positive, _L)


def inverse_gamma() -> Declaration:
    """y = x / e, e ~ Gamma(a, 1/a): x is the harmonic mean; level a. JKB 17.3."""
    a = sp.Symbol("a", positive=True)
    return from_random(_positive / st.Gamma("e", a, 1 / a), _positive, a)


def weibull() -> Declaration:
    """y = x e^(1/k), e ~ Exponential(1): x is the scale; level k. JKB 21."""
    return from_random(st.Weibull("y", _positive, _k), _positive, _k)


def inverse_gaussian() -> Declaration:
    """p = sqrt(lam/(2 pi y^3)) exp(-lam (y - x)^2/(2 x^2 y)), mean x and variance x^3/lam; level lam. JKB 15."""
    lam = sp.Symbol("lam", positive=True)
    return from_random(st.GaussianInverse("y", _positive, lam), _positive, lam)


# The unit interval, 0 < x < 1


def beta() -> Declaration:
    """y ~ Beta(nu x, nu (1 - x)): mean x and variance x (1 - x)/(nu + 1); level nu.

    Ferrari and Cribari-Neto, Journal of Applied Statistics 31 (2004), 799.
    """
    return from_random(st.Beta("y", _nu * _positive, _nu * (1 - _positive)), _positive, _nu)


def logit_normal() -> Declaration:
    """logit y = logit x + sigma e, e ~ N(0, 1): x is the median; level sigma. Aitchison and Shen 1980."""
    return from_random(st.LogitNormal("y", sp.log(_positive / (1 - _positive)), _sigma), _positive, _sigma)


def kumaraswamy() -> Declaration:
    """p = a b y^(a-1) (1 - y^a)^(b-1) with b = log 2 / -log(1 - x^a): x is the median; level a.

    Jones, Statistical Methodology 6 (2009), 70.
    """
    a = sp.Symbol("a", positive=True)
    return from_random(st.Kumaraswamy("y", a, -sp.log(2) / sp.log(1 - _positive**a)), _positive, a)


# The circle: angles in radians, any turn


def von_mises() -> Declaration:
    """p = exp(kappa cos(y - x)) / (2 pi I_0(kappa)); level kappa, kappa -> 0 the noisiest. MJ 3.5.4."""
    kappa = sp.Symbol("kappa", positive=True)
    return from_random(st.VonMises("y", _x, kappa), _x, kappa)


def wrapped_normal() -> Declaration:
    """p = sum_k N(y + 2 pi k; x, sigma^2): heat on the circle; level sigma. MJ 3.5.7."""
    return from_circular_density(LogWrappedNormal(_y - _x, _sigma), _y, _x, None, _sigma, True, 2 * sp.pi)


def wrapped_cauchy() -> Declaration:
    """p = sinh gamma / (2 pi (cosh gamma - cos(y - x))): a Cauchy law of scale gamma, wrapped; level gamma.

    Written as t / (2 pi (sin^2(d/2) + t^2 cos^2(d/2))), t = tanh(gamma/2), d = y - x, where nothing cancels.
    MJ 3.5.7.
    """
    scale = sp.Symbol("gamma", positive=True)
    t, half = sp.tanh(scale / 2), (_y - _x) / 2
    log_density = sp.log(t) - sp.log(2 * sp.pi) - sp.log(sp.sin(half) ** 2 + t**2 * sp.cos(half) ** 2)
    return from_circular_density(log_density, _y, _x, None, scale, True, 2 * sp.pi)
