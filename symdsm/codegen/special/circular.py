r"""Draws on the circle, as angles from the mean in (-pi, pi); exact, with a few random numbers for each.

    wrapped normal    s e, reduced by whole turns, e standard normal
    wrapped Cauchy    2 arctan(t tan(pi v)), v uniform on (-1/2, 1/2), for the density t / (sin^2(d/2) + t^2 cos^2(d/2))
    von Mises         by rejection from wrapped Cauchy proposals d (Best and Fisher, Applied Statistics 28 (1979), 152):

With a = r - 1, r = (1 + sqrt(1 + 4 k^2)) / (2 k) and t = sqrt(a / (a + 2)) the ratio of the densities is a multiple of
c e^(1 - c) <= 1, c = k (a + 2 sin^2(d/2)), which is the probability to accept d, exact whatever a > 0; this a makes
more than 65 of 100 proposals good at every k, so that 100 rounds leave none out (0.35^100 = 2e-46). Written so, nothing
cancels: k a = (1 + 1 / (sqrt(1 + 4 k^2) + 2 k)) / 2.
"""

import jax
import jax.numpy as jnp

from .wrapped import _PI_HIGH, _PI_LOW, _minus_pi

_VON_MISES_ROUNDS = 100


def wrapped_normal_draw(key, s, shape, dtype):
    """Normal angles of standard deviation s, without their turns."""
    d = jnp.asarray(s, dtype) * jax.random.normal(key, shape, dtype)
    return _minus_pi(d, 2.0 * jnp.round(d / (2.0 * (_PI_HIGH + _PI_LOW))))


def wrapped_cauchy_draw(key, t, shape, dtype):
    """Angles whose half has t times the tangent of half a uniform angle."""
    v = jax.random.uniform(key, shape, dtype, -0.5, 0.5)
    return 2.0 * jnp.arctan(t * jnp.tan(jnp.pi * v))


def von_mises_draw(key, k, shape, dtype):
    """Angles with the density exp(k cos d) / (2 pi I_0(k)); gradients do not pass through k."""
    k = jax.lax.stop_gradient(jnp.asarray(k, dtype))
    size = jnp.maximum(jnp.abs(k), jnp.finfo(dtype).tiny ** 0.25)
    root = jnp.sqrt(1.0 + 4.0 * size**2)
    scaled = (1.0 + 1.0 / (root + 2.0 * size)) / 2.0
    tangent = jnp.sqrt(scaled / (scaled + 2.0 * size))

    def rejected(state):
        count, _, done, _ = state
        return (count < _VON_MISES_ROUNDS) & ~jnp.all(done)

    def propose(state):
        count, angle, done, key = state
        key, first, second = jax.random.split(key, 3)
        d = wrapped_cauchy_draw(first, tangent, shape, dtype)
        c = scaled + 2.0 * size * jnp.sin(d / 2.0) ** 2
        good = jnp.log(jax.random.uniform(second, shape, dtype)) < jnp.log(c) + 1.0 - c
        return count + 1, jnp.where(done, angle, d), done | good, key

    start = 0, jnp.zeros(shape, dtype), jnp.zeros(shape, bool), key
    _, angle, _, _ = jax.lax.while_loop(rejected, propose, start)
    return jnp.where(k < 0, jnp.where(angle > 0, angle - jnp.pi, angle + jnp.pi), angle)
