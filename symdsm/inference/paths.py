"""The level as a coordinate, and tables along it.

The sampler moves a coordinate u on [-1, 1]. Above zero it is the level's own coordinate; the plateau [-1, 0] is all at
the lowest level,

    level(u) = levels.at(max(u, 0)),

so that a draw with u <= 0 is a draw at exactly the lowest level, and its law given u <= 0 is exactly the posterior.

The chain itself lives on the whole line: u = fold(SPEED v), with the triangle wave `fold` that reflects at -1 and 1.
The potential is continuous there and even about each end, so this is the chain with reflecting walls.

Tables hold one value for each of RUNGS + 1 levels, u = 0, 1/RUNGS, ..., 1, and are linear in between.
"""

import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["RUNGS", "SPEED", "fold", "integral", "smoothed", "table_at", "uphill"]

RUNGS = 32
SPEED = 0.5


def fold(v: Array) -> Array:
    """Reflect v into [-1, 1]: the triangle wave of period 4 that is the identity on [-1, 1]."""
    return 1 - jnp.abs(jnp.mod(v + 1, 4.0) - 2)


def uphill(v: Array) -> Array:
    """The slope of `fold`: 1 where u grows with v, -1 where it falls."""
    return jnp.where(jnp.mod(v + 1, 4.0) < 2, 1.0, -1.0)


def table_at(table: Array, u: Array) -> Array:
    """The table (RUNGS + 1, ...) at a coordinate u, linear between rungs, constant on the plateau."""
    t = jnp.clip(u, 0.0, 1.0) * RUNGS
    i = jnp.clip(jnp.floor(t).astype(int), 0, RUNGS - 1)
    return table[i] + (t - i) * (table[i + 1] - table[i])


def smoothed(table: Array) -> Array:
    """The table after two passes of the weights 1/4, 1/2, 1/4 over neighbouring rungs."""
    for _ in range(2):
        padded = jnp.concatenate([table[:1], table, table[-1:]])
        table = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return table


def integral(slopes: Array) -> Array:
    """The table whose slope between rungs is `slopes` (RUNGS,), zero at u = 0."""
    return jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.asarray(slopes)) / RUNGS])
