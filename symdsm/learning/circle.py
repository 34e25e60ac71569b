"""Angles: what a mean, a scale and a coordinate are on a circle of circumference P.

With d = 2 pi (y - m)/P the angle from m in radians, within half a turn,

    mean direction     m with E sin(d) = 0 and E cos(d) >= 0
    scale              s^2 = E sin^2(d/2) / E cos^2(d/2): half the standard deviation of angles that lie close together,
                       1 for the uniform law
    stretched angle    tan(a/2) = tan(d/2) / s

The last is a Moebius map of the circle onto itself. It spreads a narrow law about m over the whole circle, as division
by a standard deviation does on the line, and has no seam: cos(a) and sin(a) are smooth in y and have its period. A
wrapped Cauchy law becomes the uniform one for s^2 in place of s (McCullagh, Moebius transformation and Cauchy parameter
estimation, Annals of Statistics 24 (1996)); s leaves some of the shape of every law.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["half_angle_scale", "mean_direction", "stretched", "within_one_turn"]


def within_one_turn(y: Array, period) -> Array:
    """The angle y in [-P/2, P/2)."""
    period = float(period)
    return jnp.mod(y + period / 2, period) - period / 2


def mean_direction(y: Array, period: float) -> Array:
    """m of each entry over the first axis, in [-P/2, P/2]."""
    turn = 2 * math.pi / period
    return jnp.arctan2(jnp.mean(jnp.sin(turn * y), 0), jnp.mean(jnp.cos(turn * y), 0)) / turn


def half_angle_scale(y: Array, centre: Array, period: float) -> Array:
    """s of each entry over the first axis, about any centre."""
    half = math.pi / period * (y - centre)
    return jnp.sqrt(jnp.mean(jnp.sin(half) ** 2, 0) / jnp.mean(jnp.cos(half) ** 2, 0))


def stretched(y: Array, centre: Array, scale: Array, period: float) -> Array:
    """a in [-pi, pi], in radians."""
    half = math.pi / period * within_one_turn(y - centre, period)
    return 2 * jnp.arctan2(jnp.sin(half), scale * jnp.cos(half))
