"""The normal law wrapped on the circle, at the angle d from its mean, s its standard deviation on the line.

    p(d) = sum_k N(d + 2 pi k; 0, s**2) = (1 + 2 sum_{m>0} exp(-m**2 s**2 / 2) cos(m d)) / (2 pi)

(Poisson's summation formula). The first sum is used for s < 2 with |k| <= 3: the nearest term left out is below
exp(-6 pi**2) = 2e-26 of the density, since |d| <= pi there and the exponents of the images at 7 pi and at pi differ
by 48 pi**2 / (2 s**2). The second is used for s >= 2 with m <= 5: the first term left out is exp(-18 s**2) <= 6e-32,
and the density is at least 0.7/(2 pi).
"""

import jax.numpy as jnp

from .arrays import floats
from .elementary import lse
from .normal import HALF_LOG_2_PI

_WRAP_IMAGES, _WRAP_WAVES, _WRAP_SWITCH = 3, 5, 2.0
_LOG_2_PI = 1.8378770664093453
# pi in two parts, the first with few digits, so that multiples of it are subtracted exactly
_PI_HIGH, _PI_LOW = 3.140625, 0.00096765358979323846


def _minus_pi(d, k):
    """d - k pi."""
    return (d - k * _PI_HIGH) - k * _PI_LOW


def _wrap_branches(d, s):
    """(small, images, s for the first sum, reduced d, s for the second).

    An image is (u, log weight): its place in units of s, and its log density over that of the nearest image,
    (d**2 - (d + 2 pi k)**2)/(2 s**2) without cancellation.
    """
    d, s = floats(d, s)
    small = s < _WRAP_SWITCH
    narrow, wide = jnp.where(small, s, 1.0), jnp.where(small, _WRAP_SWITCH, s)
    d = _minus_pi(d, 2.0 * jnp.round(d / (2.0 * (_PI_HIGH + _PI_LOW))))
    images = []
    for k in range(-_WRAP_IMAGES, _WRAP_IMAGES + 1):
        half_way = _minus_pi(d, -k) / narrow
        images.append(
            (
                _minus_pi(d, -2 * k) / narrow,
                -2.0 * (_PI_HIGH + _PI_LOW) * k / narrow * half_way,
            )
        )
    return small, images, narrow, d, wide


def _wave_sum(n, d, s):
    """The n-th derivative of sum_{m>0} exp(-m**2 s**2 / 2) cos(m d)."""
    turn = (jnp.cos, lambda v: -jnp.sin(v), lambda v: -jnp.cos(v), jnp.sin)[n % 4]
    return sum(
        m**n * jnp.exp(-0.5 * (m * s) ** 2) * turn(m * d)
        for m in range(1, _WRAP_WAVES + 1)
    )


def log_wrapped_normal(d, s):
    """log p(d)."""
    small, images, narrow, d, wide = _wrap_branches(d, s)
    nearest = -0.5 * (d / narrow) ** 2 - jnp.log(narrow) - HALF_LOG_2_PI
    direct = nearest + lse(*(log_weight for _, log_weight in images))
    return jnp.where(small, direct, jnp.log1p(2.0 * _wave_sum(0, d, wide)) - _LOG_2_PI)


def wrapped_normal_moment(n, d, s):
    """The n-th derivative of p at d over p, n a Python integer."""
    small, images, narrow, d, wide = _wrap_branches(d, s)
    weights = [jnp.exp(log_weight) for _, log_weight in images]
    polynomials = [_hermite(n, u) for u, _ in images]
    direct = sum(w * h for w, h in zip(weights, polynomials, strict=True)) / sum(
        weights
    )
    waves = 2.0 * _wave_sum(n, d, wide) / (1.0 + 2.0 * _wave_sum(0, d, wide))
    return jnp.where(small, direct * (-1.0 / narrow) ** n, waves)


def _hermite(n, u):
    before, now = jnp.zeros_like(u), jnp.ones_like(u)
    for k in range(n):
        before, now = now, u * now - k * before
    return now
