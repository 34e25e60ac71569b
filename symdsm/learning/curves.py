"""Smooth functions of the level coordinate, fitted to a few numbers.

    f(u) = sum_k c_k T_k(2 u - 1),     T_k the Chebyshev polynomials, u in [0, 1]

Least squares at Chebyshev nodes is within a factor O(log n) of the best polynomial (Trefethen, Approximation
Theory and Approximation Practice, 2013, ch. 15), so a curve through Monte Carlo numbers keeps a smooth
derivative in the level, which the level score needs. Just outside [0, 1] a curve goes on, further out it
keeps its value: a clip at the very end would halve the derivative there.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike
from numpy.polynomial import chebyshev

__all__ = ["Curve", "nodes"]


def nodes(n: int) -> np.ndarray:
    """n Chebyshev points on [0, 1], ascending."""
    return (1.0 - np.cos((np.arange(n) + 0.5) * np.pi / n)) / 2.0


class Curve(eqx.Module):
    """A polynomial in u with values of any shape; `coefficients` has the degree first: (degree + 1,
    *shape)."""

    coefficients: Array

    @classmethod
    def through(cls, u: np.ndarray, values: np.ndarray, degree: int) -> "Curve":
        """Least-squares fit to `values` of shape (len(u), *shape)."""
        values = np.asarray(values, np.float64)
        flat = chebyshev.chebfit(2.0 * np.asarray(u) - 1.0, values.reshape(len(u), -1), min(degree, len(u) - 1))
        return cls(jnp.asarray(flat.reshape((-1,) + values.shape[1:]), dtype=float))

    def integral(self) -> "Curve":
        """The antiderivative in u that is 0 at u = 1."""
        whole = chebyshev.chebint(np.asarray(self.coefficients, np.float64), scl=0.5, axis=0)
        whole[0] -= chebyshev.chebval(1.0, whole)
        return Curve(jnp.asarray(whole, dtype=float))

    def shifted(self, by: ArrayLike) -> "Curve":
        """The curve plus a constant."""
        return Curve(self.coefficients.at[0].add(by))

    def __add__(self, other: "Curve") -> "Curve":
        degree = max(len(self.coefficients), len(other.coefficients))
        return Curve(_padded(self.coefficients, degree) + _padded(other.coefficients, degree))

    def __call__(self, u: Array) -> Array:
        t = 2.0 * jnp.clip(u, -0.001, 1.001) - 1.0
        terms = [jnp.ones_like(t), t]
        while len(terms) < len(self.coefficients):
            terms.append(2.0 * t * terms[-1] - terms[-2])
        return jnp.tensordot(jnp.stack(terms[: len(self.coefficients)]), self.coefficients, axes=1)


def _padded(coefficients, n):
    return jnp.pad(coefficients, [(0, n - len(coefficients))] + [(0, 0)] * (coefficients.ndim - 1))
