"""Ready coupled kernels, in index notation, for arrays of any size.

Each function gives the pieces of a declaration: the log density of y given x, the arrays, and the level. Where the
normaliser has a closed form it is included. r = y - x is the residual and s the level, a scale of the noise: y = x +
s u. Without a level the scale is one.

References: S. Kotz and S. Nadarajah, "Multivariate t Distributions and Their Applications", 2004; S. Kotz, T. J.
Kozubowski and K. Podgorski, "The Laplace Distribution and Generalizations", 2001; H. Rue and L. Held, "Gaussian
Markov Random Fields", 2005; L. I. Rudin, S. Osher and E. Fatemi, Physica D 60, 1992.
"""

from typing import NamedTuple

import sympy as sp

from symdsm.symbolic.indexed_nodes import LogDet, Solve
from symdsm.symbolic.nodes import LogBesselK

__all__ = [
    "Coupled",
    "blurred",
    "lattice",
    "linear_operator",
    "multivariate_laplace",
    "multivariate_normal_cholesky",
    "multivariate_normal_covariance",
    "multivariate_normal_low_rank",
    "multivariate_normal_precision",
    "multivariate_t",
    "random_walk",
    "smoothed_total_variation",
]

_Y, _X = sp.IndexedBase("y", real=True), sp.IndexedBase("x", real=True)
_i, _j, _k, _a, _b = sp.symbols("i j k a b", integer=True)
_n, _m = sp.symbols("n m", integer=True, positive=True)
_HALF_LOG_2PI = sp.log(2 * sp.pi) / 2


class Coupled(NamedTuple):
    """What a coupled kernel is declared from."""

    log_density: sp.Expr
    noisy: sp.IndexedBase
    clean: sp.IndexedBase
    level: sp.Symbol | None
    support: sp.Set | None = None


def _matrix(name):
    return sp.IndexedBase(name, real=True)


def _residual(level):
    """r_i = y_i - x_i as a function of the index, s^2, and n log s."""
    s = sp.S.One if level is None else level
    return (lambda *index: _Y[index] - _X[index]), s**2, _n * sp.log(s)


def _sum(f, *axes):
    return sp.Sum(f, *((axis, 0, size - 1) for axis, size in axes))


def _form_of_precision(r):
    """r' P r"""
    return _sum(_matrix("P")[_i, _j] * r(_i) * r(_j), (_i, _n), (_j, _n))


def _kernel(log_density, level):
    return Coupled(log_density, _Y, _X, level)


def multivariate_normal_precision(level: sp.Symbol | None = None) -> Coupled:
    """-r' P r / (2 s^2) + log det P / 2 - n log s - n log(2 pi) / 2; P is symmetric positive definite, (n, n)."""
    r, variance, log_scale = _residual(level)
    log_density = -_form_of_precision(r) / (2 * variance) + LogDet(_matrix("P").label) / 2
    return _kernel(log_density - log_scale - _n * _HALF_LOG_2PI, level)


def multivariate_normal_covariance(level: sp.Symbol | None = None) -> Coupled:
    """-r' C^{-1} r / (2 s^2) - log det C / 2 - n log s - n log(2 pi) / 2; C symmetric positive definite, (n, n)."""
    r, variance, log_scale = _residual(level)
    label = _matrix("C").label
    solved = Solve(label, _n, sp.Lambda(_k, r(_k)), _i)
    log_density = -_sum(r(_i) * solved, (_i, _n)) / (2 * variance) - LogDet(label) / 2
    return _kernel(log_density - log_scale - _n * _HALF_LOG_2PI, level)


def multivariate_normal_cholesky(level: sp.Symbol | None = None) -> Coupled:
    """-|L^{-1} r|^2 / (2 s^2) - sum log L_ii - n log s - n log(2 pi) / 2; covariance L L', L lower triangular."""
    r, variance, log_scale = _residual(level)
    factor = _matrix("L")
    white = Solve(factor.label, _n, sp.Lambda(_k, r(_k)), _i, "lower")
    log_density = -_sum(white**2, (_i, _n)) / (2 * variance) - _sum(sp.log(factor[_i, _i]), (_i, _n))
    return _kernel(log_density - log_scale - _n * _HALF_LOG_2PI, level)


def multivariate_normal_low_rank(level: sp.Symbol | None = None) -> Coupled:
    """Normal with covariance s^2 (diag(d) + W W'), W of shape (n, m), d of shape (n,) and positive.

    With M = I + W' D^{-1} W the inverse is D^{-1} - D^{-1} W M^{-1} W' D^{-1} (Woodbury) and log det is log det M +
    sum log d, so nothing of size n by n is made.
    """
    r, variance, log_scale = _residual(level)
    factor, diagonal = _matrix("W"), sp.IndexedBase("d", positive=True)
    small = _sum(factor[_i, _a] * factor[_i, _b] / diagonal[_i], (_i, _n))
    inner = sp.Lambda((_a, _b), sp.KroneckerDelta(_a, _b) + small)

    def projected(a):
        return _sum(factor[_j, a] * r(_j) / diagonal[_j], (_j, _n))

    correction = _sum(projected(_k) * Solve(inner, _m, sp.Lambda(_a, projected(_a)), _k), (_k, _m))
    quadratic = _sum(r(_i) ** 2 / diagonal[_i], (_i, _n)) - correction
    log_det = LogDet(inner, _m) + _sum(sp.log(diagonal[_i]), (_i, _n))
    return _kernel(-quadratic / (2 * variance) - log_det / 2 - log_scale - _n * _HALF_LOG_2PI, level)


