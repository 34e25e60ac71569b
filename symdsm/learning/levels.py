"""Noise levels, from least to most noise.

A level is whatever symbol the kernel calls so: a standard deviation, a time, a number of looks. Training and
sampling move on a coordinate u in [0, 1] instead, 0 at the least noise and 1 at the most:

    geometric   level(u) = least * (most / least)^u        (u is uniform in log level)
    uniform     level(u) = least + (most - least) * u

so that `geometric(0.01, 5.0)` serves a standard deviation and `geometric(1000, 2)` serves looks, which fall
as the noise grows.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from symdsm.errors import ParameterError

__all__ = ["Levels", "geometric", "uniform"]


class Levels(eqx.Module):
    """A range of noise levels with the coordinate in which it is even; made by `geometric` or `uniform`."""

    least: float = eqx.field(static=True)
    most: float = eqx.field(static=True)
    spacing: str = eqx.field(static=True)

    def at(self, u: ArrayLike) -> Array:
        """The level at coordinate u, 0 for the least noise and 1 for the most; any shape."""
        if self.spacing == "geometric":
            return self.least * jnp.exp(math.log(self.most / self.least) * jnp.asarray(u))
        return self.least + (self.most - self.least) * jnp.asarray(u)

    def coordinate(self, level: ArrayLike) -> Array:
        """The coordinate u of a level, so that `levels.at(levels.coordinate(level)) == level`; any shape."""
        if self.spacing == "geometric":
            return jnp.log(jnp.asarray(level) / self.least) / math.log(self.most / self.least)
        return (jnp.asarray(level) - self.least) / (self.most - self.least)

    def sample(self, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Array:
        """Levels whose coordinate is uniform on [0, 1]."""
        return self.at(jax.random.uniform(key, shape))

    def grid(self, n: int) -> Array:
        """n levels, evenly spaced in the coordinate, from least to most noise."""
        return self.at(jnp.linspace(0.0, 1.0, n))


def _range(name, least, most):
    least, most = float(least), float(most)
    if not (math.isfinite(least) and math.isfinite(most)) or least == most:
        raise ParameterError(
            given=f"{name}({least}, {most})",
            expected="two finite levels that differ: the least noise first, then the most",
            fix=f"write for example {name}(0.01, 5.0) for a standard deviation",
        )
    return least, most


def geometric(least: float, most: float) -> Levels:
    """Levels even in their logarithm; raises `ParameterError` unless both are positive and differ."""
    least, most = _range("geometric", least, most)
    if least <= 0 or most <= 0:
        raise ParameterError(
            given=f"geometric({least}, {most})",
            expected="two positive levels",
            fix="use sd.uniform(least, most) for a level that may be zero or negative",
        )
    return Levels(least, most, "geometric")


def uniform(least: float, most: float) -> Levels:
    """Levels even on their own scale; raises `ParameterError` unless they are finite and differ."""
    return Levels(*_range("uniform", least, most), "uniform")
