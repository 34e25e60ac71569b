"""The series 0Fm(; v, .., v; e**u) with one lower parameter repeated m times, and the law in which it stands.

The terms e**(k u) / ((v)_k**m k!) are log-concave in k, with one peak at the root of m log(v + k) + log(k + 1) = u and
the width 1/sqrt(m/(v + k) + 1/(k + 1)). Where the peak is near zero the first 192 terms are all that counts; farther
out every h-th term times h gives the same sum to full precision (Poisson's summation formula). A term is written
relative to one at k0 next to the peak, so that nothing of the size of k log k is subtracted: with a = v + k0,

    log Gamma(a + j) - log Gamma(a) = j log a + a f(j/a) - log(1 + j/a)/2 + e(a + j) - e(a),
    f(t) = (1 + t) log(1 + t) - t,         e Stirling's remainder (Loader 2000).

For n = m + 1 log-gamma variables a_i with one random shape v + k, k negative binomial, u = log(1 - delta) + sum_i a_i:
their log density is log_gamma_mixture, and its slope in a_i is v + (mean of k) - e**a_i (hyp0f_gap).
"""

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp

from .arrays import differentiable, floats
from .elementary import exp_gap
from .gammas import stirling_error
from .normal import HALF_LOG_2_PI

_SERIES_COUNT = 192
_PEAK_STEPS = 40


def _series_peak(m, v, u):
    """k >= 0 at the largest term, by Newton's method in log(k + 1)."""

    def step(_, s):
        k = jnp.expm1(s)
        value = m * jnp.log(v + k) + s - u
        return jnp.maximum(s - value / (m * ((k + 1.0) / (v + k)) + 1.0), 0.0)

    start = jnp.maximum(u / (m + 1.0), 0.0)
    return jnp.round(jnp.expm1(jax.lax.fori_loop(0, _PEAK_STEPS, step, start)))


def _gamma_step(a, j):
    """log Gamma(a + j) - log Gamma(a) - j log a."""
    t = j / a
    log_1p = jnp.log1p(t)
    return (
        a * (1.0 + t) * exp_gap(-log_1p)
        - 0.5 * log_1p
        + stirling_error(a + j)
        - stirling_error(a)
    )


def _series_terms(m, v, u):
    """(k0, stride, j, log of the relative terms); the terms on a new last axis."""
    k0 = jax.lax.stop_gradient(_series_peak(m, v, jnp.minimum(u, _series_end(m, u))))
    a, b = v + k0, 1.0 + k0
    spread = jnp.sqrt(a / (m + a / b))
    stride = jnp.where(
        k0 > 80.0, jnp.maximum(jnp.ceil(18.0 * spread / _SERIES_COUNT), 1.0), 1.0
    )
    first = jnp.where(k0 > 80.0, jnp.maximum(-0.5 * _SERIES_COUNT * stride, -k0), -k0)
    first, stride = jax.lax.stop_gradient((first, stride))
    j = first[..., None] + stride[..., None] * jnp.arange(_SERIES_COUNT, dtype=u.dtype)
    tilt = jnp.minimum(u, _series_end(m, u)) - m * jnp.log(a) - jnp.log(b)
    logs = (
        tilt[..., None] * j
        - m[..., None] * _gamma_step(a[..., None], j)
        - _gamma_step(b[..., None], j)
    )
    return k0, stride, j, logs


def _series_end(m, u):
    """Where the largest term is the last k before overflow."""
    return (m + 1.0) * (jnp.log(jnp.finfo(u.dtype).max) - 1e-3)


