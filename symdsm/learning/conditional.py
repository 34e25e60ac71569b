"""A network that also sees a context c: densities q(y | c; level).

With pairs (x, c) and noise that ignores c, y ~ p(y | x; u), every objective stays as it is, since for each c

    grad log q(y | c; u) = E[grad log p(y | x; u) | y, c],

and a network that may use c attains it (Batzolis et al., Conditional image generation with score-based diffusion
models, 2021, theorem 1). The context is bound to the network, `given(potential, c)`, and everything else goes on as
without one; it arrives there standardised by the data's mean and sd.

The dual objective leaves one constant for each c. It is found at the most noise, where q(y | c) is close to the mixture
r(y) = mean_i p(y | x_i; u = 1), by importance sampling from r:

    log Z(c) = log mean_j exp(-E(y_j, 1, c)) / r(y_j),     y_j ~ r.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from symdsm.learning.normalise import mixture_log_prob
from symdsm.learning.potentials import EnergyPotential, given

__all__ = ["log_normaliser"]

_DRAWS = 1024


def log_normaliser(potential: EnergyPotential, clean: Array, contexts: Array) -> Array:
    """log Z(c) for each of `contexts` (n, *context); `clean` (rows, *event) are data in the potential's coordinates."""
    one = jnp.ones((), clean.dtype)
    rows, noise = jax.random.split(jax.random.key(0))
    x = clean[jax.random.randint(rows, (_DRAWS,), 0, len(clean))]
    y = jax.vmap(potential.noise.sample, (0, 0, None))(jax.random.split(noise, _DRAWS), x, one)
    log_r = jax.lax.map(lambda v: mixture_log_prob(potential.noise, v, clean, one), y, batch_size=16)

    def at(context):
        energies = jax.vmap(given(potential, context).energy, (0, None))(y, one)
        return jax.nn.logsumexp(-energies - log_r) - jnp.log(_DRAWS)

    return jax.lax.map(at, contexts)
