"""log P(a, x) and log Q(a, x), the regularised incomplete gamma functions, with derivatives in both arguments.

With D(a, x) = x**a exp(-x) / Gamma(a), and t = x e**s in the defining integrals,

    Q(a, x) = D int_0^oo exp(-(x - a) s - x (e**s - 1 - s)) ds      used for x >= max(a, 1),
    P(a, x) = D int_0^oo exp(-(a - x) s - x (e**-s - 1 + s)) ds     used for 4 < x < a,
    P(a, x) = D/a sum_k x**k / (a+1)_k                              used for x <= 4 below max(a, 1) (DLMF 8.7.1),

and the other one is 1 minus it. Both integrands are one smooth descent, so one Gauss-Legendre rule over the interval
in which the exponent falls to -38 (-18 in float32) has full precision at any a and x. Where both a and x are below 1,
Q comes from Q = 1 - x**a/Gamma(1+a) (1 + a sum_{k>0} (-x)**k/(k! (a + k))), which keeps its digits as a -> 0.
Differentiating under the integral gives the derivative in a.
"""

import jax
import jax.numpy as jnp

from .arrays import differentiable, is_double, partial
from .bessel_k import exp_remainder
from .elementary import log1m_exp
from .gammas import log_gamma_1p, log_gamma_kernel
from .quadrature import gauss_legendre, integrate_descent

_GAMMA_RULE, _GAMMA_RULE_SINGLE = gauss_legendre(56), gauss_legendre(28)


def _gamma_descent(slope, x, direction):
    """log int_0^oo exp(-slope s - x (e**(direction s) - 1 - direction s)) ds, slope >= 0."""
    rule, depth = (_GAMMA_RULE, 38.0) if is_double(x) else (_GAMMA_RULE_SINGLE, 18.0)
    c = depth / x
    bend = c + jnp.sqrt(2.0 * c)
    end = jnp.minimum(
        depth / jnp.maximum(slope, depth / (1.0 + bend)),
        jnp.log1p(bend) if direction > 0 else bend,
    )
    end = jax.lax.stop_gradient(end)

    def fall(s):
        return slope[..., None] * s + x[..., None] * exp_remainder(direction * s)

    return jnp.log(integrate_descent(rule, fall, end))


def _lower_series(a, x):
    """sum_{k>0} x**k / (a+1)_k for x <= 4."""
    total = jnp.zeros_like(a * x)
    for k in range(32 if is_double(x) else 18, 0, -1):
        total = x / (a + k) * (1.0 + total)
    return total


def _alternating(a, x):
    """sum_{k>0} (-x)**k / (k! (a + k)) for x <= 1."""
    total, power = jnp.zeros_like(a * x), jnp.ones_like(x)
    for k in range(1, 20 if is_double(x) else 12):
        power = power * (-x) / k
        total = total + power / (a + k)
    return total


def _pieces_of_gamma(a, x):
    """(log P, log Q, log(D/P), log(D/Q)), D = x**a exp(-x) / Gamma(a)."""
    a, x = jnp.broadcast_arrays(a, x)
    upper = x >= jnp.maximum(a, 1.0)
    series = ~upper & (x <= 4)
    corner = series & (a < 1)
    lower = ~upper & ~series
    log_d = log_gamma_kernel(a, x)

    au, xu = jnp.where(upper, a, 1.0), jnp.where(upper, x, 2.0)
    log_ratio_q = -_gamma_descent(xu - au, xu, 1.0)
    al, xl = jnp.where(lower, a, 6.0), jnp.where(lower, x, 5.0)
    xs = jnp.where(series, x, 1.0)
    log_ratio_p = jnp.where(
        lower,
        -_gamma_descent(al - xl, xl, -1.0),
        jnp.log(a) - jnp.log1p(_lower_series(a, xs)),
    )

    ac, xc = jnp.where(corner, a, 0.5), jnp.where(corner, x, 0.5)
    log_front = ac * jnp.log(xc) - log_gamma_1p(ac)
    q_corner = -jnp.expm1(log_front) - jnp.exp(log_front) * ac * _alternating(ac, xc)
    below_half = corner & (q_corner < 0.5)
    q_corner = jnp.where(below_half, q_corner, 0.5)

    log_p = jnp.where(
        corner, log_front - x + jnp.log1p(_lower_series(ac, xc)), log_d - log_ratio_p
    )
    log_p = jnp.where(below_half, jnp.log1p(-q_corner), log_p)
    log_q = log_d - log_ratio_q
    log_p = jnp.where(upper, _complement(upper, log_q), log_p)
    log_q = jnp.where(upper, log_q, _complement(~upper, log_p))
    log_q = jnp.where(below_half, jnp.log(q_corner), log_q)
    return (
        log_p,
        log_q,
        jnp.where(upper, log_d - log_p, log_ratio_p),
        jnp.where(upper, log_ratio_q, log_d - log_q),
    )


