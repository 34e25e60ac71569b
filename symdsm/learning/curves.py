"""Smooth functions of the level coordinate, fitted to a few numbers.

    f(u) = sum_k c_k cos(k phi(u)),     phi(u) = pi (0.2 + 0.6 u),     u in [0, 1]

These are the polynomials in cos(phi), which runs over 0.8 of (-1, 1): inside, so that f has no singular
derivative at the ends, where the Chebyshev variable itself would. Least squares at spread nodes converges
geometrically for smooth functions (Trefethen, Approximation Theory and Approximation Practice, 2013, chapters 8 and
15), and a curve through Monte Carlo numbers keeps a smooth derivative in the level, which the level score needs.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

__all__ = ["Curve", "nodes"]

_START, _SPAN = 0.2 * np.pi, 0.6 * np.pi


def nodes(n: int) -> np.ndarray:
    """n Chebyshev points on [0, 1], ascending."""
    return (1.0 - np.cos((np.arange(n) + 0.5) * np.pi / n)) / 2.0


class Curve(eqx.Module):
    """A smooth function of u with values of any shape; `coefficients` is (degree + 1, *shape)."""

    coefficients: Array

    @classmethod
    def through(cls, u: np.ndarray, values: np.ndarray, degree: int) -> "Curve":
        """Least-squares fit to `values` of shape (len(u), *shape)."""
        values = np.asarray(values, np.float64)
        basis = np.cos(np.outer(_START + _SPAN * np.asarray(u, np.float64), np.arange(degree + 1)))
        flat = np.linalg.lstsq(basis, values.reshape(len(u), -1))[0]
        return cls(jnp.asarray(flat.reshape((-1,) + values.shape[1:]), dtype=float))

    @classmethod
    def with_slope(cls, u: np.ndarray, slopes: np.ndarray, degree: int) -> "Curve":
        """The curve that is 0 at u = 1 and whose derivative fits `slopes` of shape (len(u),)."""
        k = np.arange(1, degree + 1)
        basis = -_SPAN * k * np.sin(np.outer(_START + _SPAN * np.asarray(u, np.float64), k))
        found = np.linalg.lstsq(basis, np.asarray(slopes, np.float64))[0]
        end = found @ np.cos(k * (_START + _SPAN))
        return cls(jnp.asarray(np.concatenate([[-end], found]), dtype=float))

    def shifted(self, by: ArrayLike) -> "Curve":
        """The curve plus a constant."""
        return Curve(self.coefficients.at[0].add(by))

    def __add__(self, other: "Curve") -> "Curve":
        degree = max(len(self.coefficients), len(other.coefficients))
        return Curve(_padded(self.coefficients, degree) + _padded(other.coefficients, degree))

    def __call__(self, u: Array) -> Array:
        k = jnp.arange(len(self.coefficients), dtype=self.coefficients.dtype)
        return jnp.tensordot(jnp.cos(k * (_START + _SPAN * u)), self.coefficients, axes=1)


def _padded(coefficients, n):
    return jnp.pad(coefficients, [(0, n - len(coefficients))] + [(0, 0)] * (coefficients.ndim - 1))
