r"""Standard normal draws at a fraction of their usual cost, for chains whose steps are mostly noise.

Box and Muller (Annals of Mathematical Statistics 29, 1958): with u uniform on (0, 1] and a uniform angle a,

    r = sqrt(-2 log u),    r cos a and r sin a are independent N(0, 1)

Here a = pi t / 2 with t uniform on [-1, 1), and a fair sign of the cosine covers the other half of the circle. On that
half both functions are polynomials in t^2 (Taylor, seven terms, error below 1e-8), so all is sums and products but one
logarithm and one root for two draws, of two words of 32 random bits: 24 for u, 24 for t, one for the sign. |z| is at
most sqrt(48 log 2) = 5.77; that is passed with probability 8e-9.

Double precision wants more bits and more terms: there `jax.random.normal` draws.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, PRNGKeyArray

__all__ = ["normal"]

_QUARTER = math.pi / 2
_COS, _SIN = ([(-1) ** k * _QUARTER ** (2 * k + odd) / math.factorial(2 * k + odd) for k in range(7)] for odd in (0, 1))


def _horner(coefficients: list[float], x: Array) -> Array:
    out = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        out = out * x + c
    return out


def normal(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Independent N(0, 1) draws of `shape`; other values than those of `jax.random.normal` with the same key."""
    if jnp.dtype(dtype) != jnp.float32:
        return jax.random.normal(key, shape, dtype)
    size = int(np.prod(shape))
    # One hash for two words: the partitionable counter takes one for each, and 64-bit arithmetic besides.
    with jax.threefry_partitionable(False):
        a, b = jax.random.bits(key, (2, (size + 1) // 2), jnp.uint32)
    u = ((a >> 8).astype(jnp.int32).astype(jnp.float32) + 1) * 2.0**-24
    t = (jax.lax.bitcast_convert_type(b, jnp.int32) >> 8).astype(jnp.float32) * 2.0**-23
    sign = 1.0 - 2.0 * (a & 1).astype(jnp.int32).astype(jnp.float32)
    # Fused with what follows, XLA would compute the logarithm once for each of the two halves.
    r = jax.lax.optimization_barrier(jnp.sqrt(-2.0 * jnp.log(u)))
    pairs = jnp.concatenate([sign * r * _horner(_COS, t * t), r * t * _horner(_SIN, t * t)])
    return pairs[:size].reshape(shape)
