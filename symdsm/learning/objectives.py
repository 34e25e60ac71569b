"""What is minimised, one clean event and one level at a time.

With D any derivative that may be taken under the integral q(y) = integral p(x) p(y | x) dx,

    D log q(y) = E[D log p(y | x) | y],

so regression on D log p(y | x), which the kernel knows, has the same minimiser as regression on D log q,
which nobody knows (Vincent 2011 for the gradient; Guth, Kadkhodaie & Simoncelli 2025 for the level):

    dsm     1/2 ||s(y, u) - grad log p(y | x; u)||^2 / I_y(u)
    dual    dsm + 1/2 (-dE/du (y, u) - d/du log p(y | x; u))^2 / I_u(u)

I_y and I_u are the kernel's Fisher informations **averaged over the data**: the size of the targets. A weight
may depend on the level, never on the clean x: w(x) would move the minimiser to E[w D log p | y] / E[w | y].

Every objective has one signature, `objective(potential, key, x, u) -> loss`, unbatched; training maps it over
a batch.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.potentials import EnergyPotential, Potential

__all__ = ["OBJECTIVES", "dsm", "dual"]


def dsm(potential: Potential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
    """Denoising score matching; 1/2 at a network that predicts nothing. Scalar."""
    y, target = potential.noise.target(key, x, u)
    miss = potential.score(y, u) - target
    return 0.5 * jnp.sum(miss**2) * jnp.exp(-potential.scaling.log_fisher(u))


def dual(potential: EnergyPotential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
    """Dual score matching: gradient and level derivative of one energy; 1 at a constant energy. Scalar."""
    y, target, level_target = potential.noise.dual_target(key, x, u)
    score, level_score = potential.scores(y, u)
    in_y = jnp.sum((score - target) ** 2) * jnp.exp(-potential.scaling.log_fisher(u))
    in_u = (level_score - level_target) ** 2 * jnp.exp(-potential.scaling.log_level_fisher(u))
    return 0.5 * (in_y + in_u)


OBJECTIVES: dict[str, Callable[[Potential, PRNGKeyArray, Array, Array], Array]] = {"dsm": dsm, "dual": dual}
