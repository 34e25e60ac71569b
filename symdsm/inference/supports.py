"""From a set to NumPyro's constraint on it.

Knows sets by what they answer (`inf`, `sup`, `manifold`), not by the library that they come from.
"""

import math

from numpyro.distributions import constraints

import symdsm.inference.sphere  # noqa: F401  (registers NumPyro's map onto the sphere)

__all__ = ["constraint_on"]


def constraint_on(support, ndim: int):
    """The NumPyro constraint for a kernel's support, a manifold or a set with fixed ends; the real line for others."""
    if (manifold := getattr(support, "manifold", None)) is not None:
        return {"simplex": constraints.simplex, "sphere": constraints.sphere}[manifold]
    try:
        low, high = float(support.inf), float(support.sup)
    except (TypeError, AttributeError, NotImplementedError):
        low, high = -math.inf, math.inf
    if math.isinf(low) and math.isinf(high):
        inside = constraints.real
    elif math.isinf(high):
        inside = constraints.positive if low == 0 else constraints.greater_than(low)
    elif math.isinf(low):
        inside = constraints.less_than(high)
    else:
        inside = constraints.interval(low, high)
    return constraints.independent(inside, ndim) if ndim else inside
