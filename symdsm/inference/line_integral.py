r"""A potential from a score: the line integral from an anchor, with the score as its force.

    U(z) = -int_0^1 s(a + t (z - a)) . (z - a) dt        by Gauss-Legendre with `nodes` nodes,

single-valued whatever s is. The derivative that samplers see is -s(z). Where s is a gradient that is grad U; where s
has curl it is not, but the leapfrog map with any force that depends on position alone is reversible and keeps volume,
and a Langevin proposal may drift as it likes: Metropolis-Hastings samples exp(-U) all the same. Only then exp(-U) is
one of many densities that fit s badly, so look at `.curl`. Lines from the current point to the proposed one would not
do: under curl they are not single-valued.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PRNGKeyArray, PyTree

from symdsm.errors import ParameterError, ShapeError

__all__ = ["LinePotential", "potential_from_score"]


class LinePotential:
    """U(z) of the module docstring; made by `potential_from_score`."""

    def __init__(self, score: Callable[[PyTree], PyTree], anchor: PyTree, nodes: int):
        self._anchor, self._unravel = ravel_pytree(jax.tree.map(lambda a: jnp.asarray(a, float), anchor))
        self._score = score
        points, weights = np.polynomial.legendre.leggauss(nodes)
        self._times = jnp.asarray((points + 1) / 2, self._anchor.dtype)
        self._weights = jnp.asarray(weights / 2, self._anchor.dtype)
        self._value = jax.custom_jvp(self._integral)
        self._value.defjvp(self._with_force)

    def _flat_score(self, z: Array) -> Array:
        return ravel_pytree(self._score(self._unravel(z)))[0]

    def _integral(self, z: Array) -> Array:
        chord = z - self._anchor
        along = jax.vmap(lambda t: self._flat_score(self._anchor + t * chord))(self._times)
        return -self._weights @ (along @ chord)

    def _with_force(self, primals, tangents):
        return self._value(*primals), -self._flat_score(primals[0]) @ tangents[0]

    def __call__(self, z: PyTree) -> Array:
        """U(z), zero at the anchor; z has the anchor's structure."""
        flat = ravel_pytree(z)[0]
        if flat.shape != self._anchor.shape:
            raise ShapeError(
                given=f"a position of {flat.size} numbers",
                expected=f"{self._anchor.size}, as the anchor has",
                fix="pass an anchor and a position of the same structure",
            )
        return self._value(flat)

    def curl(self, z: PyTree, key: PRNGKeyArray, probes: int = 16) -> Array:
        """|J - J'| / (|J - J'|^2 + |J + J'|^2)^(1/2) at z, Frobenius norms by random probes.

        0 for a gradient, 1 for a pure rotation.
        """
        flat = ravel_pytree(z)[0]
        _, push = jax.linearize(self._flat_score, flat)
        pull = jax.vjp(self._flat_score, flat)[1]

        def parts(v):
            forward, backward = push(v), pull(v)[0]
            return jnp.sum((forward - backward) ** 2), jnp.sum((forward + backward) ** 2)

        odd, even = jax.vmap(parts)(random.normal(key, (probes, flat.size), flat.dtype))
        return jnp.sqrt(jnp.sum(odd) / (jnp.sum(odd) + jnp.sum(even)))


def potential_from_score(score: Callable[[PyTree], PyTree], *, anchor: PyTree, nodes: int = 16) -> LinePotential:
    """A potential energy for HMC, NUTS, MALA or BarkerMH out of a score, or of a program's factor.

    `score(z)` is grad log p at an unconstrained z of `anchor`'s structure; the anchor is any point where the score is
    trusted, best the centre of the data. Each gradient costs one score and each value `nodes` of them.

    Raises ParameterError for less than one node.
    """
    if nodes < 1:
        raise ParameterError(given=f"nodes = {nodes}", expected="at least one node", fix="try nodes=16")
    return LinePotential(score, anchor, nodes)