def multivariate_t(level: sp.Symbol | None = None) -> Coupled:
    """log Gamma((nu + n)/2) - log Gamma(nu/2) - n log(pi nu)/2 + log det P / 2 - (nu + n)/2 log(1 + r' P r/(s^2 nu)).

    P is the inverse of the scale matrix (Kotz and Nadarajah 2004, section 1.1); less n log s.
    """
    r, variance, log_scale = _residual(level)
    nu = sp.Symbol("nu", positive=True)
    constant = sp.loggamma((nu + _n) / 2) - sp.loggamma(nu / 2) - _n * sp.log(sp.pi * nu) / 2
    tail = -(nu + _n) / 2 * sp.log(1 + _form_of_precision(r) / (variance * nu))
    return _kernel(constant + LogDet(_matrix("P").label) / 2 + tail - log_scale, level)


def multivariate_laplace(level: sp.Symbol | None = None) -> Coupled:
    """The symmetric multivariate Laplace law: normal with covariance w P^{-1}, w exponential of mean one.

    With q = r' P r / s^2 and v = 1 - n/2 the log density is log 2 - n log(2 pi)/2 + log det P / 2 - n log s
    + v/2 log(q/2) + log K_v(sqrt(2 q)) (Kotz et al. 2001, 5.2.1). Infinite at r = 0 for n > 1.
    """
    r, variance, log_scale = _residual(level)
    q, v = _form_of_precision(r) / variance, 1 - sp.S(_n) / 2
    constant = sp.log(2) - _n * _HALF_LOG_2PI + LogDet(_matrix("P").label) / 2
    return _kernel(constant - log_scale + v / 2 * sp.log(q / 2) + LogBesselK(v, sp.sqrt(2 * q)), level)


def linear_operator(level: sp.Symbol) -> Coupled:
    """y = A x + s e with e standard normal; A of shape (n, m): x and y may differ in length."""
    mean = _sum(_matrix("A")[_i, _j] * _X[_j], (_j, _m))
    log_density = -_sum((_Y[_i] - mean) ** 2, (_i, _n)) / (2 * level**2)
    return _kernel(log_density - _n * sp.log(level) - _n * _HALF_LOG_2PI, level)


def blurred(level: sp.Symbol) -> Coupled:
    """y_i = sum_k K_k x_{i+k} + s e_i: a blur over whole windows, then noise; x is longer than y by len(K) - 1."""
    mean = _sum(_matrix("K")[_k] * _X[_i + _k], (_k, _m))
    log_density = -_sum((_Y[_i] - mean) ** 2, (_i, _n)) / (2 * level**2)
    return _kernel(log_density - _n * sp.log(level) - _n * _HALF_LOG_2PI, level)


def random_walk(level: sp.Symbol) -> Coupled:
    """r_0 and r_{i+1} - r_i are independent N(0, s^2): the residual is a random walk. The determinant is one."""
    r, variance, log_scale = _residual(level)
    steps = r(0) ** 2 + sp.Sum((r(_i + 1) - r(_i)) ** 2, (_i, 0, _n - 2))
    return _kernel(-steps / (2 * variance) - log_scale - _n * _HALF_LOG_2PI, level)


def lattice(level: sp.Symbol) -> Coupled:
    """An image whose residual is a Gaussian Markov field with precision (I + beta G) / s^2, G the grid's Laplacian.

    G has the eigenvalues 4 - 2 cos(pi k/n) - 2 cos(pi l/m) (Rue and Held 2005, 2.6), which gives the normaliser.
    """
    r, variance, _ = _residual(level)
    beta = sp.Symbol("beta", positive=True)
    grid = (_i, _n), (_j, _m)
    down = sp.Sum((r(_i + 1, _j) - r(_i, _j)) ** 2, (_i, 0, _n - 2), (_j, 0, _m - 1))
    right = sp.Sum((r(_i, _j + 1) - r(_i, _j)) ** 2, (_i, 0, _n - 1), (_j, 0, _m - 2))
    eigenvalue = 4 - 2 * sp.cos(sp.pi * _i / _n) - 2 * sp.cos(sp.pi * _j / _m)
    log_det = _sum(sp.log(1 + beta * eigenvalue), *grid)
    log_density = -(_sum(r(_i, _j) ** 2, *grid) + beta * (down + right)) / (2 * variance) + log_det / 2
    return _kernel(log_density - _n * _m * (sp.log(level) + _HALF_LOG_2PI), level)


def smoothed_total_variation(level: sp.Symbol) -> Coupled:
    """-|u|^2 / 2 - lam sum sqrt(|grad u|^2 + eps^2), u = (y - x)/s an image; the constant factor has no closed form.

    As a law of u alone its normaliser is s^(n m) times a constant, so the level score is known (Rudin et al. 1992
    for the penalty).
    """
    r, variance, _ = _residual(level)
    lam, eps = sp.symbols("lam eps", positive=True)
    slopes = ((r(_i + 1, _j) - r(_i, _j)) ** 2 + (r(_i, _j + 1) - r(_i, _j)) ** 2) / variance + eps**2
    variation = sp.Sum(sp.sqrt(slopes), (_i, 0, _n - 2), (_j, 0, _m - 2))
    return _kernel(-_sum(r(_i, _j) ** 2, (_i, _n), (_j, _m)) / (2 * variance) - lam * variation, level)
