"""From a set to NumPyro's constraint on it.

Knows sets by what they answer (`inf`, `sup`, `manifold`), not by the library that they come from.

An angle with period P lies in (-P/2, P/2) as a latent variable; for P = 2 pi that is NumPyro's `circular`, which
`CircularReparam` asks for. As an observation it may be any turn: `admits` says so.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike
from numpyro.distributions import constraints

import symdsm.inference.sphere  # noqa: F401  (registers NumPyro's map onto the sphere)
from symdsm.inference.box import Box
from symdsm.learning.circle import within_one_turn

__all__ = ["admits", "constraint_on", "in_turn", "one_turn"]


def constraint_on(support, ndim: int):
    """The NumPyro constraint on events of `ndim` axes.

    `support` is None for the whole space, "simplex" or "sphere", a pair (low, high) of numbers or arrays, or a set
    with `inf` and `sup` or a `manifold`; the real line stands for sets whose ends are not numbers.
    """
    manifold = support if isinstance(support, str) else getattr(support, "manifold", None)
    if manifold is not None:
        inside = {"simplex": constraints.simplex, "sphere": constraints.sphere}[manifold]
    else:
        inside = _between(*_ends(support), ndim)
    outer = ndim - inside.event_dim
    return constraints.independent(inside, outer) if outer else inside


def _ends(support):
    if isinstance(support, tuple):
        return tuple(np.asarray(end, float) for end in support)
    try:
        return np.asarray(float(support.inf)), np.asarray(float(support.sup))
    except (TypeError, AttributeError, NotImplementedError):
        return np.asarray(-math.inf), np.asarray(math.inf)


def _between(low, high, ndim):
    floor, roof = np.isfinite(low), np.isfinite(high)
    if not (floor.any() or roof.any()):
        return constraints.real
    if floor.all() and not roof.any():
        return constraints.positive if not low.any() else constraints.greater_than(_number(low))
    if roof.all() and not floor.any():
        return constraints.less_than(_number(high))
    if floor.all() and roof.all():
        return constraints.interval(_number(low), _number(high))
    return Box(low, high, ndim)


def _number(end):
    return float(end) if end.ndim == 0 else jnp.asarray(end)


def one_turn(period):
    """The constraint on an angle of that period."""
    half = float(period) / 2
    return constraints.circular if math.isclose(half, math.pi) else constraints.interval(-half, half)


def in_turn(kernel, y: Array) -> Array:
    """Values of the kernel's space: an angle within one turn, others as they are."""
    period = getattr(kernel, "period", None)
    return y if period is None else within_one_turn(y, period)


def admits(constraint, value: ArrayLike) -> Array:
    """Is an observed value possible? An angle may be any turn, other values must meet the constraint."""
    base = constraint
    while (inner := getattr(base, "base_constraint", None)) is not None:
        base = inner
    return jnp.isfinite(value) if base is constraints.circular else constraint(value)
