r"""The sphere in coordinates without a constraint, so that NumPyro can sample on it.

NumPyro has the constraint `sphere` but no map onto it. Let z in R^n have the density f(z / |z|) exp(-|z|^2 / 2) up to
a factor. In polar coordinates dz = r^(n-1) dr dS, so the direction y = z / |z| and the length r are independent and y
has the density f in the surface measure. The map z -> z / |z| with the "log Jacobian" -|z|^2 / 2 therefore gives
Hamiltonian samplers the right law of y; |z| is an auxiliary variable with the chi law. Importing this module registers
the map for `numpyro.distributions.constraints.sphere`.
"""

import jax.numpy as jnp
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import ParameterFreeTransform

__all__ = ["Direction"]


class Direction(ParameterFreeTransform):
    """z -> z / |z|, from R^n onto the sphere; the inverse takes y itself."""

    domain = constraints.real_vector
    codomain = constraints.sphere

    def __call__(self, x):
        return x / jnp.linalg.norm(x, axis=-1, keepdims=True)

    def _inverse(self, y):
        return y

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        """-|x|^2 / 2: the density of the auxiliary length, see the module."""
        return -jnp.sum(x**2, axis=-1) / 2

    def forward_shape(self, shape):
        return shape

    def inverse_shape(self, shape):
        return shape


@biject_to.register(type(constraints.sphere))
def _onto_sphere(constraint):
    return Direction()
