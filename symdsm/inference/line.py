"""Coordinates on the real line for noisy values that cannot be any number, entry by entry.

y = T(z) with T exp, a logistic curve or a shift of them, as the support asks; T is the identity on the line itself.
What moves by small steps moves in z. With J = dT/dz and K = d^2T/dz^2,

    d/dz log q_z = J d/dy log q + K/J,      dz/dl = V / J      for a flow dy/dl = V,

and by Ito's formula a diffusion dy = b dt + g dw becomes dz = (b/J - (g/J)^2 (K/J)/2) dt + (g/J) dw.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array
from numpyro.distributions import biject_to, constraints

from symdsm.inference.supports import constraint_on

__all__ = ["Line"]


class Line(eqx.Module):
    """T of a kernel's support, a set with `inf` and `sup`."""

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)
    identity: bool = eqx.field(static=True)

    def __init__(self, support):
        inside = constraint_on(support, 0)
        self.identity = inside is constraints.real
        self.low = float(getattr(inside, "lower_bound", -jnp.inf))
        self.high = float(getattr(inside, "upper_bound", jnp.inf))

    @property
    def _transform(self):
        if self.high == jnp.inf:
            return biject_to(constraints.greater_than(self.low))
        if self.low == -jnp.inf:
            return biject_to(constraints.less_than(self.high))
        return biject_to(constraints.interval(self.low, self.high))

    def place(self, z: Array) -> Array:
        """y = T(z)."""
        return z if self.identity else self._transform(z)

    def coordinate(self, y: Array) -> Array:
        """z with T(z) = y."""
        return y if self.identity else self._transform.inv(y)

    def slopes(self, z: Array) -> tuple[Array, Array, Array]:
        """(y, J, K)."""
        if self.identity:
            return z, jnp.ones_like(z), jnp.zeros_like(z)
        ones = jnp.ones_like(z)

        def first(z):
            return jax.jvp(self._transform, (z,), (ones,))

        (y, slope), (_, curve) = jax.jvp(first, (z,), (ones,))
        return y, slope, curve
