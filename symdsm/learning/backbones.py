"""Backbones: what is inside a network between its input and its output; here those for events without structure.

A backbone is made for an event's shape, a number of `heads`, and `contexts` entries of context (0 for none); it maps
one event v, the level's coordinate u in [0, 1] and the context c, if any, to (heads, *v.shape). Here, v flat:

    e = embedding(u) (+ embedding(c)),      h = first(v, c),      h <- block(h, e) ...,      last(silu(h))

Each block is scaled and shifted by e (FiLM; Perez et al. 2018). Activations are smooth, so that gradients in v and in
u are, too.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

__all__ = ["EMBEDDING", "MLP", "Embedding", "Modulated"]

WAVES, EMBEDDING = 6, 64


class LevelEmbedding(eqx.Module):
    """A few slow waves of u through two layers; slow, because energies are differentiated in u."""

    first: eqx.nn.Linear
    second: eqx.nn.Linear

    def __init__(self, size: int, *, key: PRNGKeyArray):
        one, two = jax.random.split(key)
        self.first = eqx.nn.Linear(1 + 2 * WAVES, size, key=one)
        self.second = eqx.nn.Linear(size, size, key=two)

    def __call__(self, u):
        phase = jnp.arange(1, WAVES + 1, dtype=u.dtype) * (math.pi / 2) * u
        waves = jnp.concatenate([jnp.stack([2.0 * u - 1.0]), jnp.cos(phase), jnp.sin(phase)])
        return jax.nn.silu(self.second(jax.nn.silu(self.first(waves))))


class Embedding(eqx.Module):
    """e(u) + e(c) of size EMBEDDING; the second term only with a context of `contexts` > 0 entries."""

    level: LevelEmbedding
    context: eqx.nn.MLP | None

    def __init__(self, contexts: int, *, key: PRNGKeyArray):
        self.level = LevelEmbedding(EMBEDDING, key=key)
        silu = jax.nn.silu
        inner = jax.random.fold_in(key, 1)
        self.context = eqx.nn.MLP(contexts, EMBEDDING, 2 * EMBEDDING, 2, silu, silu, key=inner) if contexts else None

    def __call__(self, u: Array, c: Array | None = None) -> Array:
        """(EMBEDDING,) from the level's coordinate and the flat context."""
        e = self.level(u)
        return e if self.context is None else e + self.context(c)


class Modulated(eqx.Module):
    """h -> Linear, scaled and shifted by e, silu, linear; from `width` numbers to as many."""

    inner: eqx.nn.Linear
    film: eqx.nn.Linear
    outer: eqx.nn.Linear

    def __init__(self, width: int, *, key: PRNGKeyArray):
        a, b, c = jax.random.split(key, 3)
        self.inner = eqx.nn.Linear(width, width, key=a)
        self.film = eqx.nn.Linear(EMBEDDING, 2 * width, key=b)
        self.outer = eqx.nn.Linear(width, width, key=c)

    def __call__(self, h: Array, e: Array) -> Array:
        """(width,) from h (width,) and e (EMBEDDING,)."""
        scale, shift = jnp.split(self.film(e), 2)
        return self.outer(jax.nn.silu(self.inner(h) * (1.0 + scale) + shift))


class MLP(eqx.Module):
    """h <- block(h, e), or with `residual` h <- h + block(h, e), `depth` times, between two linear maps."""

    embedding: Embedding
    first: eqx.nn.Linear
    blocks: list[Modulated]
    last: eqx.nn.Linear
    residual: bool = eqx.field(static=True)

    def __init__(
        self,
        event: tuple[int, ...],
        heads: int,
        contexts: int,
        width: int,
        depth: int,
        *,
        key: PRNGKeyArray,
        residual: bool = False,
    ):
        keys, size = jax.random.split(key, depth + 3), math.prod(event)
        self.embedding = Embedding(contexts, key=keys[0])
        self.first = eqx.nn.Linear(size + contexts, width, key=keys[1])
        self.last = eqx.nn.Linear(width, heads * size, key=keys[2])
        self.blocks = [Modulated(width, key=k) for k in keys[3:]]
        self.residual = residual

    def __call__(self, v: Array, u: Array, c: Array | None = None) -> Array:
        """(heads, *v.shape) for one event v, the level's coordinate u and the context c."""
        c = None if c is None else jnp.ravel(c)
        h = self.first(jnp.ravel(v) if c is None else jnp.concatenate([jnp.ravel(v), c]))
        e = self.embedding(u, c)
        for block in self.blocks:
            h = block(h, e) + (h if self.residual else 0.0)
        return self.last(jax.nn.silu(h)).reshape(-1, *v.shape)
