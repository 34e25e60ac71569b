"""A compiled kernel with its parameters put in and its level read as a coordinate u in [0, 1].

Everything in training is written in u, so that one code serves a standard deviation, a time and a number of
looks. With level(u) the range of `symdsm.learning.levels`,

    d/du log p(y | x; level(u)) = level'(u) * d/dlevel log p,

and weights that are inverse Fisher informations do not depend on the choice of coordinate. All functions take
one event; batches are made with `jax.vmap`.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.levels import Levels
from symdsm.learning.protocols import KernelLike, ProgramLike

__all__ = ["Noise"]


class Noise(eqx.Module):
    """p(y | x; u) of one event. Without a level, `level_name` and `levels` are None and u is ignored.

    `coupled` kernels speak of the whole event at once, the others of each of its entries. With a `period` the entries
    are angles of the line: draws may be in any turn, and densities and scores have the period. `edgeless` tells that
    y lives on the whole line, in every coordinate, or on circles.
    """

    params: dict[str, Any]
    levels: Levels | None
    level_name: str | None = eqx.field(static=True)
    coupled: bool = eqx.field(static=True)
    program: ProgramLike = eqx.field(static=True)
    period: float | None = eqx.field(static=True, default=None)
    edgeless: bool = eqx.field(static=True, default=False)

    @classmethod
    def of(cls, kernel: KernelLike, params: dict[str, Any], levels: Levels | None) -> "Noise":
        """The kernel, compiled."""
        name, period = None if kernel.level is None else kernel.level.name, getattr(kernel, "period", None)
        turn = None if period is None else float(period)
        edgeless = _edgeless(getattr(kernel, "support", None))
        return cls(params, levels, name, kernel.event_ndim > 0, kernel.compile(), turn, edgeless)

    def at(self, u: Array) -> dict[str, Any]:
        """All parameters of the program at coordinate u."""
        if self.level_name is None:
            return self.params
        return {**self.params, self.level_name: self.levels.at(u)}

    def log_prob(self, y: Array, x: Array, u: Array) -> Array:
        """log p(y | x) of the whole event; scalar."""
        return jnp.sum(self.program.log_prob(y, x, **self.at(u)))

    def log_prob_entries(self, y: Array, x: Array, u: Array) -> Array:
        """log p(y | x) as the program returns it: one number per entry, or for coupled kernels one."""
        return self.program.log_prob(y, x, **self.at(u))

    def score(self, y: Array, x: Array, u: Array) -> Array:
        """d/dy log p(y | x), of y's shape."""
        return self.program.score(y, x, **self.at(u))

    def sample(self, key: PRNGKeyArray, x: Array, u: Array) -> Array:
        """y ~ p(y | x)."""
        return self.program.sample(key, x, **self.at(u))

    def target(self, key: PRNGKeyArray, x: Array, u: Array) -> tuple[Array, Array]:
        """(y, score)."""
        return self.program.target(key, x, **self.at(u))

    def dual_target(self, key: PRNGKeyArray, x: Array, u: Array) -> tuple[Array, Array, Array]:
        """(y, score, d/du log p), the last one summed over the event."""
        y, score, level_score = self.program.dual_target(key, x, **self.at(u))
        slope = jax.jvp(self.levels.at, (u,), (jnp.ones_like(u),))[1]
        return y, score, jnp.sum(level_score) * slope

    def mean_score(self, x: Array, u: Array) -> Array:
        """E[d/dy log p(y | x) | x], of x's shape."""
        return self.program.mean_score(x, **self.at(u))


def _edgeless(support) -> bool:
    """A line, or a product of lines; not where the ends are no numbers, nor on a simplex or sphere."""
    if hasattr(support, "sets"):
        return all(map(_edgeless, support.sets))
    try:
        return math.isinf(support.inf) and math.isinf(support.sup)
    except (AttributeError, NotImplementedError, TypeError):
        return False
