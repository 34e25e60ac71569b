"""The tail of the normal law, with full relative precision everywhere.

Everything follows from one function, the excess of the inverse Mills ratio over its asymptote,

    gap(v) = phi(v) / Phi(-v) - v,  v >= 0,   0 < gap <= sqrt(2/pi),  gap ~ 1/v:

    Mills(u) = phi(u)/Phi(u) = v + gap(v) and log Phi(u) = -v**2/2 - log(sqrt(2 pi) (v + gap(v)))  for u = -v <= 0,
    erfcx(x) = exp(x**2) erfc(x) = sqrt(2/pi) / (v + gap(v))  for v = sqrt(2) x >= 0.

(1 + v) gap(v) is a polynomial in t = (v - 4)/(v + 4), which maps 0 <= v < oo onto -1 <= t < 1: a Chebyshev series
computed at 60 digits, of which the terms left out are below 1e-17. The powers of t are well-conditioned here (their
coefficients sum to 1.7). The other half line comes from Phi(u) = 1 - Phi(-u).
"""

import jax.numpy as jnp
import jax.scipy.special as jsp

from .arrays import differentiable, horner, is_double

SQRT_2 = 1.4142135623730951
SQRT_2_OVER_PI = 0.7978845608028654
ONE_OVER_SQRT_2_PI = 0.3989422804014327
HALF_LOG_2_PI = 0.9189385332046728
TWO_OVER_SQRT_PI = 1.1283791670955126

# (1 + v) gap(v) in powers of t; the Chebyshev series cut where float64 and float32 no longer see it
_GAP = (
    1.1280357224473554,
    -0.062056379981136397,
    -0.19210374819083546,
    0.19293246887907771,
    -0.061071084203252234,
    -0.030769392021608697,
    0.032424205046537142,
    -0.0011290861298264802,
    -0.010605538986473222,
    0.0032926607008123716,
    0.0027520374543344802,
    -0.0016937145418632257,
    -0.00056038452555416229,
    0.00063900450575967061,
    6.874450378806255e-5,
    -0.00020243786497594705,
    9.202628913895238e-6,
    5.5325134197934872e-5,
    -1.0256678150071215e-5,
    -1.2792422958624941e-5,
    4.5714186776302184e-6,
    2.3310414860421707e-6,
    -1.5175782382554815e-6,
    -2.7929054520015151e-7,
    3.9092359936618569e-7,
    9.8918431546414974e-9,
    -7.0366004993906399e-8,
    1.6983050156830869e-9,
    6.5067351394877859e-9,
)
_GAP_SINGLE = (
    1.128035723,
    -0.06205644416,
    -0.1921037743,
    0.192934923,
    -0.06107054347,
    -0.03079676586,
    0.0324199606,
    -0.0009926464127,
    -0.01058939914,
    0.002935304173,
    0.002719730552,
    -0.001168927695,
    -0.000527698087,
    0.0002022802353,
    5.828176259e-5,
)


def tail_gap(v):
    """phi(v)/Phi(-v) - v for v >= 0."""
    t = 1.0 - 8.0 / (v + 4.0)
    return horner(_GAP if is_double(v) else _GAP_SINGLE, t) / (1.0 + v)


def exp_of_square(c, u):
    """exp(c u**2) for |c| <= 1; u is split so that rounding u**2 does not spoil the tail."""
    coarse = jnp.round(u * 16.0) / 16.0
    rest = jnp.clip(
        (u - coarse) * (u + coarse), -50.0, 50.0
    )  # beyond 50 the first factor is 0 or infinite
    return jnp.exp(c * coarse * coarse) * jnp.exp(c * rest)


def normal_density(u):
    """exp(-u**2/2)/sqrt(2 pi)."""
    return ONE_OVER_SQRT_2_PI * exp_of_square(-0.5, u)


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
    growth = exp_of_square(1.0, x)
    return jnp.where(x < 0, 2.0 * growth - right, right)


def erfcinv(p):
    """The x with erfc(x) = p, 0 < p < 2, without forming 1 - p."""
    return -jsp.ndtri(0.5 * p) / SQRT_2
