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

_IMAGES, _WAVES, _SWITCH = 3, 5, 2.0
_LOG_2_PI = 1.8378770664093453
# 2 pi in two parts, the first with few digits, so that multiples of it are subtracted exactly
_TURN, _TURN_REST = 6.28125, 0.0019353071795864769


def _reduced(d):
    turns = jnp.round(d / (_TURN + _TURN_REST))
    return (d - turns * _TURN) - turns * _TURN_REST


def _branches(d, s):
    """(small, images of d over s, s for the first sum, reduced d, s for the second)."""
    d, s = floats(d, s)
    small = s < _SWITCH
    narrow, wide = jnp.where(small, s, 1.0), jnp.where(small, _SWITCH, s)
    d = _reduced(d)
    images = [(d + k * _TURN + k * _TURN_REST) / narrow for k in range(-_IMAGES, _IMAGES + 1)]
    return small, images, narrow, d, wide


def _wave_sum(n, d, s):
    """The n-th derivative of sum_{m>0} exp(-m**2 s**2 / 2) cos(m d)."""
    turn = (jnp.cos, lambda v: -jnp.sin(v), lambda v: -jnp.cos(v), jnp.sin)[n % 4]
    return sum(m**n * jnp.exp(-0.5 * (m * s) ** 2) * turn(m * d) for m in range(1, _WAVES + 1))


def log_wrapped_normal(d, s):
    """log p(d)."""
    small, images, narrow, d, wide = _branches(d, s)
    direct = lse(*(-0.5 * u * u for u in images)) - jnp.log(narrow) - HALF_LOG_2_PI
    return jnp.where(small, direct, jnp.log1p(2.0 * _wave_sum(0, d, wide)) - _LOG_2_PI)


def wrapped_normal_moment(n, d, s):
    """The n-th derivative of p at d over p, n a Python integer."""
    small, images, narrow, d, wide = _branches(d, s)
    logs = [-0.5 * u * u for u in images]
    total = lse(*logs)
    direct = sum(jnp.exp(a - total) * _hermite(n, u) for a, u in zip(logs, images, strict=True))
    waves = 2.0 * _wave_sum(n, d, wide) / (1.0 + 2.0 * _wave_sum(0, d, wide))
    return jnp.where(small, direct * (-1.0 / narrow) ** n, waves)


def _hermite(n, u):
    before, now = jnp.zeros_like(u), jnp.ones_like(u)
    for k in range(n):
        before, now = now, u * now - k * before
    return now
