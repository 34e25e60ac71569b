"""Ready kernels on the simplex and the sphere, for arrays of any length n of at least two.

Only the direction of x counts for the place of the noise, so x need not be scaled: counts may stand for proportions in
a logistic-normal kernel, and a Dirichlet or von Mises-Fisher kernel at (kappa, c x) is the one at (c kappa, x). Entries
of x are positive on the simplex. The measures are those of symbolic/manifolds.py.

References: K. W. Ng, G.-L. Tian and M.-L. Tang, "Dirichlet and Related Distributions", 2011, chapter 2; J. Aitchison
and S. M. Shen, Biometrika 67, 1980; K. V. Mardia and P. E. Jupp, "Directional Statistics", 2000, section 9.3.2.
"""

import sympy as sp

from symdsm.symbolic.families_coupled import Coupled
from symdsm.symbolic.manifolds import Simplex, Sphere
from symdsm.symbolic.nodes import LogBesselI

__all__ = ["dirichlet", "logistic_normal", "von_mises_fisher"]

_Y, _X = sp.IndexedBase("y", real=True), sp.IndexedBase("x", real=True)
_P = sp.IndexedBase("x", positive=True)  # x on the simplex
_i = sp.Symbol("i", integer=True)
_n = sp.Symbol("n", integer=True, positive=True)


def _sum(f):
    return sp.Sum(f, (_i, 0, _n - 1))


def dirichlet(level: sp.Symbol) -> Coupled:
    """y ~ Dirichlet(kappa x), sum x_i = 1: mean x, precision kappa.

    log Gamma(kappa sum x_i) - sum log Gamma(kappa x_i) + sum (kappa x_i - 1) log y_i. This is the standard form of
    Dirichlet regression; the noise does not move the mean, Var y_i = x_i (1 - x_i)/(kappa + 1), and n = 2 is the
    family `beta`. (Dirichlet(kappa x + 1) has its mode at x instead, becomes uniform as kappa goes to 0 and allows
    zeros in x; `Kernel.from_density` knows it too.) E |score|^2 is finite iff each kappa x_i exceeds 2, or is 1.
    """
    log_density = sp.loggamma(level * _sum(_P[_i])) - _sum(sp.loggamma(level * _P[_i]))
    return Coupled(log_density + _sum((level * _P[_i] - 1) * sp.log(_Y[_i])), _Y, _P, level, Simplex())


def logistic_normal(level: sp.Symbol) -> Coupled:
    """clr(y) = clr(x) + sigma P z, z standard normal: y = softmax(log x + sigma z).

    clr(v)_i = log v_i - mean log v and P = I - 11'/n. With d_i = log y_i - log x_i the log density is
    -(sum d_i^2 - (sum d_i)^2/n)/(2 sigma^2) - sum log y_i - (n - 1)/2 log(2 pi sigma^2) - (log n)/2: Aitchison and
    Shen's law, isotropic in Aitchison's metric. Every condition of score matching holds.
    """
    d = sp.log(_Y[_i]) - sp.log(_P[_i])
    distance = _sum(d**2) - _sum(d) ** 2 / _n
    constant = (_n - 1) * sp.log(2 * sp.pi * level**2) / 2 + sp.log(_n) / 2
    return Coupled(-distance / (2 * level**2) - _sum(sp.log(_Y[_i])) - constant, _Y, _P, level, Simplex())


def von_mises_fisher(level: sp.Symbol) -> Coupled:
    """kappa x'y + (n/2 - 1) log kappa - (n/2) log(2 pi) - log I_{n/2-1}(kappa) on the sphere, |x| = 1.

    The mean direction is x and E y = x I_{n/2}(kappa)/I_{n/2-1}(kappa); n = 2 is `von_mises` of the angle. For
    another |x| the concentration is kappa |x|. Every condition of score matching holds.
    """
    concentration, order = level * sp.sqrt(_sum(_X[_i] ** 2)), sp.S(_n) / 2 - 1
    constant = order * sp.log(concentration) - _n * sp.log(2 * sp.pi) / 2 - LogBesselI(order, concentration)
    return Coupled(level * _sum(_X[_i] * _Y[_i]) + constant, _Y, _X, level, Sphere())