def log_gamma_mixture(v, delta, *a):
    """log sum_k NB(k; v, delta) prod_i g(a_i; v + k), g(a; c) = e**(c a - e**a)/Gamma(c) the log-gamma density.

    Relative to the term k0 next to the peak, whose factors are written as deviances (Loader 2000): nothing cancels.
    """
    m = len(a) - 1

    def exponent(delta, a):
        return jnp.log1p(-delta) + sum(a)

    def value(v, delta, *a):
        v, delta, *a = jnp.broadcast_arrays(v, delta, *a)
        k0, stride, _, logs = _series_terms(jnp.full_like(v, m), v, exponent(delta, a))
        total = v + k0
        counts = _log_negative_binomial(k0, v, delta)
        return (
            counts
            + sum(_log_gamma_density(c, total) for c in a)
            + jsp.logsumexp(logs, -1)
            + jnp.log(stride)
        )

    def in_shape(out, v, delta, *a):
        u = exponent(delta, a)
        rest = jnp.log(delta) + sum(a) - (m + 1.0) * jsp.digamma(v)
        return rest + hyp0f_shape(float(m), v, u)

    def in_delta(out, v, delta, *a):
        return v / delta - hyp0f_mean(float(m), v, exponent(delta, a)) / (1.0 - delta)

    def slope(i):
        return lambda out, v, delta, *a: hyp0f_gap(
            float(m), v, exponent(delta, a), a[i]
        )

    rules = (in_shape, in_delta, *(slope(i) for i in range(m + 1)))
    return differentiable(*rules)(value)(v, delta, *a)


def _log_negative_binomial(k, v, delta):
    """log Gamma(v + k)/(Gamma(v) k!) delta**v (1 - delta)**k."""
    total, some = v + k, jnp.maximum(k, 1.0)
    log_pmf = (
        -v * exp_gap(jnp.log(total * delta / v))
        - k * exp_gap(jnp.log(total * (1.0 - delta) / some))
        + 0.5 * (jnp.log(v / total) - jnp.log(some))
        - HALF_LOG_2_PI
        + stirling_error(total)
        - stirling_error(v)
        - stirling_error(some)
    )
    return jnp.where(k > 0, log_pmf, v * jnp.log(delta))


def _log_gamma_density(a, c):
    return (
        -c * exp_gap(a - jnp.log(c))
        + 0.5 * jnp.log(c)
        - HALF_LOG_2_PI
        - stirling_error(c)
    )


@differentiable(
    lambda out, m, v, u, a: jnp.zeros_like(out),
    lambda out, m, v, u, a: (
        1.0
        + hyp0f_mean(m, v, u)
        * (hyp0f_shape(m, v + 1.0, u) - hyp0f_shape(m, v, u) - m / v)
    ),
    lambda out, m, v, u, a: (
        hyp0f_mean(m, v, u) * (1.0 + hyp0f_mean(m, v + 1.0, u) - hyp0f_mean(m, v, u))
    ),
    lambda out, m, v, u, a: -jnp.exp(a),
)
def hyp0f_gap(m, v, u, a):
    """v + hyp0f_mean(m, v, u) - e**a; of the right sign where both overflow."""
    m, v, u, a = jnp.broadcast_arrays(m, v, u, a)
    k0, _, j, logs = _series_terms(m, v, u)
    beyond = u > _series_end(m, u)
    log_total = jnp.where(beyond, u / (m + 1.0), jnp.log(v + k0))
    total = jnp.where(beyond, jnp.inf, v + k0)
    step = jnp.expm1(a - log_total)
    apart = -jnp.where(step == 0, 0.0, jnp.where(step == 0, 1.0, total) * step)
    return apart + jnp.sum(jax.nn.softmax(logs, -1) * j, -1)


@differentiable(
    lambda out, m, v, u: jnp.zeros_like(out),
    lambda out, m, v, u: (
        out * (hyp0f_shape(m, v + 1.0, u) - hyp0f_shape(m, v, u) - m / v)
    ),
    lambda out, m, v, u: out * (1.0 + hyp0f_mean(m, v + 1.0, u) - hyp0f_mean(m, v, u)),
)
def hyp0f_mean(m, v, u):
    """d log 0Fm / du: the mean of k under the terms of the series."""
    m, v, u = jnp.broadcast_arrays(m, v, u)
    k0, _, j, logs = _series_terms(m, v, u)
    return k0 + jnp.sum(jax.nn.softmax(logs, -1) * j, -1)


def hyp0f_shape(m, v, u):
    """d log 0Fm / dv."""
    m, v, u = jnp.broadcast_arrays(*floats(m, v, u))
    k0, _, j, logs = _series_terms(m, v, u)
    rise = jsp.digamma((v + k0)[..., None] + j) - jsp.digamma(v)[..., None]
    return -m * jnp.sum(jax.nn.softmax(logs, -1) * rise, -1)
