"""log K_nu(z), the modified Bessel function of the second kind, for every real order nu and z > 0.

K is even in nu. Two pieces:

- z <= 1/2 and |nu| < 11/2: Temme's series for orders |mu| <= 1/2 (Temme 1975, J. Comput. Phys. 19, 324), then up to
  five steps of the recurrence of q_nu = K_{nu+1}/K_nu, q_{nu+1} = 2 (nu + 1)/z + 1/q_nu, stable upwards;
- elsewhere the integral 2 K_nu(z) = int exp(nu t - z cosh t) dt over the real line (DLMF 10.32.9), seen from its
  peak: with t = asinh(nu/z) + u and w = sqrt(nu**2 + z**2),

      2 K_nu(z) = exp(nu asinh(nu/z) - w) int exp(-(w - nu) (cosh u - 1) - nu (e**u - 1 - u)) du.

  The trapezoidal rule converges geometrically for such an analytic integrand (Trefethen and Weideman 2014), for any
  nu and z alike; the interval ends where the exponent passes -40 (-19 in float32). The mean of e**u under the
  integrand gives q_nu, the mean of u the derivative in nu.
"""

import jax
import jax.numpy as jnp

from .arrays import differentiable, horner, is_double, partial
from .elementary import LOG_2

_K_NODES, _K_NODES_SINGLE = 72, 36
_K_DEPTH, _K_DEPTH_SINGLE = 40.0, 19.0

# 1/Gamma(1 + x) = sum_k c[k] x**k
_RECIPROCAL_GAMMA = (
    1.0,
    0.57721566490153286,
    -0.65587807152025388,
    -0.042002635034095236,
    0.16653861138229149,
    -0.042197734555544337,
    -0.0096219715278769736,
    0.0072189432466630995,
    -0.0011651675918590651,
    -0.00021524167411495097,
    0.00012805028238811619,
    -2.0134854780788239e-5,
    -1.2504934821426707e-6,
    1.1330272319816959e-6,
    -2.0563384169776071e-7,
    6.1160951044814158e-9,
    5.0020076444692229e-9,
    -1.1812745704870201e-9,
    1.0434267116911005e-10,
    7.7822634399050713e-12,
)


def exp_remainder(u):
    """exp(u) - 1 - u without cancellation."""
    near = jnp.clip(u, -0.5, 0.5)
    total = jnp.ones_like(u)
    for k in range(14, 2, -1):
        total = 1.0 + near / k * total
    return jnp.where(jnp.abs(u) < 0.5, 0.5 * near * near * total, jnp.expm1(u) - u)


def _integral_k(nu, z):
    """(log of the integral, mean of e**u, mean of e**-u, mean of u) for nu >= 0."""
    depth, count = (
        (_K_DEPTH, _K_NODES) if is_double(z) else (_K_DEPTH_SINGLE, _K_NODES_SINGLE)
    )
    w = jnp.sqrt(nu * nu + z * z)
    rest = z * (z / (w + nu))  # w - nu
    outer = depth / rest
    symmetric = jnp.log1p(outer + jnp.sqrt(outer) * jnp.sqrt(outer + 2.0))
    c = depth / jnp.maximum(nu, 1e-30)
    skew = c + jnp.sqrt(2.0 * c)
    left, right = jnp.minimum(symmetric, skew), jnp.minimum(symmetric, jnp.log1p(skew))
    left, right = jax.lax.stop_gradient(left), jax.lax.stop_gradient(right)
    step = (left + right) / count
    u = step[..., None] * jnp.arange(count + 1, dtype=z.dtype) - left[..., None]
    half = jnp.sinh(0.5 * u)
    exponent = -2.0 * rest[..., None] * half * half - nu[..., None] * exp_remainder(u)
    weight = jnp.exp(exponent)
    total = jnp.sum(weight, -1)

    def mean(f):
        return jnp.sum(f * weight, -1) / total

    return jnp.log(step * total), mean(jnp.exp(u)), mean(jnp.exp(-u)), mean(u)


def _temme_k(nu, z):
    """(log K_nu(z), K_{nu+1}/K_nu) for -1/2 <= nu < 11/2 and z <= 1/2."""
    steps = jnp.round(nu)
    mu = nu - steps
    gamma_even = horner(_RECIPROCAL_GAMMA[0::2], mu * mu)
    gamma_odd = horner(_RECIPROCAL_GAMMA[1::2], mu * mu)
    over_plus, over_minus = (
        gamma_even + mu * gamma_odd,
        gamma_even - mu * gamma_odd,
    )  # 1/Gamma(1 +- mu)
    log_2_over_z = LOG_2 - jnp.log(z)
    sigma = mu * log_2_over_z
    f = (jnp.cosh(sigma) * -gamma_odd + _sinhc(sigma) * log_2_over_z * gamma_even) / (
        over_plus * over_minus
    )
    p, q = 0.5 * jnp.exp(sigma) / over_plus, 0.5 * jnp.exp(-sigma) / over_minus
    low, high, c = f, p, 1.0
    quarter = 0.25 * z * z
    for k in range(1, 11 if is_double(z) else 6):
        f = (k * f + p + q) / (k * k - mu * mu)
        p, q, c = p / (k - mu), q / (k + mu), c * quarter / k
        low, high = low + c * f, high + c * (p - k * f)
    log_k, ratio = jnp.log(low), 2.0 / z * high / low
    for i in range(5):
        active = i < steps
        log_k = jnp.where(active, log_k + jnp.log(ratio), log_k)
        ratio = jnp.where(active, 2.0 * (mu + i + 1) / z + 1.0 / ratio, ratio)
    return log_k, ratio


