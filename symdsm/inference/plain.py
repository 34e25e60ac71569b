"""NumPyro's NUTS at the lowest level: for programs without a learned prior, and as a contrast for those with one.

A learned prior starts from noise at its largest level. On a learned energy this is the way that fails silently: far
from data an energy at the lowest level means nothing, and chains can settle there with a perfect R-hat.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from numpyro.infer import MCMC, NUTS

from symdsm.inference.outcome import posterior_tree
from symdsm.inference.target import Target

__all__ = ["plain_nuts"]


def plain_nuts(target: Target, key, chains: int, draws: int, warmup: int, progress: bool, note: str):
    """NUTS on the unconstrained program at the lowest level, chains vectorised."""

    def potential(theta):
        return -target.log_joint(theta, jnp.zeros(()))

    key_start, key_run = random.split(key)
    start = target.starts(key_start, chains, jax.jit(lambda theta, u: target.log_joint(theta, u)))
    mcmc = MCMC(
        NUTS(potential_fn=potential),
        num_warmup=warmup,
        num_samples=draws,
        num_chains=chains,
        chain_method="vectorized",
        progress_bar=progress,
    )
    fields = ("potential_energy", "accept_prob", "diverging", "num_steps")
    mcmc.run(key_run, init_params=start if chains > 1 else start[0], extra_fields=fields)
    theta = mcmc.get_samples(group_by_chain=True)
    extra = {name: np.asarray(value) for name, value in mcmc.get_extra_fields(group_by_chain=True).items()}
    stats = {
        "acceptance_rate": extra["accept_prob"],
        "diverging": extra["diverging"],
        "lp": -extra["potential_energy"],
        "n_steps": extra["num_steps"],
    }
    return posterior_tree(target, theta, stats, {"method": "nuts", "partial": 0, "note": note})
