"""Flax NNX modules as networks.

An NNX module is an object that holds its arrays; `flax.nnx.split` takes it apart into a description and the arrays,
`merge` puts it together. Here the description is static and the arrays are a PyTree, so that training, saving and
sharding treat them as those of any Equinox module. Flax is imported when it is first used.
"""

from typing import Any

import equinox as eqx
from jaxtyping import Array

from symdsm.errors import ParameterError
from symdsm.learning.networks import AbstractDenoiser, AbstractEnergy, AbstractScore

__all__ = ["from_flax"]


class _Parts(eqx.Module):
    """A module taken apart; calling it calls the module."""

    description: Any = eqx.field(static=True)
    arrays: Any

    def __call__(self, *given):
        from flax import nnx

        return nnx.merge(self.description, self.arrays)(*given)


class _Called(eqx.Module):
    """What the three kinds share: the module, called on one event."""

    module: _Parts
    event_shape: tuple[int, ...] = eqx.field(static=True)
    context_shape: tuple[int, ...] | None = eqx.field(static=True)
    angles: bool = eqx.field(static=True)

    def __call__(self, x: Array, level: Array, context: Array | None = None) -> Array:
        """What the module returns for one event."""
        return self.module(x, level) if context is None else self.module(x, level, context)


class FlaxEnergy(_Called, AbstractEnergy):
    """An energy by Flax."""


class FlaxScore(_Called, AbstractScore):
    """A score by Flax."""


class FlaxDenoiser(_Called, AbstractDenoiser):
    """A denoiser by Flax."""


_KINDS = {"energy": FlaxEnergy, "score": FlaxScore, "denoiser": FlaxDenoiser}


def from_flax(
    module: Any,
    event_shape: tuple[int, ...],
    *,
    kind: str = "energy",
    context_shape: tuple[int, ...] | None = None,
    angles: bool = False,
) -> FlaxEnergy | FlaxScore | FlaxDenoiser:
    """A `flax.nnx.Module` as a network for `sd.fit`.

    **Arguments**: `module`, called as module(v, u), or module(v, u, c) with a context, on one event v of
    `event_shape`; `kind` is what it returns: "energy" (a scalar), "score" or "denoiser" (of v's shape).
    `angles` says that it has the period 2 pi in each entry of v, as kernels on the circle ask.

    Raises `ParameterError` for another kind, or an object that is no NNX module.
    """
    from flax import nnx

    if kind not in _KINDS or not isinstance(module, nnx.Module):
        raise ParameterError(
            given=f"a {type(module).__name__} as kind={kind!r}",
            expected=f"a flax.nnx.Module as one of {sorted(_KINDS)}",
            fix='write sd.from_flax(module, event_shape, kind="score"), say',
        )
    shape = None if context_shape is None else tuple(context_shape)
    parts = _Parts(*nnx.split(module))
    return _KINDS[kind](module=parts, event_shape=tuple(event_shape), context_shape=shape, angles=angles)
