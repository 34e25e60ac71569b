"""log 0Fm(; v, .., v; e**u), the hypergeometric series with one lower parameter repeated m times.

The terms e**(k u) / ((v)_k**m k!) are log-concave in k, with one peak at the root of m log(v + k) + log(k + 1) = u and
the width 1/sqrt(m/(v + k) + 1/(k + 1)). Where the peak is near zero the first 192 terms are all that counts; farther
out every h-th term times h gives the same sum to full precision (Poisson's summation formula). A term is written
relative to one at k0 next to the peak, so that nothing of the size of k log k is subtracted: with a = v + k0,

    log Gamma(a + j) - log Gamma(a) = j log a + a f(j/a) - log(1 + j/a)/2 + e(a + j) - e(a),
    f(t) = (1 + t) log(1 + t) - t,         e Stirling's remainder (Loader 2000).
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
        return jnp.maximum(s - value / (m * (k + 1.0) / (v + k) + 1.0), 0.0)

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
    """(k0, log of the sum's scale, j, log of the relative terms); the terms on a new last axis."""
    u = jnp.minimum(
        u, 0.95 * (m + 1.0) * jnp.log(jnp.finfo(u.dtype).max)
    )  # where k0 would overflow
    k0 = jax.lax.stop_gradient(_series_peak(m, v, u))
    a, b = v + k0, 1.0 + k0
    spread = 1.0 / jnp.sqrt(m / a + 1.0 / b)
    stride = jnp.where(
        k0 > 80.0, jnp.maximum(jnp.ceil(18.0 * spread / _SERIES_COUNT), 1.0), 1.0
    )
    first = jnp.where(k0 > 80.0, jnp.maximum(-0.5 * _SERIES_COUNT * stride, -k0), -k0)
    first, stride = jax.lax.stop_gradient((first, stride))
    j = first[..., None] + stride[..., None] * jnp.arange(_SERIES_COUNT, dtype=u.dtype)
    tilt = u - m * jnp.log(a) - jnp.log(b)
    logs = (
        tilt[..., None] * j
        - m[..., None] * _gamma_step(a[..., None], j)
        - _gamma_step(b[..., None], j)
    )
    rising = (
        (v - 0.5) * jnp.log(a) - a + stirling_error(a) + HALF_LOG_2_PI - jsp.gammaln(v)
    )
    scale = (
        k0 * tilt
        - m * rising
        - 0.5 * jnp.log(b)
        + b
        - stirling_error(b)
        - HALF_LOG_2_PI
        + jnp.log(stride)
    )
    return k0, scale, j, logs


@differentiable(
    lambda out, m, v, u: jnp.zeros_like(out),
    lambda out, m, v, u: hyp0f_shape(m, v, u),
    lambda out, m, v, u: hyp0f_mean(m, v, u),
)
def log_hyp0f(m, v, u):
    """log 0Fm(; v, .., v; e**u), v > 0 repeated m times."""
    m, v, u = jnp.broadcast_arrays(m, v, u)
    _, scale, _, logs = _series_terms(m, v, u)
    return scale + jsp.logsumexp(logs, -1)


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
    return jnp.sum(jax.nn.softmax(logs, -1) * (k0[..., None] + j), -1)


def hyp0f_shape(m, v, u):
    """d log 0Fm / dv."""
    m, v, u = jnp.broadcast_arrays(*floats(m, v, u))
    k0, _, j, logs = _series_terms(m, v, u)
    rise = jsp.digamma((v + k0)[..., None] + j) - jsp.digamma(v)[..., None]
    return -m * jnp.sum(jax.nn.softmax(logs, -1) * rise, -1)
