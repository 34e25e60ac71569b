"""Boxes of which some sides are open: NumPyro's constraint and its map from the real line.

NumPyro has intervals and half lines; a box whose entries are of several kinds, (0, inf) x (0, 1) x R, is neither. The
map is that of `symdsm.learning.coordinates.Bounded`, read from z to x. Importing this module registers it.
"""

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import Transform

from symdsm.learning.coordinates import Bounded

__all__ = ["Box", "OntoBox"]


def _nested(end):
    return tuple(map(_nested, end)) if isinstance(end, list) else end


class Box(constraints.Constraint):
    """low < x < high, entry by entry, for events of `event_dim` axes; any of the ends may be infinite."""

    def __init__(self, low, high, event_dim: int):
        self.low, self.high = (_nested(np.asarray(end, float).tolist()) for end in (low, high))
        self.event_dim = event_dim

    def __call__(self, x):
        inside = (x > jnp.asarray(self.low)) & (x < jnp.asarray(self.high))
        return inside.all(tuple(range(-self.event_dim, 0)))

    def __repr__(self):
        return f"Box(low={self.low}, high={self.high})"

    def feasible_like(self, prototype):
        """The image of zero."""
        return OntoBox(self)(jnp.zeros_like(prototype))

    def eq(self, other, static: bool = False):
        """Is the other one the same box?"""
        return isinstance(other, Box) and vars(self) == vars(other)

    def tree_flatten(self):
        return (), ((), dict(vars(self)))


class OntoBox(Transform):
    """z -> x of the box, one event at a time."""

    def __init__(self, box: Box):
        self.box = box
        self._coordinates = Bounded(box.low, box.high)

    @property
    def domain(self):
        """The whole space."""
        return constraints.independent(constraints.real, self.box.event_dim)

    @property
    def codomain(self):
        """The box."""
        return self.box

    def _each(self, function, events):
        for _ in range(jnp.ndim(events) - self.box.event_dim):
            function = jax.vmap(function)
        return function(events)

    def __call__(self, x):
        return self._each(self._coordinates.inverse, x)

    def _inverse(self, y):
        return self._each(self._coordinates.forward, y)

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        """log |dx/dz|, summed over the event."""
        return -self._each(self._coordinates.log_slope, y)

    def forward_shape(self, shape):
        return shape

    def inverse_shape(self, shape):
        return shape

    def tree_flatten(self):
        return (), ((), dict(vars(self)))


@biject_to.register(Box)
def _onto_box(box):
    return OntoBox(box)
