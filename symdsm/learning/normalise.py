"""The one constant, and the free function of the level.

The dual objective determines E(y, u) up to one constant for all levels. Two steps settle it after training.

**Level.** The true density has E_q[d/du log q] = 0 at every level. Adding a(u) to the energy, the objective's
optimum in a is closed form, a'(u) = -E_q[dE/du], a least-squares problem in one dimension that training
solves only with noise; it is solved on noised data at Chebyshev nodes and integrated. The kernel's own level score
t = d/du log p(y | x; u) has mean zero for each x, and where the noise is large -dE/du is close to it: the mean is taken
of -dE/du - beta t, with the beta(u) that leaves the least variance. Without it the constant of n draws errs by about
sqrt(2 d/n) for each e-fold of a normal kernel's sigma.

**Anchor.** At the largest level p is smooth, the data are many compared to its detail, and the mixture

    log q(y; u = 1)  ~  log mean_i p(y | x_i; u = 1)

is known. The constant is the mean over noised data of this plus E(y, 1).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.curves import Curve, nodes
from symdsm.learning.noise import Noise
from symdsm.learning.potentials import EnergyPotential, given

__all__ = ["anchored", "level_balanced", "mixture_log_prob"]

_LEVELS, _DRAWS, _DEGREE, _CENTRES = 48, 4096, 20, 4096


def mixture_log_prob(noise: Noise, y: Array, data: Array, u: Array) -> Array:
    """log mean_i p(y | x_i; u) of one event y over the rows x_i of `data`; scalar."""
    parts = jax.vmap(noise.log_prob, (None, 0, None))(y, data, u)
    return jax.nn.logsumexp(parts) - jnp.log(len(data))


def _draws(key, data, n):
    """n rows of each array in `data` and n keys, the same for every level so that what is measured is smooth in it."""
    rows, keys = jax.random.split(key)
    at = jax.random.randint(rows, (n,), 0, len(jax.tree.leaves(data)[0]))
    return jax.tree.map(lambda a: a[at], data), jax.random.split(keys, n)


def level_balanced(
    potential: EnergyPotential, data: Array, key: PRNGKeyArray, draws=_DRAWS, context: Array | None = None
) -> EnergyPotential:
    """The same energy with its mean level score at zero on noised data (and their contexts), at every level."""
    rows, keys = _draws(key, (data, context), draws)

    @eqx.filter_jit
    def slope(potential, u):
        def one(key, row):
            x, c = row
            y, _, target = potential.noise.dual_target(key, x, u)
            return jax.grad(given(potential, c).energy, argnums=1)(y, u), target

        found, known = jax.lax.map(lambda a: one(*a), (keys, rows), batch_size=512)
        beta = jnp.mean(found * known) / jnp.mean(known**2)
        return jnp.mean(found) - beta * jnp.mean(known)

    u = nodes(_LEVELS)
    slopes = np.asarray([slope(potential, jnp.asarray(t, data.dtype)) for t in u])
    correction = Curve.with_slope(u, -slopes, _DEGREE)
    return eqx.tree_at(lambda p: p.offset, potential, potential.offset + correction)


def anchored(potential: EnergyPotential, data: Array, key: PRNGKeyArray) -> EnergyPotential:
    """The same energy with its constant set at the most noise, so that -E is a normalised log density."""
    rows, draws = jax.random.split(key)
    centres = data if len(data) <= _CENTRES else data[jax.random.permutation(rows, len(data))[:_CENTRES]]
    x, keys = _draws(draws, data, 1024)

    @eqx.filter_jit
    def gap(potential):
        one = jnp.ones((), data.dtype)

        def at(key, x):
            y = potential.noise.sample(key, x, one)
            return mixture_log_prob(potential.noise, y, centres, one) + potential.energy(y, one)

        return jnp.mean(jax.lax.map(lambda a: at(*a), (keys, x), batch_size=16))

    return eqx.tree_at(lambda p: p.offset, potential, potential.offset.shifted(-gap(potential)))
