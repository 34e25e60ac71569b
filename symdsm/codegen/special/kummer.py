"""log 1F1(a; b; z), Kummer's function, as the noncentral families need it: a, b > 0.

The series sum_k (a)_k/(b)_k z**k/k! has positive terms for z > 0. Its terms are log-concave in k, with one peak at
the positive root of (k + 1)(b + k) = z (a + k) and a width below sqrt(k) when a >= b. Where the peak is near zero, the
first 192 terms are all that counts. Farther out the sum is a trapezoidal rule on a smooth bump, so every h-th term,
times h, gives the same to full precision; h is chosen so that 192 terms span the bump (Poisson's summation formula).
For z < 0 and b >= a, 1F1(a; b; z) = e**z 1F1(b-a; b; -z) (DLMF 13.2.39); for a > b its terms have both signs.

For a < b the bump is wider than its distance from zero when b is large, and then digits are lost.
"""

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp

from .arrays import differentiable, partial

_KUMMER_COUNT = 192


def _kummer_terms(a, b, z):
    """(k, log of the k-th term, stride), the terms on a new last axis; z > 0."""
    tilt = z - b - 1.0
    root = jnp.sqrt(jnp.maximum(tilt * tilt + 4.0 * (z * a - b), 0.0))
    peak = jnp.where(
        tilt > 0, 0.5 * (tilt + root), 2.0 * (z * a - b) / (root + jnp.abs(tilt))
    )
    peak = jnp.maximum(peak, 0.0)
    spread = 1.0 / jnp.sqrt(
        jnp.maximum(1.0 / (peak + 1.0) + 1.0 / (b + peak) - 1.0 / (a + peak), 1e-30)
    )
    far = peak > 80.0
    stride = jnp.where(
        far, jnp.maximum(jnp.ceil(18.0 * spread / _KUMMER_COUNT), 1.0), 1.0
    )
    start = jnp.where(
        far, jnp.maximum(jnp.floor(peak - 0.5 * _KUMMER_COUNT * stride), 0.0), 0.0
    )
    start, stride = jax.lax.stop_gradient(start), jax.lax.stop_gradient(stride)
    k = start[..., None] + stride[..., None] * jnp.arange(_KUMMER_COUNT, dtype=z.dtype)
    a, b, z = a[..., None], b[..., None], z[..., None]
    gammaln = jsp.gammaln
    rising = gammaln(a + k) - gammaln(a) - gammaln(b + k) + gammaln(b)
    return k, rising + k * jnp.log(z) - gammaln(k + 1.0), stride


def _log_kummer_sum(a, b, z):
    _, logs, stride = _kummer_terms(a, b, z)
    return jsp.logsumexp(logs, -1) + jnp.log(stride)


def _kummer_tail(a, b, z):
    """sum_{k>0} (a)_k/(b)_k z**k/k! for small z."""
    total = jnp.zeros_like(z)
    for k in range(24, 0, -1):
        total = (a + (k - 1)) / (b + (k - 1)) * z / k * (1.0 + total)
    return total


def _log_hyp1f1(a, b, z):
    a, b, z = jnp.broadcast_arrays(a, b, z)
    small = jnp.abs(z) * jnp.maximum(1.0, a / b) < 0.25
    near = jnp.log1p(_kummer_tail(a, b, jnp.where(small, z, 0.0)))
    negative = z < 0
    size = jnp.where(small, 0.25, jnp.abs(z))
    far = jnp.where(negative, z, 0.0) + _log_kummer_sum(
        jnp.where(negative, b - a, a), b, size
    )
    far = jnp.where(negative & (a == b), z, far)
    return jnp.where(small, near, jnp.where(negative & (a > b), jnp.nan, far))


@differentiable(
    lambda out, a, b, z: log_hyp1f1_shape(1, a, b, z),
    lambda out, a, b, z: log_hyp1f1_shape(2, a, b, z),
    lambda out, a, b, z: a / b * hyp1f1_ratio(a, b, z),
)
def log_hyp1f1(a, b, z):
    """log 1F1(a; b; z) for a, b > 0; NaN for a > b at z < 0 beyond the series' reach, where 1F1 changes its sign."""
    return _log_hyp1f1(a, b, z)


def log_hyp1f1_shape(k, a, b, z):
    """d log 1F1(a; b; z) / da for k = 1, / db for k = 2."""
    return partial(_log_hyp1f1, k - 1)(a, b, z)


@differentiable(
    lambda out, a, b, z: (
        out * (log_hyp1f1_shape(1, a + 1.0, b + 1.0, z) - log_hyp1f1_shape(1, a, b, z))
    ),
    lambda out, a, b, z: (
        out * (log_hyp1f1_shape(2, a + 1.0, b + 1.0, z) - log_hyp1f1_shape(2, a, b, z))
    ),
    lambda out, a, b, z: (
        out * ((a + 1.0) / (b + 1.0) * hyp1f1_ratio(a + 1.0, b + 1.0, z) - a / b * out)
    ),
)
def hyp1f1_ratio(a, b, z):
    """1F1(a+1; b+1; z) / 1F1(a; b; z)."""
    a, b, z = jnp.broadcast_arrays(a, b, z)
    k, logs, _ = _kummer_terms(a, b, jnp.where(z > 0, z, 1.0))
    mean = (
        jnp.sum(jax.nn.softmax(logs, -1) * (a[..., None] + k) / (b[..., None] + k), -1)
        * b
        / a
    )
    return jnp.where(
        z > 0, mean, jnp.exp(_log_hyp1f1(a + 1.0, b + 1.0, z) - _log_hyp1f1(a, b, z))
    )
