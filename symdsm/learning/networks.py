"""Networks: energies, scores, denoisers. Which of the three a network is, its type says.

A network never sees raw data. `symdsm.learning.fit` gives it the noisy event in its own units (mean 0, sd 1,
bounded) and the level as a coordinate u in [0, 1], and scales what it returns (`symdsm.learning.potentials`).
One event at a time, without batch axes:

    energy(v, u)    -> scalar       added to the kernel's tail; the score is minus its gradient
    score(v, u)     -> like v       added to the tail's score
    denoiser(v, u)  -> like v       added to the linear estimate of x from y

Of an angle the own units are radians on a circle (`symdsm.learning.circle`), and a network must have their period:
with `angles` the networks here take each entry v as the pair (cos v, sin v), and a score is the part along the circle,
F_2 cos v - F_1 sin v, of what the backbone makes of it. `fit` builds them so for a kernel with a period.

A network with a `context_shape` is called with the context, standardised, as a third argument. Any Equinox module
with that call trains too: subclass `AbstractEnergy`, `AbstractScore` or `AbstractDenoiser` so that its type tells
what it returns.

The energy ends in products, <v, F(v, u)> - |G(v, u)|^2 / 2 with F and G from one backbone. A denoiser's
energy |v - D|^2 / 2 has this form, and its gradient needs one pass of the backbone in the rough size that F
has (Salimans & Ho, Should EBMs model the energy or the score?, 2021; Du et al., Reduce, Reuse, Recycle,
2023). Activations are smooth, so that gradients in v and in u are, too.
"""

import math
from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import ParameterError
from symdsm.learning.backbones import MLP
from symdsm.learning.convolutions import UNet
from symdsm.learning.sets import DeepSet

__all__ = [
    "AbstractDenoiser",
    "AbstractEnergy",
    "AbstractScore",
    "Architecture",
    "Denoiser",
    "Energy",
    "Score",
    "on_circle",
]


class AbstractEnergy(eqx.Module):
    """A network that returns a scalar energy. To implement one: a field `event_shape` and `__call__`.

    With a field `context_shape` other than None the third argument is the context, else the call has two. With
    `exchangeable` True members along the first axis of the event have no order, and get the same scales. With `angles`
    True it has the period 2 pi in each entry of the event, which kernels on the circle ask for.
    """

    event_shape: eqx.AbstractVar[tuple[int, ...]]
    context_shape = None
    exchangeable = False
    angles = False

    @abstractmethod
    def __call__(self, x: Array, level: Array, context: Array | None = None) -> Array:
        """Energy of one event; scalar."""


class AbstractScore(eqx.Module):
    """A network that returns a score. To implement one: a field `event_shape` and `__call__`.

    With a field `context_shape` other than None the third argument is the context, else the call has two. With
    `exchangeable` True members along the first axis of the event have no order, and get the same scales. With `angles`
    True it has the period 2 pi in each entry of the event, which kernels on the circle ask for.
    """

    event_shape: eqx.AbstractVar[tuple[int, ...]]
    context_shape = None
    exchangeable = False
    angles = False

    @abstractmethod
    def __call__(self, x: Array, level: Array, context: Array | None = None) -> Array:
        """Score of one event, of its shape."""


class AbstractDenoiser(eqx.Module):
    """A network that returns E[x | y]. To implement one: a field `event_shape` and `__call__`.

    With a field `context_shape` other than None the third argument is the context, else the call has two. With
    `exchangeable` True members along the first axis of the event have no order, and get the same scales. With `angles`
    True it has the period 2 pi in each entry of the event, which kernels on the circle ask for.
    """

    event_shape: eqx.AbstractVar[tuple[int, ...]]
    context_shape = None
    exchangeable = False
    angles = False

    @abstractmethod
    def __call__(self, x: Array, level: Array, context: Array | None = None) -> Array:
        """Estimate of the clean event, of the noisy event's shape."""


class Architecture(NamedTuple):
    """What rebuilds a network's shape: enough to read a saved one back."""

    event_shape: tuple[int, ...]
    width: int
    depth: int
    backbone: str
    context_shape: tuple[int, ...] | None = None
    angles: bool = False

    def options(self) -> dict[str, Any]:
        """Arguments of the network, without those left at their defaults."""
        return {
            k: v for k, v in self._asdict().items() if k not in self._field_defaults or v != self._field_defaults[k]
        }

    @property
    def seen(self) -> tuple[int, ...]:
        """Shape of what the backbone sees of one event: pairs for angles, which an image has as two channels each."""
        if not self.angles:
            return self.event_shape
        if self.backbone == "unet" and len(self.event_shape) == 3:
            return (*self.event_shape[:2], 2 * self.event_shape[2])
        return (*self.event_shape, 2)

    def shown(self, v: Array) -> Array:
        """One event as the backbone sees it."""
        return jnp.stack([jnp.cos(v), jnp.sin(v)], -1).reshape(self.seen) if self.angles else v

    def along(self, v: Array, out: Array) -> Array:
        """What one head of the backbone says of the entries of v: of pairs, the part along the circle."""
        if not self.angles:
            return out
        first, second = jnp.moveaxis(out.reshape(*self.event_shape, 2), -1, 0)
        return second * jnp.cos(v) - first * jnp.sin(v)

    def build(self, heads: int, key: PRNGKeyArray) -> eqx.Module:
        """A backbone with `heads` outputs for each entry of the event."""
        if self.backbone not in _BACKBONES:
            raise ParameterError(
                given=f"backbone={self.backbone!r}",
                expected=f"one of {sorted(_BACKBONES)}",
                fix="leave it out, or pass an Equinox module of your own as the network",
            )
        contexts = 0 if self.context_shape is None else math.prod(self.context_shape)
        return _BACKBONES[self.backbone](self.seen, heads, contexts, self.width, self.depth, key=key)


