"""Ready kernels, `sd.families.speckle()` and so on; `families.__all__` lists them.

Each function returns a Kernel in standard symbols: x clean, y noisy, and a level whenever the family has one.
`kernel.subs({old: new})` renames a parameter or gives it a value. Formulas and references are in the docstrings.

    line           gaussian, poisson_gaussian, laplace, student_t, logistic, generalised_normal, cauchy, skew_normal,
                   gumbel
    half line      log_normal, gamma, speckle, speckle_amplitude, inverse_gamma, weibull, inverse_gaussian
    unit interval  beta, logit_normal, kumaraswamy
    circle         von_mises, wrapped_normal, wrapped_cauchy
    diffusions     ve, vp, sub_vp, ou, critically_damped
    arrays         multivariate_normal_precision, multivariate_normal_covariance, multivariate_normal_cholesky,
                   multivariate_normal_low_rank, multivariate_t, multivariate_laplace, linear_operator, blurred,
                   random_walk, lattice, smoothed_total_variation
    simplex        dirichlet, logistic_normal
    sphere         von_mises_fisher
"""

from collections.abc import Callable
from functools import wraps

import sympy as sp

from symdsm.kernel import Kernel
from symdsm.symbolic import families as scalar
from symdsm.symbolic import families_coupled as coupled
from symdsm.symbolic import families_manifolds as manifolds
from symdsm.symbolic import families_sde as sde


def _scalar(declare) -> Callable[[], Kernel]:
    return _named(declare, lambda: Kernel(declare()))


def _sde(declare) -> Callable[[], Kernel]:
    return _named(declare, lambda: Kernel.from_sde(*declare()))


def _coupled(declare, level: str = "sigma") -> Callable[[], Kernel]:
    def build() -> Kernel:
        log_density, noisy, clean, symbol, support = declare(sp.Symbol(level, positive=True))
        return Kernel.from_density(log_density, noisy, clean, support, symbol, log=True)

    return _named(declare, build)


def _named(declare, build: Callable[[], Kernel]) -> Callable[[], Kernel]:
    """`build` under the name and docstring of `declare`."""

    @wraps(declare)
    def family():
        return build()

    del family.__wrapped__
    family.__module__, family.__annotations__ = __name__, {"return": Kernel}
    return family


beta = _scalar(scalar.beta)
cauchy = _scalar(scalar.cauchy)
gamma = _scalar(scalar.gamma)
gaussian = _scalar(scalar.gaussian)
generalised_normal = _scalar(scalar.generalised_normal)
gumbel = _scalar(scalar.gumbel)
inverse_gamma = _scalar(scalar.inverse_gamma)
inverse_gaussian = _scalar(scalar.inverse_gaussian)
kumaraswamy = _scalar(scalar.kumaraswamy)
laplace = _scalar(scalar.laplace)
log_normal = _scalar(scalar.log_normal)
logistic = _scalar(scalar.logistic)
logit_normal = _scalar(scalar.logit_normal)
poisson_gaussian = _scalar(scalar.poisson_gaussian)
skew_normal = _scalar(scalar.skew_normal)
speckle = _scalar(scalar.speckle)
speckle_amplitude = _scalar(scalar.speckle_amplitude)
student_t = _scalar(scalar.student_t)
von_mises = _scalar(scalar.von_mises)
weibull = _scalar(scalar.weibull)
wrapped_cauchy = _scalar(scalar.wrapped_cauchy)
wrapped_normal = _scalar(scalar.wrapped_normal)

critically_damped = _sde(sde.critically_damped)
ou = _sde(sde.ou)
sub_vp = _sde(sde.sub_vp)
ve = _sde(sde.ve)
vp = _sde(sde.vp)

blurred = _coupled(coupled.blurred)
lattice = _coupled(coupled.lattice)
linear_operator = _coupled(coupled.linear_operator)
multivariate_laplace = _coupled(coupled.multivariate_laplace)
multivariate_normal_cholesky = _coupled(coupled.multivariate_normal_cholesky)
multivariate_normal_covariance = _coupled(coupled.multivariate_normal_covariance)
multivariate_normal_low_rank = _coupled(coupled.multivariate_normal_low_rank)
multivariate_normal_precision = _coupled(coupled.multivariate_normal_precision)
multivariate_t = _coupled(coupled.multivariate_t)
random_walk = _coupled(coupled.random_walk)
smoothed_total_variation = _coupled(coupled.smoothed_total_variation)

dirichlet = _coupled(manifolds.dirichlet, "kappa")
logistic_normal = _coupled(manifolds.logistic_normal)
von_mises_fisher = _coupled(manifolds.von_mises_fisher, "kappa")

__all__ = sorted(name for room in (scalar, sde, coupled, manifolds) for name in room.__all__ if name[0].islower())
