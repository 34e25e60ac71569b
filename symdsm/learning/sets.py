"""A network for sets: events (members, *features) whose order means nothing.

    h_i = first(v_i),    h_i <- h_i + block(h_i + pool(h), e)  `depth` times,    out_i = last(silu(h_i))

pool(h) is a linear map of the members' mean and their log mean exp, so that every operation is the same for all
members: out moves with a permutation of the members (equivariant), and sums over them do not change (invariant): the
energy <v, F(v)> - |G(v)|^2 / 2 of an equivariant pair is invariant. Scores and denoisers are equivariant, as
gradients of invariant densities are. The number of members is free at run time.

Zaheer et al., Deep sets (2017), arXiv 1703.06114: with sums over members such networks are universal.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import ShapeError
from symdsm.learning.backbones import Embedding, Modulated

__all__ = ["DeepSet"]


class DeepSet(eqx.Module):
    """One set v of (members, *features) -> (heads, *v.shape); see the module. `ShapeError` for scalars."""

    embedding: Embedding
    first: eqx.nn.Linear
    pools: list[eqx.nn.Linear]
    blocks: list[Modulated]
    last: eqx.nn.Linear
    heads: int = eqx.field(static=True)

    def __init__(self, event: tuple[int, ...], heads: int, contexts: int, width: int, depth: int, *, key: PRNGKeyArray):
        if not event:
            raise ShapeError(
                given='backbone="set" for scalar events',
                expected="events of shape (members, *features)",
                fix='give the events a first axis of members, or use backbone="residual"',
            )
        features = math.prod(event[1:])
        keys = iter(jax.random.split(key, 2 * depth + 3))
        self.embedding = Embedding(contexts, key=next(keys))
        self.first = eqx.nn.Linear(features, width, key=next(keys))
        self.pools = [eqx.nn.Linear(2 * width, width, key=next(keys)) for _ in range(depth)]
        self.blocks = [Modulated(width, key=next(keys)) for _ in range(depth)]
        self.last = eqx.nn.Linear(width, heads * features, key=next(keys))
        self.heads = heads

    def __call__(self, v: Array, u: Array, c: Array | None = None) -> Array:
        """(heads, *v.shape) for one set v, the level's coordinate u and the context c."""
        e = self.embedding(u, None if c is None else jnp.ravel(c))
        h = jax.vmap(self.first)(v.reshape(len(v), -1))
        for pool, block in zip(self.pools, self.blocks, strict=True):
            of_all = jnp.concatenate([h.mean(0), jax.nn.logsumexp(h, 0) - math.log(len(v))])
            h = h + jax.vmap(block, (0, None))(h + pool(of_all), e)
        out = jax.vmap(self.last)(jax.nn.silu(h)).reshape(len(v), self.heads, -1)
        return jnp.moveaxis(out, 1, 0).reshape(self.heads, *v.shape)
