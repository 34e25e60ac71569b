"""Continuous stand-ins for discrete distributions.

Denoising score matching differentiates the density in y, and a discrete law has none. Each discrete
family of `sympy.stats` has a continuous one of the same mean and variance, or the same tail, that serves
in its place. Sources: Foi et al. 2008, IEEE Trans. Image Processing 17, 1737 (Poisson-Gaussian); Johnson,
Kemp and Kotz, Univariate Discrete Distributions (2005).
"""

from symdsm.errors import DeclarationError

__all__ = ["DISCRETE_STAND_INS", "discrete"]

DISCRETE_STAND_INS = {
    "Poisson": "Normal(x, sqrt(a*x + b)), the Poisson-Gaussian noise of a camera",
    "Binomial": "Normal(n*p, sqrt(n*p*(1 - p)))",
    "Bernoulli": "LogitNormal(mu, s)",
    "Coin": "LogitNormal(mu, s)",
    "Rademacher": "Normal(0, 1)",
    "BetaBinomial": "Beta(a, b), of the proportion",
    "Hypergeometric": "Normal(mean, std) with its mean and standard deviation",
    "Geometric": "Exponential(rate)",
    "NegativeBinomial": "Gamma(k, theta) with its mean and variance",
    "Skellam": "Normal(mu1 - mu2, sqrt(mu1 + mu2))",
    "Hermite": "Normal(a1 + 2*a2, sqrt(a1 + 4*a2))",
    "Logarithmic": "Gamma(k, theta) with its mean and variance",
    "FlorySchulz": "Gamma(2, theta)",
    "YuleSimon": "Lomax(alpha, lamda), of the same tail",
    "Zeta": "Pareto(xm, alpha), of the same tail",
    "Die": "Uniform(left, right)",
    "DiscreteUniform": "Uniform(left, right)",
    "IdealSoliton": "Pareto(xm, alpha), of the same tail",
    "RobustSoliton": "Pareto(xm, alpha), of the same tail",
    "FiniteRV": "a mixture of Normal(value, s)",
    "DiscreteRV": "a continuous law with its mean and variance",
    "Multinomial": "a multivariate normal with its mean and covariance",
}


def discrete(name: str) -> DeclarationError:
    """The refusal of a discrete distribution, by its name."""
    stand_in = DISCRETE_STAND_INS.get(name, "a continuous law with its mean and variance")
    return DeclarationError(
        given=f"the discrete distribution {name}",
        expected="continuous noise: score matching differentiates the density in y",
        fix=f"use a continuous stand-in: {stand_in}",
    )
