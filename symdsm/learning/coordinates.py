"""Coordinates without walls, for data that are positive, bounded or compositions.

Noise of a kernel on the line makes any number, so constrained data x are trained in z = T(x) on the whole space:

    interval (a, b)   z = log(x - a) - log(b - x), without the term of an infinite end    entry by entry
    simplex           z = V' log x,  V (n, n - 1) with orthonormal columns and 1'V = 0    n entries become n - 1
    standardised      z <- (z - mean) / sd, entry by entry, of the data's own z

and densities change by the Jacobian, once:

    log q_X(x) = log q_Z(T(x)) + log |dT/dx|,     score_X = T'(x)' score_Z + grad log |dT/dx|

with log |dT/dx| the sum over the entries of log(1/(x - a) + 1/(b - x)), on the simplex -sum_i log x_i - log(n)/2 (for
densities in x_1 .. x_{n-1}), and -sum log sd when standardised. On the simplex z are isometric log-ratios, which treat
all parts alike, and the score is the tangent gradient, of mean zero. Noise levels are in the units of z: logarithms for
positive data, standard deviations of the data when standardised.

T maps the open set; values on its edge have no coordinates. Circles and spheres have no such T without a seam: use a
kernel that lives there (`sd.families.von_mises()`, `sd.families.von_mises_fisher()`).

References: Egozcue et al., Isometric logratio transformations for compositional data analysis, Math. Geol. 35 (2003);
the logarithm of positive data is that of Aitchison & Brown, The Lognormal Distribution (1957).
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from symdsm.errors import DataError, ParameterError

__all__ = ["Bounded", "Coordinates", "Real", "Simplex", "Standardised", "coordinates_for", "described", "rebuilt"]


class Real(eqx.Module):
    """z = x."""

    support = None

    def forward(self, x: Array) -> Array:
        """z of one event x."""
        return x

    def inverse(self, z: Array) -> Array:
        """x of one event z."""
        return z

    def log_slope(self, x: Array) -> Array:
        """log |dT/dx| of one event; scalar."""
        return jnp.zeros((), x.dtype)

    def tangent(self, gradient: Array) -> Array:
        """The part of a gradient in x along the space where x lives."""
        return gradient

    def outer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of x for a shape of z."""
        return shape


class Bounded(eqx.Module):
    """z = log(x - low) - log(high - x); numbers or nested tuples that broadcast against the event, infinite or not."""

    low: Any = eqx.field(static=True)
    high: Any = eqx.field(static=True)

    @property
    def support(self) -> tuple[Any, Any]:
        """(low, high)."""
        return self.low, self.high

    def _ends(self, dtype):
        """The ends, zero where infinite, and which are finite."""
        low, high = np.asarray(self.low, dtype), np.asarray(self.high, dtype)
        floor, roof = np.isfinite(low), np.isfinite(high)
        return np.where(floor, low, 0).astype(dtype), np.where(roof, high, 0).astype(dtype), floor, roof

    def _gaps(self, x):
        """x - low and high - x, one where that end is infinite, and which are finite."""
        low, high, floor, roof = self._ends(x.dtype)
        return jnp.where(floor, x - low, 1.0), jnp.where(roof, high - x, 1.0), floor, roof

    def forward(self, x: Array) -> Array:
        """z of one event x."""
        above, below, floor, roof = self._gaps(x)
        return jnp.where(floor | roof, jnp.log(above) - jnp.log(below), x)

    def inverse(self, z: Array) -> Array:
        """x of one event z."""
        low, high, floor, roof = self._ends(z.dtype)
        one_end = jnp.where(floor, low + jnp.exp(jnp.where(floor, z, 0.0)), high - jnp.exp(jnp.where(roof, -z, 0.0)))
        return jnp.where(floor & roof, low + (high - low) * jax.nn.sigmoid(z), jnp.where(floor | roof, one_end, z))

    def log_slope(self, x: Array) -> Array:
        """log |dT/dx| of one event; scalar."""
        above, below, floor, roof = self._gaps(x)
        slope = jnp.where(floor, 1.0 / above, 0.0) + jnp.where(roof, 1.0 / below, 0.0)
        return jnp.sum(jnp.log(jnp.where(floor | roof, slope, 1.0)))

    def tangent(self, gradient: Array) -> Array:
        """The gradient itself: the set is open in its space."""
        return gradient

    def outer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of x for a shape of z."""
        return shape


def _helmert(n: int) -> np.ndarray:
    """(n, n - 1), orthonormal columns that sum to zero."""
    k = np.arange(1, n)
    upper = np.triu(np.ones((n, n - 1))) / np.sqrt(k * (k + 1.0))
    upper[k, k - 1] = -k / np.sqrt(k * (k + 1.0))
    return upper


class Simplex(eqx.Module):
    """Isometric log-ratios of positive parts that sum to one along the last axis."""

    support = "simplex"

    def forward(self, x: Array) -> Array:
        """z of one event x, shorter by one."""
        return jnp.log(x) @ jnp.asarray(_helmert(x.shape[-1]), x.dtype)

    def inverse(self, z: Array) -> Array:
        """x of one event z, longer by one."""
        return jax.nn.softmax(z @ jnp.asarray(_helmert(z.shape[-1] + 1).T, z.dtype), axis=-1)

    def log_slope(self, x: Array) -> Array:
        """log |dT/dx| of one event in its first n - 1 parts; scalar."""
        rows = x.size // x.shape[-1]
        return -jnp.sum(jnp.log(x)) - 0.5 * rows * math.log(x.shape[-1])

    def tangent(self, gradient: Array) -> Array:
        """The gradient's projection on directions that keep the sum."""
        return gradient - jnp.mean(gradient, axis=-1, keepdims=True)

    def outer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of x for a shape of z."""
        return (*shape[:-1], shape[-1] + 1)


class Standardised(eqx.Module):
    """z = (inner(x) - location) / scale."""

    inner: Real | Bounded | Simplex
    location: Array
    scale: Array

    @property
    def support(self) -> Any:
        """That of the inner map."""
        return self.inner.support

    def forward(self, x: Array) -> Array:
        """z of one event x."""
        return (self.inner.forward(x) - self.location) / self.scale

    def inverse(self, z: Array) -> Array:
        """x of one event z."""
        return self.inner.inverse(self.location + self.scale * z)

    def log_slope(self, x: Array) -> Array:
        """log |dT/dx| of one event; scalar."""
        return self.inner.log_slope(x) - jnp.sum(jnp.log(self.scale))

    def tangent(self, gradient: Array) -> Array:
        """As the inner map has it."""
        return self.inner.tangent(gradient)

    def outer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of x for a shape of z."""
        return self.inner.outer(shape)