def _sinhc(s):
    """sinh(s)/s."""
    near = jnp.clip(s, -1.0, 1.0)
    s2 = near * near
    total = jnp.ones_like(s)
    for k in range(9, 0, -1):
        total = 1.0 + s2 / (2 * k * (2 * k + 1)) * total
    return jnp.where(
        jnp.abs(s) < 1, total, jnp.sinh(s) / jnp.where(jnp.abs(s) < 1, 1.0, s)
    )


def _split_k(nu, z):
    """Where Temme's series is used, and safe arguments for it and for the integral (nu >= -1/2)."""
    small = (z <= 0.5) & (nu < 5.5)
    return (
        small,
        jnp.where(small, nu, 0.0),
        jnp.where(small, z, 0.25),
        jnp.where(small, 0.5, z),
    )


def _peak_k(nu, z):
    """nu asinh(nu/z) - w, the exponent at the peak."""
    return nu * jnp.arcsinh(nu / z) - jnp.sqrt(nu * nu + z * z)


def _log_bessel_k(nu, z):
    nu, z = jnp.broadcast_arrays(jnp.abs(nu), z)
    small, nu_small, z_small, z_large = _split_k(nu, z)
    large = _peak_k(nu, z_large) - LOG_2 + _integral_k(nu, z_large)[0]
    return jnp.where(small, _temme_k(nu_small, z_small)[0], large)


def _log_bessel_k_order(nu, z):
    nu, z = jnp.broadcast_arrays(nu, z)
    order = jnp.abs(nu)
    small, nu_small, z_small, z_large = _split_k(order, z)
    large = jnp.arcsinh(order / z_large) + _integral_k(order, z_large)[3]
    series = partial(lambda m, v: _temme_k(m, v)[0], 0)(nu_small, z_small)
    return jnp.sign(nu) * jnp.where(small, series, large)


@differentiable(
    lambda out, nu, z: partial(_log_bessel_k_order, 0)(nu, z),
    lambda out, nu, z: (
        1.0 / z - bessel_k_ratio(nu, z) * (log_bessel_k_order(nu + 1.0, z) - out)
    ),
)
def log_bessel_k_order(nu, z):
    """d log K_nu(z) / d nu."""
    return _log_bessel_k_order(nu, z)


@differentiable(
    lambda out, nu, z: log_bessel_k_order(nu, z),
    lambda out, nu, z: nu / z - bessel_k_ratio(nu, z),
)
def log_bessel_k(nu, z):
    """log K_nu(z)."""
    return _log_bessel_k(nu, z)


@differentiable(
    lambda out, nu, z: log_bessel_k_order(nu, z),
    lambda out, nu, z: nu / z - bessel_k_ratio(nu, z) + 1.0,
)
def log_bessel_ke(nu, z):
    """log(exp(z) K_nu(z))."""
    nu, z = jnp.broadcast_arrays(jnp.abs(nu), z)
    small, nu_small, z_small, z_large = _split_k(nu, z)
    w = jnp.sqrt(nu * nu + z_large * z_large)
    large = (
        nu * jnp.arcsinh(nu / z_large)
        - nu * nu / (w + z_large)
        - LOG_2
        + _integral_k(nu, z_large)[0]
    )
    return jnp.where(small, _temme_k(nu_small, z_small)[0] + z_small, large)


@differentiable(
    lambda out, nu, z: (
        out * (log_bessel_k_order(nu + 1.0, z) - log_bessel_k_order(nu, z))
    ),
    lambda out, nu, z: out * out - (2.0 * nu + 1.0) * out / z - 1.0,
)
def bessel_k_ratio(nu, z):
    """K_{nu+1}(z)/K_nu(z)."""
    nu, z = jnp.broadcast_arrays(nu, z)
    mirrored = nu < -0.5
    order = jnp.where(mirrored, -1.0 - nu, nu)
    small, nu_small, z_small, z_large = _split_k(order, z)
    size = jnp.abs(order)
    _, mean_up, mean_down, _ = _integral_k(size, z_large)
    w = jnp.sqrt(size * size + z_large * z_large)
    large = jnp.where(
        order < 0, z_large / (w + size) * mean_down, (w + size) / z_large * mean_up
    )
    ratio = jnp.where(small, _temme_k(nu_small, z_small)[1], large)
    return jnp.where(mirrored, 1.0 / ratio, ratio)


def bessel_k(nu, z):
    """K_nu(z); underflows where K_nu does, so prefer log_bessel_k."""
    return jnp.exp(log_bessel_k(nu, z))