def _complement(mask, log_part):
    """log(1 - part) where the mask holds."""
    return log1m_exp(jnp.where(mask, jnp.minimum(log_part, -1e-30), -1.0))


def _log_p(a, x):
    return _pieces_of_gamma(a, x)[0]


def _log_q(a, x):
    return _pieces_of_gamma(a, x)[1]


@differentiable(
    lambda out, a, x: partial(partial(_log_p, 0), 0)(a, x),
    lambda out, a, x: (
        gamma_hazard_p(a, x) * (jnp.log(x) - jax.scipy.special.digamma(a) - out)
    ),
)
def log_gamma_p_shape(a, x):
    """d log P(a, x) / da."""
    return partial(_log_p, 0)(a, x)


@differentiable(
    lambda out, a, x: partial(partial(_log_q, 0), 0)(a, x),
    lambda out, a, x: (
        -gamma_hazard_q(a, x) * (jnp.log(x) - jax.scipy.special.digamma(a) - out)
    ),
)
def log_gamma_q_shape(a, x):
    """d log Q(a, x) / da."""
    return partial(_log_q, 0)(a, x)


@differentiable(
    lambda out, a, x: log_gamma_p_shape(a, x), lambda out, a, x: gamma_hazard_p(a, x)
)
def log_gamma_p(a, x):
    """log P(a, x), the lower regularised incomplete gamma function, for a > 0 and x > 0."""
    return _log_p(a, x)


@differentiable(
    lambda out, a, x: log_gamma_q_shape(a, x), lambda out, a, x: -gamma_hazard_q(a, x)
)
def log_gamma_q(a, x):
    """log Q(a, x), the upper regularised incomplete gamma function, for a > 0 and x > 0."""
    return _log_q(a, x)


@differentiable(
    lambda out, a, x: (
        out * (jnp.log(x) - jax.scipy.special.digamma(a) - log_gamma_p_shape(a, x))
    ),
    lambda out, a, x: out * ((a - 1.0) / x - 1.0 - out),
)
def gamma_hazard_p(a, x):
    """x**(a-1) exp(-x) / (Gamma(a) P(a, x))."""
    return jnp.exp(_pieces_of_gamma(a, x)[2] - jnp.log(x))


@differentiable(
    lambda out, a, x: (
        out * (jnp.log(x) - jax.scipy.special.digamma(a) - log_gamma_q_shape(a, x))
    ),
    lambda out, a, x: out * ((a - 1.0) / x - 1.0 + out),
)
def gamma_hazard_q(a, x):
    """x**(a-1) exp(-x) / (Gamma(a) Q(a, x))."""
    return jnp.exp(_pieces_of_gamma(a, x)[3] - jnp.log(x))


def erlang_cdf(k, u):
    """P(k, u) for a whole number k: its series below 1.5, else one minus the elementary sum."""
    near, term = jnp.minimum(u, 1.5), 1.0
    series = jnp.ones_like(near)
    for j in range(20, 0, -1):
        series = 1.0 + near / (k + j) * series
    power, total = jnp.ones_like(near), jnp.ones_like(near)
    for j in range(1, k):
        term = term * u / j
        total = total + term
    for j in range(1, k + 1):
        power = power * near / j
    return jnp.where(
        u < 1.5, power * jnp.exp(-near) * series, 1.0 - jnp.exp(-u) * total
    )


def lower_gamma(a, x):
    """The lower incomplete gamma function Gamma(a) P(a, x)."""
    return jnp.exp(log_gamma_p(a, x) + jax.scipy.special.gammaln(a))


def upper_gamma(a, x):
    """The upper incomplete gamma function Gamma(a) Q(a, x)."""
    return jnp.exp(log_gamma_q(a, x) + jax.scipy.special.gammaln(a))