Coordinates = Real | Bounded | Simplex | Standardised


def coordinates_for(support: Any, standardise: bool, data: np.ndarray) -> Coordinates:
    """The map for `support` (see `sd.fit`) and these data (rows, *event); `ParameterError`, `DataError`."""
    inner = _inner(support, data.shape[1:], data.dtype)
    _check_inside(inner, data)
    if not standardise:
        return inner
    z = jax.vmap(inner.forward)(jnp.asarray(data, dtype=float))
    return Standardised(inner, jnp.mean(z, 0), jnp.std(z, 0))


def described(coordinates: Coordinates) -> dict[str, Any]:
    """What rebuilds the map, as JSON values, its arrays apart."""
    standardised = isinstance(coordinates, Standardised)
    inner = coordinates.inner if standardised else coordinates
    ends = [inner.low, inner.high] if isinstance(inner, Bounded) else []
    return {"map": type(inner).__name__, "ends": ends, "standardised": standardised}


def rebuilt(facts: dict[str, Any]) -> Coordinates:
    """The map that `described` these facts; its arrays are to be filled in."""
    maps = {"Real": Real, "Bounded": Bounded, "Simplex": Simplex}
    inner = maps[facts["map"]](*map(_nested, facts["ends"]))
    return Standardised(inner, jnp.zeros(()), jnp.zeros(())) if facts["standardised"] else inner


def _nested(value):
    """Lists as tuples, all the way down."""
    return tuple(map(_nested, value)) if isinstance(value, list) else value


def _inner(support, event: tuple[int, ...], dtype) -> Real | Bounded | Simplex:
    if support is None:
        return Real()
    if isinstance(support, str) and support == "simplex" or getattr(support, "manifold", None) == "simplex":
        if not event or event[-1] < 2:
            raise DataError(
                given=f"events of shape {event} on the simplex",
                expected="at least two parts along the last axis",
                fix="pass data of shape (rows, parts)",
            )
        return Simplex()
    low, high = (np.asarray(end, dtype) for end in _ends(support))
    try:
        fits = np.broadcast_shapes(low.shape, high.shape, event) == event
    except ValueError:
        fits = False
    if not fits or not (low < high).all():
        raise ParameterError(
            given=f"support from {low} to {high} for events of shape {event}",
            expected="low < high, numbers or arrays of the event's shape; infinite ends leave that side open",
            fix="write support=(0.0, 1.0), say",
        )
    return Bounded(_nested(low.tolist()), _nested(high.tolist()))


def _ends(support):
    if isinstance(support, str) and support == "positive":
        return 0.0, math.inf
    if isinstance(support, tuple) and len(support) == 2:
        return support
    try:
        return float(support.inf), float(support.sup)
    except (AttributeError, TypeError, NotImplementedError):
        raise ParameterError(
            given=f"support={support!r}",
            expected='"positive", "simplex", a pair (low, high) of numbers or arrays, or an interval of SymPy',
            fix='write support="positive"; for angles and directions leave it out and use a kernel that lives there',
        ) from None


def _check_inside(coordinates, data: np.ndarray) -> None:
    rows = data.reshape(len(data), -1)
    if isinstance(coordinates, Bounded):
        low, high = (np.broadcast_to(np.asarray(end), data.shape[1:]).ravel() for end in coordinates.support)
        inside = ((rows > low) & (rows < high)).all(1)
        words = "strictly between the ends of the support"
    elif isinstance(coordinates, Simplex):
        sums = data.sum(-1).reshape(len(data), -1)
        inside = (rows > 0).all(1) & (np.abs(sums - 1) < 1e-5).all(1)
        words = "positive parts that sum to one along the last axis"
    else:
        return
    bad = np.flatnonzero(~inside)
    if len(bad):
        shown = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        raise DataError(
            given=f"{len(bad)} of {len(data)} rows on the edge of the support or outside (rows {shown})",
            expected=words,
            fix="drop these rows, move them inside by the precision of the measurement, or give another support",
        )
