"""Networks: energies, scores, denoisers. Which of the three a network is, its type says.

A network never sees raw data. `symdsm.learning.fit` gives it the noisy event in its own units (mean 0, sd 1,
bounded) and the level as a coordinate u in [0, 1], and scales what it returns (`symdsm.learning.potentials`).
One event at a time, without batch axes:

    energy(v, u)    -> scalar       added to the kernel's tail; the score is minus its gradient
    score(v, u)     -> like v       added to the tail's score
    denoiser(v, u)  -> like v       added to the linear estimate of x from y

Any Equinox module with that call trains too: subclass `AbstractEnergy`, `AbstractScore` or `AbstractDenoiser`
so that its type tells what it returns.

The energy ends in products, <v, F(v, u)> - |G(v, u)|^2 / 2 with F and G from one backbone. A denoiser's
energy |v - D|^2 / 2 has this form, and its gradient needs one pass of the backbone in the rough size that F
has (Salimans & Ho, Should EBMs model the energy or the score?, 2021; Du et al., Reduce, Reuse, Recycle,
2023). Activations are smooth, so that gradients in v and in u are, too.
"""

import math
from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import ParameterError

__all__ = [
    "MLP",
    "AbstractDenoiser",
    "AbstractEnergy",
    "AbstractScore",
    "Architecture",
    "Denoiser",
    "Energy",
    "ResidualMLP",
    "Score",
]


class AbstractEnergy(eqx.Module):
    """A network that returns a scalar energy. To implement one: a field `event_shape`, and `__call__`."""

    event_shape: eqx.AbstractVar[tuple[int, ...]]

    @abstractmethod
    def __call__(self, x: Array, level: Array) -> Array:
        """Energy of one event; scalar."""


class AbstractScore(eqx.Module):
    """A network that returns a score. To implement one: a field `event_shape`, and `__call__`."""

    event_shape: eqx.AbstractVar[tuple[int, ...]]

    @abstractmethod
    def __call__(self, x: Array, level: Array) -> Array:
        """Score of one event, of its shape."""


class AbstractDenoiser(eqx.Module):
    """A network that returns E[x | y]. To implement one: a field `event_shape`, and `__call__`."""

    event_shape: eqx.AbstractVar[tuple[int, ...]]

    @abstractmethod
    def __call__(self, x: Array, level: Array) -> Array:
        """Estimate of the clean event, of the noisy event's shape."""


_WAVES, _EMBEDDING = 6, 64


class _LevelEmbedding(eqx.Module):
    """A few slow waves of u through two layers; slow, because energies are differentiated in u."""

    first: eqx.nn.Linear
    second: eqx.nn.Linear

    def __init__(self, size: int, *, key: PRNGKeyArray):
        one, two = jax.random.split(key)
        self.first = eqx.nn.Linear(1 + 2 * _WAVES, size, key=one)
        self.second = eqx.nn.Linear(size, size, key=two)

    def __call__(self, u):
        phase = jnp.arange(1, _WAVES + 1, dtype=u.dtype) * (math.pi / 2) * u
        waves = jnp.concatenate([jnp.stack([2.0 * u - 1.0]), jnp.cos(phase), jnp.sin(phase)])
        return jax.nn.silu(self.second(jax.nn.silu(self.first(waves))))


class _Modulated(eqx.Module):
    """Linear, scaled and shifted by the level, silu, linear."""

    inner: eqx.nn.Linear
    film: eqx.nn.Linear
    outer: eqx.nn.Linear

    def __init__(self, width: int, *, key: PRNGKeyArray):
        a, b, c = jax.random.split(key, 3)
        self.inner = eqx.nn.Linear(width, width, key=a)
        self.film = eqx.nn.Linear(_EMBEDDING, 2 * width, key=b)
        self.outer = eqx.nn.Linear(width, width, key=c)

    def __call__(self, h, e):
        scale, shift = jnp.split(self.film(e), 2)
        return self.outer(jax.nn.silu(self.inner(h) * (1.0 + scale) + shift))


class ResidualMLP(eqx.Module):
    """h <- h + block(h, u), `depth` times, between two linear maps: (inputs,) -> (outputs,)."""

    embedding: _LevelEmbedding
    first: eqx.nn.Linear
    blocks: list[_Modulated]
    last: eqx.nn.Linear

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, *, key: PRNGKeyArray):
        keys = jax.random.split(key, depth + 3)
        self.embedding = _LevelEmbedding(_EMBEDDING, key=keys[0])
        self.first = eqx.nn.Linear(inputs, width, key=keys[1])
        self.last = eqx.nn.Linear(width, outputs, key=keys[2])
        self.blocks = [_Modulated(width, key=k) for k in keys[3:]]

    def __call__(self, v: Array, u: Array) -> Array:
        e = self.embedding(u)
        h = self.first(v)
        for block in self.blocks:
            h = h + block(h, e)
        return self.last(jax.nn.silu(h))


