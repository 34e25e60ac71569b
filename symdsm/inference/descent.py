"""The cold start: from noise at the largest level down to the lowest, learning the shape of the path.

Walkers start at u = 1 as noised data, settle there, and come down the rungs u = 1, ..., 1/RUNGS, 0 by Hamiltonian
Monte Carlo on log joint(theta; u) at each fixed level. On the way the mean m(u) and the standard deviation c(u) of
every coordinate are written down. They are the coordinates of the chain that follows,

    theta = m(u) + c(u) q,

in which a change of level moves theta along with its law: for Gaussian laws q and u are then independent, so the
level can cross its whole range in one trajectory. The change of variables is exact for any tables m and c > 0, whose
log-Jacobian is sum log c(u); poor tables cost speed, never correctness.

With f(u) = -log of the integral of the joint at level u, thermodynamic integration (Gelman & Meng 1998) gives

    f'(u) = E[ d/du V(q, u) | u ],        V(q, u) = -log joint(m(u) + c(u) q; u) - sum log c(u),

with the derivative at fixed q, whose variance is small because c absorbs most of the change.

The walkers are few: where they left a mode that chains visit later, a change of level at fixed q throws a chain out of
it. `recentred` corrects the tables by visits (q, u) of the chains,

    m <- m + c a(u),   c <- c b(u),   a(u), b(u) the mean and sd of q in a triangular window of WIDTH rungs each way,

where the plateau counts no more than an average rung, and the walkers count as DESCENT_WEIGHT visits of mean 0 and sd 1
at each rung. The window keeps m and c smooth in u; tables taken anew at each rung would add their noise to dV/du.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from symdsm.inference.hamiltonian import hmc
from symdsm.inference.paths import RUNGS, smoothed, table_at

__all__ = ["DESCENT_WEIGHT", "Descent", "descend", "energy_in_path", "recentred"]

TRANSITIONS, LEAPFROGS, SETTLING, RELAXING = 16, 16, 6, 150
TARGET, DESCENT_WEIGHT, WIDTH = 0.8, 16.0, 8


class Descent(NamedTuple):
    """What the descent leaves: walkers (rungs, walkers, d), tables, free-energy slopes (RUNGS,), acceptances."""

    walkers: Array
    mean: Array
    log_scale: Array
    slopes: Array
    accept: Array


def energy_in_path(log_joint: Callable, q: Array, u: Array, mean: Array, log_scale: Array) -> Array:
    """V(q, u) = -log joint(m(u) + c(u) q; u) - sum log c(u)."""
    log_c = table_at(log_scale, u)
    return -log_joint(table_at(mean, u) + jnp.exp(log_c) * q, u) - jnp.sum(log_c)


def relax(log_joint: Callable, theta: Array, scale: Array, u: ArrayLike) -> Array:
    """Adam's descent (Kingma & Ba 2015) from noise to where dynamics can start at level u.

    Its moves do not depend on the gradient's size, which may be astronomical for a likelihood far from its data.
    """

    def move(state, t):
        theta, first, second = state
        g = -scale * jax.grad(log_joint)(theta, u)
        g = jnp.clip(jnp.nan_to_num(g), -1e15, 1e15)
        first, second = 0.9 * first + 0.1 * g, 0.9 * second + 0.1 * g**2
        theta = theta - 0.3 * (1 - t / RELAXING) * scale * first / (jnp.sqrt(second) + 1e-6)
        return (theta, first, second), None

    zero = jnp.zeros_like(theta)
    return lax.scan(move, (theta, zero, zero), jnp.arange(RELAXING))[0][0]


def descend(log_joint: Callable, key: PRNGKeyArray, start: Array, scale: Array) -> Descent:
    """Bring `start` (walkers, d) down from u = 1; `scale` (d,) is the spread of the start in each coordinate."""
    walkers, d = start.shape

    def rung(state, at):
        theta, c, log_step = state
        key, u = at

        def transition(state, key):
            theta, log_step = state
            count, each = random.split(key)
            n = random.randint(count, (), LEAPFROGS // 2, 3 * LEAPFROGS // 2 + 1)

            def move(key, q, step):
                return hmc(key, q, step, n, lambda q: -log_joint(c * q, u))

            moved = jax.vmap(move)(random.split(each, walkers), theta / c, jnp.exp(log_step))
            return (moved.q * c, log_step + moved.accept - TARGET), (moved.q * c, moved.accept.mean())

        (theta, log_step), (seen, accept) = lax.scan(transition, (theta, log_step), random.split(key, TRANSITIONS))
        late = seen[TRANSITIONS // 2 :].reshape(-1, d)
        spread = jnp.maximum(late.std(0), 1e-4 * c)
        return (theta, (c + spread) / 2, log_step), (late.mean(0), jnp.log(spread), seen[3::4], accept.mean())

    theta = jax.vmap(lambda t: relax(log_joint, t, scale, 1.0))(start)
    state = theta, scale, jnp.full(walkers, jnp.log(0.02), theta.dtype)
    u = jnp.concatenate([jnp.ones(SETTLING), jnp.linspace(1.0, 0.0, RUNGS + 1)]).astype(theta.dtype)
    _, stages = lax.scan(rung, state, (random.split(key, u.size), u))
    mean, log_scale, seen, accept = (a[SETTLING:][::-1] for a in stages)
    mean, log_scale = smoothed(mean), smoothed(log_scale)
    slopes = free_energy_slopes(log_joint, seen.reshape(RUNGS + 1, -1, d), mean, log_scale)
    return Descent(seen[:, -1], mean, log_scale, slopes, accept)


def free_energy_slopes(log_joint: Callable, seen: Array, mean: Array, log_scale: Array) -> Array:
    """E[d/du V] on each interval between rungs, from the walkers (RUNGS + 1, n, d) at its two ends."""

    def slope(theta, u):
        q = (theta - table_at(mean, u)) * jnp.exp(-table_at(log_scale, u))
        return jax.grad(energy_in_path, 2)(log_joint, q, u, mean, log_scale)

    def at_end(walkers, ends):
        return jnp.mean(jax.vmap(lambda u: jax.vmap(lambda t: slope(t, u))(walkers))(ends), 1)

    rungs, inside = jnp.arange(RUNGS + 1) / RUNGS, 0.01 / RUNGS
    below, above = jax.vmap(at_end)(seen, jnp.stack([rungs - inside, rungs + inside], 1)).T
    return (above[:-1] + below[1:]) / 2


def recentred(descent: Descent, theta: np.ndarray, u: np.ndarray) -> Descent:
    """The descent with its tables m and c corrected by visits theta (n, d) at u (n,)."""
    mean, scale = np.asarray(descent.mean, float), np.exp(np.asarray(descent.log_scale, float))
    at, rungs = RUNGS * np.maximum(u, 0.0)[:, None], np.arange(RUNGS + 1)
    near = np.maximum(1 - np.abs(at - rungs), 0.0)
    q = (theta - near @ mean) / np.exp(near @ np.log(scale))
    share = near * np.minimum(1.0, near.sum() / rungs.size / np.maximum(near.sum(0), 1e-9))
    window = share @ np.maximum(1 - np.abs(rungs[:, None] - rungs) / WIDTH, 0.0)
    count = WIDTH * DESCENT_WEIGHT + window.sum(0)[:, None]
    shift = window.T @ q / count
    variance = (WIDTH * DESCENT_WEIGHT + window.T @ q**2) / count - shift**2
    tables = mean + scale * shift, np.log(scale) + np.log(variance) / 2
    mean, log_scale = (jnp.asarray(table, descent.mean.dtype) for table in tables)
    return descent._replace(mean=mean, log_scale=log_scale)