_BACKBONES = {"residual": partial(MLP, residual=True), "mlp": MLP, "unet": UNet, "set": DeepSet}


def _shape(shape) -> tuple[int, ...] | None:
    return None if shape is None else tuple(shape)


class _Built(eqx.Module):
    """A backbone with `heads` outputs for each entry, and the description that rebuilds it."""

    event_shape: tuple[int, ...] = eqx.field(static=True)
    context_shape: tuple[int, ...] | None = eqx.field(static=True)
    architecture: Architecture = eqx.field(static=True)
    backbone: eqx.Module
    heads: ClassVar[int] = 1

    @property
    def exchangeable(self) -> bool:
        """Whether members along the first axis have no order."""
        return self.architecture.backbone == "set"

    @property
    def angles(self) -> bool:
        """Whether the entries of the event are angles."""
        return self.architecture.angles

    def __init__(
        self,
        event_shape: tuple[int, ...],
        *,
        key: PRNGKeyArray,
        width: int = 128,
        depth: int = 2,
        backbone: str = "residual",
        context_shape: tuple[int, ...] | None = None,
        angles: bool = False,
    ):
        self.event_shape, self.context_shape = tuple(event_shape), _shape(context_shape)
        self.architecture = Architecture(self.event_shape, width, depth, backbone, self.context_shape, angles)
        self.backbone = self.architecture.build(self.heads, key)


class Energy(_Built, AbstractEnergy):
    """<v, F(v, u)> - |G(v, u)|^2 / 2; the default network, and the one that Metropolis samplers need.

    **Arguments**: `event_shape`, the shape of one noisy event; `key`; `context_shape` for a density given a context;
    and the `backbone` with its `width` and `depth`:

    - "residual", "mlp": layers of `width` (`symdsm.learning.backbones`);
    - "unet": images (H, W) or (H, W, C), `width` channels at full size, sides halved `depth` times at most
      (`symdsm.learning.convolutions`);
    - "set": events (members, *features) without order (`symdsm.learning.sets`).

    `angles` says that every entry is one: the energy gets the period 2 pi in each. It may be left out: `sd.fit` builds
    the network anew, from its own key, when the kernel has a period.

    Raises `ParameterError` for an unknown backbone, `ShapeError` for an event that it cannot take.
    """

    heads = 2

    def __call__(self, x: Array, level: Array, context: Array | None = None) -> Array:
        """Energy of one event x of `event_shape` at one level coordinate; scalar."""
        v = self.architecture.shown(x)
        pull, push = self.backbone(v, level, context)
        return jnp.sum(v * pull) - 0.5 * jnp.sum(push**2)


class Score(_Built, AbstractScore):
    """F(v, u), free to have a curl: for unadjusted samplers and generation. Arguments as for `Energy`."""

    def __call__(self, x: Array, level: Array, context: Array | None = None) -> Array:
        """Score of one event x of `event_shape` at one level coordinate; of x's shape."""
        out = self.backbone(self.architecture.shown(x), level, context)[0]
        return self.architecture.along(x, out)


class Denoiser(_Built, AbstractDenoiser):
    """D(v, u), an estimate of E[x | y]; its score is the kernel's score at x = D. Arguments: those of `Energy`.

    That holds for kernels whose score is affine in x (Gaussian noise); `fit` refuses the others. Raises
    `ParameterError` for angles, whose mean no circle has.
    """

    def __check_init__(self):
        if self.angles:
            raise ParameterError(
                given="a denoiser of angles",
                expected="a network of numbers on the line: no circle has its angles' mean",
                fix="use sd.Score(event_shape, key=key, angles=True)",
            )

    def __call__(self, x: Array, level: Array, context: Array | None = None) -> Array:
        """Clean event estimated from one noisy event x at one level coordinate; of x's shape."""
        return self.backbone(x, level, context)[0]


def on_circle(net: eqx.Module, circular: bool, key: PRNGKeyArray) -> eqx.Module:
    """A network for a kernel that is `circular` or not: the given one, or one of ours built anew for angles.

    Raises `ParameterError` for a denoiser of angles, whose mean no circle has; for a network of another author that
    does not say that it takes angles; and for a network of angles with a kernel that has no period.
    """
    if net.angles == circular:
        return net
    if type(net) in (Energy, Score) and circular:
        return type(net)(key=key, **net.architecture.options(), angles=True)
    raise ParameterError(
        given=f"a {type(net).__name__} {'for' if net.angles else 'not for'} angles, and a kernel "
        + ("with a period" if circular else "without a period"),
        expected="an energy or a score with the period 2 pi in each entry"
        if circular
        else "a network of numbers on the line",
        fix="use sd.Energy or sd.Score, or give your own class a network of cos and sin and the field angles = True"
        if circular
        else "leave angles out, or use a kernel such as sd.families.wrapped_normal()",
    )
