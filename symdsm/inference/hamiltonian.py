"""One step of Hamiltonian Monte Carlo with unit mass (Duane et al. 1987; Neal 2011, arXiv:1206.1901).

    r ~ N(0, I);  n leapfrog steps of size h;  accept with probability min(1, exp(H(q, r) - H(q', r'))),
    H(q, r) = V(q) + |r|^2 / 2.

A proposal whose energy is not a number is rejected, and counts as diverging as does one whose energy grows by 1000.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, PRNGKeyArray

__all__ = ["Move", "hmc"]


class Move(NamedTuple):
    """The new position, its potential and gradient, the acceptance probability, whether the path diverged, and the
    total energy that it started with.
    """

    q: Array
    potential: Array
    grad: Array
    accept: Array
    diverging: Array
    energy: Array


def hmc(key: PRNGKeyArray, q: Array, step: Array, n: Array, potential: Callable[[Array], Array]) -> Move:
    """One transition from q (d,) with n leapfrog steps of size `step` under `potential`."""
    momentum, uniform = random.split(key)
    value_and_grad = jax.value_and_grad(potential)
    r = random.normal(momentum, q.shape, q.dtype)
    zero = jnp.zeros((), q.dtype)

    def leapfrog(i, state):
        """Drift, then kick; the 0-th only evaluates; first and last kicks are halves (one call site compiles fast)."""
        (q, r, _, _), start = state
        q = q + jnp.where(i > 0, step, zero) * r
        v, g = value_and_grad(q)
        start = jax.tree.map(lambda now, then: jnp.where(i == 0, now, then), (v, g), start)
        return (q, r - jnp.where((i > 0) & (i < n), step, step / 2) * g, v, g), start

    blank = zero, jnp.zeros_like(q)
    (q1, r1, v1, g1), (v, g) = lax.fori_loop(0, n + 1, leapfrog, ((q, r, *blank), blank))
    energy = v + jnp.sum(r**2) / 2
    log_ratio = energy - v1 - jnp.sum(r1**2) / 2
    log_ratio = jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio)
    accept = jnp.exp(jnp.minimum(log_ratio, 0.0))
    q, v, g = jax.tree.map(
        lambda new, old: jnp.where(random.uniform(uniform) < accept, new, old), (q1, v1, g1), (q, v, g)
    )
    return Move(q, v, g, accept, log_ratio < -1000, energy)
