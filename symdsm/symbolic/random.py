"""Reading a sympy.stats random symbol, and refusing what is no continuous noise."""

from itertools import pairwise

import sympy as sp
from sympy.stats.joint_rv import JointRandomSymbol
from sympy.stats.rv import RandomSymbol

from symdsm.errors import DeclarationError

__all__ = ["check_continuous", "check_distribution", "required", "the_random_symbol"]

_STAND_INS = {
    "Poisson": "Normal(x, sqrt(a*x + b)), the Poisson-Gaussian kernel",
    "Binomial": "Normal(n*p, sqrt(n*p*(1 - p)))",
    "Bernoulli": "LogitNormal(mu, s), or Beta",
    "Geometric": "Exponential(rate)",
    "NegativeBinomial": "Gamma(k, theta)",
    "DiscreteUniform": "Beta on an interval",
    "Multinomial": "Dirichlet, for the proportions",
    "NegativeMultinomial": "independent Gamma laws",
    "MultivariateEwens": "Dirichlet, for the proportions",
}

_POSITIVE = {
    "Normal": ("std",),
    "LogNormal": ("std",),
    "Laplace": ("b",),
    "Logistic": ("s",),
    "Cauchy": ("gamma",),
    "StudentT": ("nu",),
    "Gamma": ("k", "theta"),
    "GammaInverse": ("a", "b"),
    "Exponential": ("rate",),
    "Beta": ("alpha", "beta"),
    "BetaPrime": ("alpha", "beta"),
    "Weibull": ("alpha", "beta"),
    "Gumbel": ("beta",),
    "Rayleigh": ("sigma",),
    "Maxwell": ("a",),
    "Nakagami": ("mu", "omega"),
    "ChiSquared": ("k",),
    "Chi": ("k",),
    "FDistribution": ("d1", "d2"),
    "GaussianInverse": ("mean", "shape"),
    "ExponentialPower": ("alpha", "beta"),
    "Kumaraswamy": ("a", "b"),
    "LogLogistic": ("alpha", "beta"),
    "LogitNormal": ("s",),
    "Moyal": ("sigma",),
    "Pareto": ("xm", "alpha"),
    "VonMises": ("k",),
    "ExGaussian": ("std", "rate"),
    "MultivariateT": ("dof",),
    "NormalGamma": ("lamda", "alpha", "beta"),
    "GeneralizedMultivariateLogGamma": ("delta", "v", "lamda", "mu"),
}

_RISING = {"Triangular": ("a", "c", "b"), "Trapezoidal": ("a", "b", "c", "d")}


def the_random_symbol(expr: sp.Expr) -> RandomSymbol:
    """The one continuous random symbol of the expression."""
    if not isinstance(expr, sp.Expr):
        raise DeclarationError(
            given=f"{type(expr).__name__} {expr!r}",
            expected="a SymPy expression with one random symbol of sympy.stats",
            fix='write, say, Kernel.from_random(st.Normal("y", x, s), clean=x)',
        )
    found = sorted(expr.atoms(RandomSymbol), key=lambda s: s.symbol.name)
    if not found:
        raise DeclarationError(
            given=f"{expr}, which holds no random symbol",
            expected="one random symbol, such as st.Normal('z', 0, 1)",
            fix="add the noise, or declare the density itself with Kernel.from_density",
        )
    if len(found) > 1:
        names = ", ".join(str(s) for s in found)
        raise DeclarationError(
            given=f"{expr}, which holds several random symbols: {names}",
            expected="one random symbol for one noisy value",
            fix="write their combined law as one density with Kernel.from_density, or combine kernels with "
            "Kernel.mixture; a noisy vector is a sp.Matrix with one random symbol for each coordinate",
        )
    (random,) = found
    check_continuous(random)
    return random


def check_continuous(random: RandomSymbol) -> None:
    """A continuous law whose parameters are not random. Raises DeclarationError."""
    law = random.pspace.distribution
    space = law if isinstance(random, JointRandomSymbol) else random.pspace
    if not getattr(space, "is_Continuous", False):
        name = type(law).__name__.removesuffix("Distribution")
        stand_in = _STAND_INS.get(name, "a continuous law with the same mean and variance")
        raise DeclarationError(
            given=f"the discrete law {name}: counts have no gradient score",
            expected="a continuous law",
            fix=f"use a continuous stand-in: {stand_in}",
        )
    if any(a.atoms(RandomSymbol) for a in random.pspace.distribution.args if isinstance(a, sp.Basic)):
        raise DeclarationError(
            given=f"{random}, whose parameters are random themselves",
            expected="parameters that are symbols or numbers",
            fix="write the compound density with Kernel.from_density",
        )


def check_distribution(distribution, *clean: sp.Symbol) -> None:
    """Scale and shape arguments must be positive by assumption, or the density is not defined."""
    name = type(distribution).__name__.removesuffix("Distribution")
    arguments = dict(zip(distribution._argnames, distribution.args, strict=False))
    named = [(key, value) for key in _POSITIVE.get(name, ()) for value in _entries(arguments[key])]
    for key, value in named:
        undecided = value.is_Symbol and value.is_positive is None and value not in clean
        if undecided or value.is_nonpositive:
            shown = f"{value} without an assumption about its sign" if undecided else f"{value}, which is not positive"
            raise DeclarationError(
                given=f"{name} with {key} = {shown}",
                expected=f"{key} > 0",
                fix=f'declare it as sp.Symbol("{value}", positive=True)' if undecided else "make it positive",
            )


def required(distribution) -> sp.Basic:
    """Positive scales and shapes, corners in their order, and a support that is not empty."""
    name = type(distribution).__name__.removesuffix("Distribution")
    arguments = dict(zip(distribution._argnames, distribution.args, strict=False))
    positive = [sp.StrictGreaterThan(arguments[key], 0) for key in _POSITIVE.get(name, ())]
    corners = [arguments[key] for key in _RISING.get(name, ())]
    rising = [after - before >= 0 for before, after in pairwise(corners)]
    support = distribution.set
    length = [support.end - support.start > 0] if isinstance(support, sp.Interval) else []
    return sp.And(*positive, *rising, *length)


def _entries(value) -> list[sp.Expr]:
    return list(value) if isinstance(value, sp.MatrixBase) else [sp.sympify(value)]
