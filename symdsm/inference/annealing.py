"""Coming down from noise, then staying at the lowest level.

With an energy: the descent of `descent.py`, one compiled program for all rungs, leaves walkers at the lowest level and
the spread of every coordinate there; NUTS goes on from them in these units.

With a score alone nothing can be accepted or refused, so walkers come down by unadjusted Langevin steps

    x <- x + h s(x; u) + sqrt(2 h) n,        h_i = ETA / E[s_i^2],

with one step for each coordinate, from a running mean over walkers of the squared score, which begins at the curvature
where the walkers begin. In equilibrium E[s_i^2] is the Fisher information, so h_i is ETA times the variance of
coordinate i given the others: prior and likelihood both count (annealed Langevin: Song & Ermon 2019, arXiv:1907.05600;
the preconditioner: Li et al. 2016, arXiv:1512.07666). Then
underdamped Langevin goes on with these units.

Annealing finds modes; it does not weigh them: each chain stays in the mode that its descent led to.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jaxtyping import Array
from tqdm.auto import tqdm

from symdsm.inference.compiled import Joint
from symdsm.inference.descent import descend, relax
from symdsm.inference.fixed import ADJUSTED, fixed_level
from symdsm.inference.outcome import levels_group
from symdsm.inference.paths import RUNGS
from symdsm.inference.target import Target

__all__ = ["annealed", "cold", "langevin_descent", "stay"]

WALKERS, ETA, STEPS, MEMORY = 16, 0.1, 30, 0.95


def langevin_descent(log_joint, key, start: Array, scale: Array, rungs: Array) -> tuple[Array, Array]:
    """Walkers (walkers, d) after STEPS steps at each level of `rungs`, and 1/sqrt of their mean squared scores (d,)."""
    score = jax.vmap(jax.grad(log_joint), (0, None))
    theta = jax.vmap(lambda t: relax(log_joint, t, scale, rungs[0]))(start)

    def rung(state, at):
        u, key = at

        def move(state, key):
            theta, power = state
            g = score(theta, u)
            power = MEMORY * power + (1 - MEMORY) * jnp.mean(g**2, 0)
            h = ETA / power
            return (theta + h * g + jnp.sqrt(2 * h) * random.normal(key, theta.shape, theta.dtype), power), None

        return lax.scan(move, state, random.split(key, STEPS))[0], None

    power = jnp.maximum(jnp.mean(score(theta, rungs[0]) ** 2, 0), _curvature(log_joint, key, theta, rungs[0]))
    (theta, power), _ = lax.scan(rung, (theta, power), (rungs, random.split(key, len(rungs))))
    return theta, 1 / jnp.sqrt(power)


def _curvature(log_joint, key, theta, u):
    """|d^2 log joint / d theta_i^2|, mean over walkers by one random probe each: near a mode the score says nothing."""
    probes = random.rademacher(key, theta.shape, theta.dtype)
    along = jax.vmap(lambda t, v: jax.jvp(lambda t: jax.grad(log_joint)(t, u), (t,), (v,))[1])(theta, probes)
    return jnp.abs(jnp.mean(probes * along, 0)) + 1e-12


def cold(target: Target, joint: Joint, key, walkers: int) -> tuple[Array, Array]:
    """Starts from noise (walkers, size) and their spread."""
    start = target.starts(key, walkers, joint.value)
    return start, jnp.maximum(jnp.std(start, 0), 1e-3)


def come_down(target: Target, joint: Joint, key, chains: int, progress: bool) -> tuple[Array, Array]:
    """Walkers (at least WALKERS, size) at the lowest level, and the unit of each coordinate there."""
    key_start, key_descend = random.split(key)
    start, scale = cold(target, joint, key_start, max(WALKERS, chains))
    with tqdm(total=RUNGS + 1, disable=not progress, desc="coming down from noise", unit="level") as bar:
        if target.scores:
            end, unit = joint(langevin_descent, key_descend, start, scale, jnp.linspace(1.0, 0.0, RUNGS + 1))
            bar.set_postfix(level="0.00")
        else:
            descent = joint(descend, key_descend, start, scale)
            end, unit = descent.walkers[0], jnp.exp(descent.log_scale[0])
            bar.set_postfix(accept=f"{descent.accept.mean():.2f}", level="0.00")
        bar.update(RUNGS + 1)
    return end, unit


def annealed(target: Target, joint: Joint, options, key):
    """Down the ladder, then draws at the lowest level."""
    key_descend, key_run = random.split(key)
    walkers, scale = come_down(target, joint, key_descend, options.chains, options.progress)
    track = np.append(np.linspace(1, 0, RUNGS + 1), np.full(options.draws, -1.0))
    levels = levels_group(np.tile(track, (options.chains, 1)), RUNGS + 1)
    kernel, start = "underdamped" if target.scores else "nuts", walkers[: options.chains]
    return fixed_level(target, joint, kernel, start, scale, options, key_run, walkers=walkers, levels=levels)


def stay(target: Target, joint: Joint, kernel: str, options, key):
    """Draws at the lowest level from a cold start, without coming down.

    Where levels are free, walkers come down all the same, apart from the chains: the diagnosis asks whether they end
    where the chains are.
    """
    key_start, key_settle, key_run, key_descend = random.split(key, 4)
    walkers = come_down(target, joint, key_descend, WALKERS, options.progress)[0] if target.learned else None
    if kernel in ADJUSTED:
        start, scale = cold(target, joint, key_start, options.chains)
        scale = jnp.ones_like(scale)
    else:
        start, scale = cold(target, joint, key_start, max(WALKERS, options.chains))
        start, scale = joint(langevin_descent, key_settle, start, scale, jnp.zeros(RUNGS + 1))
    return fixed_level(target, joint, kernel, start[: options.chains], scale, options, key_run, walkers=walkers)
