"""Input and output scales of a network, for any kernel and any level.

Karras et al. (Elucidating the Design Space of Diffusion-Based Generative Models, 2022) scale a network for
Gaussian noise so that what goes in and what must come out has unit size at every level. The same for any
kernel, by Monte Carlo on a grid of levels with common random numbers (x from the data, y ~ p(y | x; u), m the
data's mean):

    location, scale   mean and sd of each noisy entry, the sample clipped at its 0.5% and 99.5% quantiles, so
                      that kernels without moments have them too
    tail weight       w(u) = E[s (t - t')] / E[t^2],  s = grad log p(y | x; u),  t = grad log p(y | m; u)
    spread            rms of s - w t, entry by entry: what is left for the network
    fisher            E ||s||^2,  level fisher E (d/du log p)^2, both averaged over the data

t' is t at a second draw for the same x; E[s t'] = 0, and without it w would drown in noise at low levels.
The tail joins w times the kernel's tail about the data's centre and 1 - w times its tail about the data's box:
at low levels a network knows nothing outside that box, where the density falls as the kernel does.

w t is the best multiple of the kernel's own score about the data's centre. For Gaussian noise and data of sd
d it is w = sigma^2 / (d^2 + sigma^2), the spread is d / (sigma sqrt(d^2 + sigma^2)) and scale is sqrt(d^2 +
sigma^2): exactly the skip and output scales of that paper. Elementwise kernels have one w per entry, coupled
ones one per event.

An angle has no far away, and no box: there w times the kernel's tail is all, location and centre are the mean direction
of the data, and the network sees the stretched angle of `symdsm.learning.circle`, scale being s P/(2 pi).
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.circle import half_angle_scale, mean_direction, stretched
from symdsm.learning.curves import Curve, nodes
from symdsm.learning.noise import Noise

__all__ = ["Scaling", "linear_estimate", "measure", "pooled"]

_LEVELS, _DRAWS, _DEGREE = 24, 2048, 8


class Scaling(eqx.Module):
    """The measured scales as smooth functions of the level coordinate; see the module."""

    centre: Array
    low: Array
    high: Array
    location: Curve
    log_scale: Curve
    log_weight: Curve
    log_spread: Curve
    log_fisher: Curve
    log_level_fisher: Curve | None
    context_centre: Array | None = None
    context_scale: Array | None = None
    reach: float = eqx.field(static=True, default=4.0)
    period: float | None = eqx.field(static=True, default=None)

    def inputs(self, y: Array, u: Array) -> Array:
        """The noisy event in its own units, v = z / sqrt(1 + (z / reach)^2) with z = (y - location) / scale.

        One-to-one and bounded by `reach`, so that whatever the network makes of v is bounded too. Of an angle, its
        stretched one in radians, within half a turn of the centre.
        """
        if self.period is not None:
            scale = 2 * math.pi / self.period * jnp.exp(self.log_scale(u))
            return stretched(y, self.centre, scale, self.period)
        z = (y - self.location(u)) * jnp.exp(-self.log_scale(u))
        return z * jax.lax.rsqrt(1.0 + (z / self.reach) ** 2)

    def tail(self, noise: Noise, y: Array, u: Array) -> Array:
        """sum of - w log p(y | centre) + (1 - w) (log p(c | c) - log p(y | c)), c the nearest point of the data's box.

        Both parts bound -log q from below, up to a constant in y: q(y) <= max over x in the box of p(y | x). On the
        circle, the simplex and the sphere the first part is all: there is no going away from the data.
        """
        w = jnp.exp(self.log_weight(u))
        if self.period is not None or getattr(noise.program, "manifold", None) is not None:
            return -jnp.sum(w * noise.log_prob_entries(y, self.centre, u))
        c = jnp.clip(y, self.low, self.high)

        def beyond(c):
            return noise.log_prob_entries(c, c, u) - noise.log_prob_entries(y, c, u)

        # An entry alone is in the box, where this is 0, or c is fixed: the derivative through c would cost and add 0.
        outside = beyond(c) if noise.coupled else jnp.where(y == c, 0.0, beyond(jax.lax.stop_gradient(c)))
        return jnp.sum((1.0 - w) * outside - w * noise.log_prob_entries(y, self.centre, u))

    def tail_score(self, noise: Noise, y: Array, u: Array) -> Array:
        """minus the gradient of the tail, of y's shape."""
        return -jax.grad(self.tail, argnums=1)(noise, y, u)

    def gain(self, u: Array) -> Array:
        """Size of the energy that the network adds per unit of its input, mean of spread * scale; scalar."""
        return jnp.mean(jnp.exp(self.log_spread(u) + self.log_scale(u)))