class MLP(eqx.Module):
    """Plain layers, each scaled and shifted by the level: (inputs,) -> (outputs,)."""

    embedding: _LevelEmbedding
    first: eqx.nn.Linear
    blocks: list[_Modulated]
    last: eqx.nn.Linear

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, *, key: PRNGKeyArray):
        keys = jax.random.split(key, depth + 3)
        self.embedding = _LevelEmbedding(_EMBEDDING, key=keys[0])
        self.first = eqx.nn.Linear(inputs, width, key=keys[1])
        self.last = eqx.nn.Linear(width, outputs, key=keys[2])
        self.blocks = [_Modulated(width, key=k) for k in keys[3:]]

    def __call__(self, v: Array, u: Array) -> Array:
        e = self.embedding(u)
        h = self.first(v)
        for block in self.blocks:
            h = block(h, e)
        return self.last(jax.nn.silu(h))


_BACKBONES = {"residual": ResidualMLP, "mlp": MLP}


class Architecture(NamedTuple):
    """What rebuilds a network's shape: enough to read a saved one back."""

    event_shape: tuple[int, ...]
    width: int
    depth: int
    backbone: str

    def build(self, heads: int, key: PRNGKeyArray) -> eqx.Module:
        """A backbone with `heads` outputs for each entry of the event."""
        if self.backbone not in _BACKBONES:
            raise ParameterError(
                given=f"backbone={self.backbone!r}",
                expected=f"one of {sorted(_BACKBONES)}",
                fix="leave it out, or pass an Equinox module of your own as the network",
            )
        size = math.prod(self.event_shape)
        return _BACKBONES[self.backbone](size, heads * size, self.width, self.depth, key=key)


class Energy(AbstractEnergy):
    """<v, F(v, u)> - |G(v, u)|^2 / 2; the default network, and the one that Metropolis samplers need.

    **Arguments**: `event_shape`, the shape of one noisy event; `key`; `width` and `depth` of the `backbone`
    ("residual" or "mlp"). Raises `ParameterError` for an unknown backbone.
    """

    event_shape: tuple[int, ...] = eqx.field(static=True)
    architecture: Architecture = eqx.field(static=True)
    backbone: eqx.Module

    def __init__(
        self,
        event_shape: tuple[int, ...],
        *,
        key: PRNGKeyArray,
        width: int = 128,
        depth: int = 2,
        backbone: str = "residual",
    ):
        self.event_shape = tuple(event_shape)
        self.architecture = Architecture(self.event_shape, width, depth, backbone)
        self.backbone = self.architecture.build(2, key)

    def __call__(self, x: Array, level: Array) -> Array:
        """Energy of one event x of `event_shape` at one level coordinate; scalar."""
        v = jnp.ravel(x)
        pull, push = jnp.split(self.backbone(v, level), 2)
        return jnp.sum(v * pull) - 0.5 * jnp.sum(push**2)


class Score(AbstractScore):
    """F(v, u), free to have a curl: for unadjusted samplers and generation. Arguments as for `Energy`."""

    event_shape: tuple[int, ...] = eqx.field(static=True)
    architecture: Architecture = eqx.field(static=True)
    backbone: eqx.Module

    def __init__(
        self,
        event_shape: tuple[int, ...],
        *,
        key: PRNGKeyArray,
        width: int = 128,
        depth: int = 2,
        backbone: str = "residual",
    ):
        self.event_shape = tuple(event_shape)
        self.architecture = Architecture(self.event_shape, width, depth, backbone)
        self.backbone = self.architecture.build(1, key)

    def __call__(self, x: Array, level: Array) -> Array:
        """Score of one event x of `event_shape` at one level coordinate; of x's shape."""
        return self.backbone(jnp.ravel(x), level).reshape(self.event_shape)


class Denoiser(AbstractDenoiser):
    """D(v, u), an estimate of E[x | y]; its score is the kernel's score at x = D. Arguments as for `Energy`.

    That holds for kernels whose score is affine in x (Gaussian noise); `fit` refuses the others.
    """

    event_shape: tuple[int, ...] = eqx.field(static=True)
    architecture: Architecture = eqx.field(static=True)
    backbone: eqx.Module

    def __init__(
        self,
        event_shape: tuple[int, ...],
        *,
        key: PRNGKeyArray,
        width: int = 128,
        depth: int = 2,
        backbone: str = "residual",
    ):
        self.event_shape = tuple(event_shape)
        self.architecture = Architecture(self.event_shape, width, depth, backbone)
        self.backbone = self.architecture.build(1, key)

    def __call__(self, x: Array, level: Array) -> Array:
        """Clean event estimated from one noisy event x at one level coordinate; of x's shape."""
        return self.backbone(jnp.ravel(x), level).reshape(self.event_shape)
