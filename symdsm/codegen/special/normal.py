"""The tail of the normal law, with full relative precision everywhere.

Everything follows from one function, the excess of the inverse Mills ratio over its asymptote,

    gap(v) = phi(v) / Phi(-v) - v,  v >= 0,   0 < gap <= sqrt(2/pi),  gap ~ 1/v:

    Mills(u) = phi(u)/Phi(u) = v + gap(v) and log Phi(u) = -v**2/2 - log(sqrt(2 pi) (v + gap(v)))  for u = -v <= 0,
    erfcx(x) = exp(x**2) erfc(x) = sqrt(2/pi) / (v + gap(v))  for v = sqrt(2) x >= 0.

(1 + v) gap(v) is a Chebyshev series in t = (v - 4)/(v + 4), which maps 0 <= v < oo onto -1 <= t < 1; the coefficients
were computed at 60 digits, and those left out are below 1e-18. The other half line comes from Phi(u) = 1 - Phi(-u).
"""

import jax.numpy as jnp

from .arrays import chebyshev, differentiable, is_double

SQRT_2 = 1.4142135623730951
SQRT_2_OVER_PI = 0.7978845608028654
HALF_LOG_2_PI = 0.9189385332046728
TWO_OVER_SQRT_PI = 1.1283791670955126

_GAP = (
    1.0168805564426282,
    0.063855993001406787,
    -0.11509035595355087,
    0.038934029049955284,
    -0.003347370576381033,
    -0.0017736338770155734,
    0.00054076040973986003,
    3.9024044175826795e-5,
    -4.402617067828808e-5,
    2.7612076544288963e-6,
    2.8674097969311684e-6,
    -4.9952825190926648e-7,
    -1.5806245994487861e-7,
    4.9384823080860091e-8,
    7.1144729728218241e-9,
    -3.9433444982428167e-9,
    -2.0992695898584107e-10,
    2.7542478232219565e-10,
    -3.2915681438701601e-12,
    -1.7161644057774259e-11,
    1.2015595052769771e-12,
    9.4243121787139764e-13,
    -1.279271190378952e-13,
    -4.2965402412913902e-14,
    1.0402939865135318e-14,
    1.2728811508716544e-15,
    -7.3965963773405245e-16,
    2.530671679501365e-17,
    4.8478954579590156e-17,
)
_GAP_SINGLE = _GAP[:17]


def tail_gap(v):
    """phi(v)/Phi(-v) - v for v >= 0."""
    t = 1.0 - 8.0 / (v + 4.0)
    return chebyshev(_GAP if is_double(v) else _GAP_SINGLE, t) / (1.0 + v)


def normal_density(u):
    """exp(-u**2/2)/sqrt(2 pi); u is split so that rounding u**2 does not spoil the tail."""
    coarse = jnp.round(u * 16.0) / 16.0
    tail = jnp.exp(-0.5 * coarse * coarse) * jnp.exp(-0.5 * (u - coarse) * (u + coarse))
    return 0.5 * SQRT_2_OVER_PI * SQRT_2 * 0.5 * SQRT_2 * tail


@differentiable(lambda out, u: mills(u))
def log_ndtr(u):
    """log Phi(u), Phi the standard normal distribution function."""
    v = jnp.abs(u)
    ratio = v + tail_gap(v)
    left = -0.5 * v * v - jnp.log(ratio) - HALF_LOG_2_PI
    return jnp.where(u < 0, left, jnp.log1p(-normal_density(v) / ratio))


@differentiable(lambda out, u: -out * mills_gap(u))
def mills(u):
    """phi(u)/Phi(u)."""
    v = jnp.abs(u)
    ratio = v + tail_gap(v)
    density = normal_density(v)
    return jnp.where(u < 0, ratio, density / (1.0 - density / ratio))


@differentiable(lambda out, u: 1.0 - mills(u) * out)
def mills_gap(u):
    """u + phi(u)/Phi(u)."""
    v = jnp.abs(u)
    gap = tail_gap(v)
    density = normal_density(v)
    return jnp.where(u < 0, gap, u + density / (1.0 - density / (v + gap)))


@differentiable(
    lambda out, x: jnp.where(
        x > 0,
        -SQRT_2 * SQRT_2_OVER_PI * mills_gap(-SQRT_2 * x) / mills(-SQRT_2 * x),
        2.0 * x * out - TWO_OVER_SQRT_PI,
    )
)
def erfcx(x):
    """exp(x**2) erfc(x)."""
    v = SQRT_2 * jnp.abs(x)
    right = SQRT_2_OVER_PI / (v + tail_gap(v))
    coarse = jnp.round(x * 16.0) / 16.0
    growth = jnp.exp(coarse * coarse) * jnp.exp((x - coarse) * (x + coarse))
    return jnp.where(x < 0, 2.0 * growth - right, right)