def measure(noise: Noise, data: Array, key: PRNGKeyArray, *, dual: bool, context: Array | None = None) -> Scaling:
    """Scales of `noise` on `data` of shape (n, *event); `dual` adds the level score's Fisher information.

    A context (n, *context) is standardised entry by entry; entries that do not vary are only centred.
    """
    rows, draws = jax.random.split(key)
    x = data[jax.random.randint(rows, (_DRAWS,), 0, len(data))]
    keys, again = jax.random.split(draws, (2, _DRAWS))
    period = noise.period
    centre = jnp.mean(data, axis=0) if period is None else mean_direction(data, period)

    @jax.jit
    def at(u):
        if dual:
            y, score, level = jax.vmap(noise.dual_target, (0, 0, None))(keys, x, u)
        else:
            y, score = jax.vmap(noise.target, (0, 0, None))(keys, x, u)
            level = jnp.ones(_DRAWS)
        location, scale = _place(y) if period is None else _place_of_angles(y, centre, period)
        tail, other = (
            jnp.nan_to_num(jax.vmap(noise.score, (0, None, None))(z, centre, u), posinf=0.0, neginf=0.0)
            for z in (y, jax.vmap(noise.sample, (0, 0, None))(again, x, u))
        )
        axes = tuple(range(y.ndim)) if noise.coupled else 0
        weight = jnp.clip(jnp.sum(score * (tail - other), axes) / jnp.sum(tail**2, axes), 1e-4, 1.0)
        spread = jnp.sqrt(jnp.mean((score - weight * tail) ** 2, 0))
        fisher = jnp.mean(jnp.sum(score.reshape(_DRAWS, -1) ** 2, 1))
        return location, scale, weight, spread, fisher, jnp.mean(level**2)

    u = nodes(_LEVELS)
    columns = [
        np.stack(c) for c in zip(*([np.asarray(v) for v in at(jnp.asarray(t, data.dtype))] for t in u), strict=True)
    ]
    logs = [Curve.through(u, np.log(np.maximum(c, 1e-12)), _DEGREE) for c in columns[1:]]
    return Scaling(
        centre=centre,
        low=jnp.min(data, axis=0),
        high=jnp.max(data, axis=0),
        location=Curve.through(u, columns[0], _DEGREE),
        log_scale=logs[0],
        log_weight=logs[1],
        log_spread=logs[2],
        log_fisher=logs[3],
        log_level_fisher=logs[4] if dual else None,
        context_centre=None if context is None else jnp.mean(context, 0),
        context_scale=None if context is None else jnp.where(jnp.ptp(context, 0) > 0, jnp.std(context, 0), 1.0),
        period=period,
    )


def _place(y: Array) -> tuple[Array, Array]:
    """Mean and sd of each entry, the sample clipped at its quantiles."""
    low, high = jnp.quantile(y, jnp.asarray([0.005, 0.995], y.dtype), axis=0)
    inner = jnp.clip(y, low, high)
    return jnp.mean(inner, 0), jnp.std(inner, 0)


def _place_of_angles(y: Array, centre: Array, period: float) -> tuple[Array, Array]:
    """The centre itself, and s P/(2 pi)."""
    return centre, half_angle_scale(y, centre, period) * period / (2 * math.pi)


def pooled(tree: Any, members: int) -> Any:
    """Scales of an exchangeable event: what differs between the members of the first axis becomes their mean.

    For the logarithm of a scale that is the geometric mean, for angles' centres the mean direction; the box keeps its
    furthest ends.
    """

    def is_curve(a):
        return isinstance(a, Curve)

    def same(a):
        values = a.coefficients if is_curve(a) else jnp.zeros(())
        if values.ndim < 2 or values.shape[1] != members:
            return a
        return Curve(jnp.broadcast_to(jnp.mean(values, 1, keepdims=True), values.shape))

    shared = jax.tree.map(same, tree, is_leaf=is_curve)
    if not isinstance(tree, Scaling):
        return shared
    period = tree.period
    middle = jnp.mean(tree.centre, 0) if period is None else mean_direction(tree.centre, period)
    ends = middle, jnp.min(tree.low, 0), jnp.max(tree.high, 0)
    ends = tuple(jnp.broadcast_to(end, tree.centre.shape) for end in ends)
    return eqx.tree_at(lambda s: (s.centre, s.low, s.high), shared, ends)


def linear_estimate(noise: Noise, data: Array, key: PRNGKeyArray) -> tuple[Curve, Curve]:
    """(skip, log residue): x ~ centre + skip (y - E y), entry by entry, and the sd of what that misses."""
    rows, draws = jax.random.split(key)
    x = data[jax.random.randint(rows, (_DRAWS,), 0, len(data))]
    keys = jax.random.split(draws, _DRAWS)
    gap = x - jnp.mean(x, 0)

    @jax.jit
    def at(u):
        y = jax.vmap(noise.sample, (0, 0, None))(keys, x, u)
        y = y - jnp.mean(y, 0)
        skip = jnp.mean(gap * y, 0) / jnp.mean(y**2, 0)
        return skip, jnp.sqrt(jnp.mean((gap - skip * y) ** 2, 0))

    u = nodes(_LEVELS)
    skip, residue = (
        np.stack(c) for c in zip(*([np.asarray(v) for v in at(jnp.asarray(t, data.dtype))] for t in u), strict=True)
    )
    return Curve.through(u, skip, _DEGREE), Curve.through(u, np.log(np.maximum(residue, 1e-12)), _DEGREE)
