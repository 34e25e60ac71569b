"""Do the draws look like noised data where the energy was learned?

For y from the noised density q at a level, the scaled squared score

    t(y) = r^2 |grad log q(y)|^2 / d,      r^-2 = E[|grad_y log p(y | x)|^2 / d],

has a law that noised data show: take clean examples, noise them, evaluate t. For Gaussian noise r is sigma. A chain
that has settled where the energy was never trained gives other values, however well its R-hat looks.

Each draw gets the two-sided tail probability of its t under that law, and each chain the median of these. For draws
that follow the law the median is about 1/2. A posterior is not the prior, so some shift is to be expected; a median
below 0.01 says that half of the chain lies in the outermost hundredth. For data trained in other coordinates
(`sd.fit(..., support=...)`) y, q and the score are those of the coordinates.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PRNGKeyArray

from symdsm.errors import ShapeError

__all__ = ["Typicality", "typicality"]


class Typicality(NamedTuple):
    """t of the draws (chain, draw), t of noised data (n,), and per chain the median tail probability (chain,)."""

    draws: np.ndarray
    null: np.ndarray
    p_value: np.ndarray


def typicality(fit, draws: ArrayLike, level: ArrayLike | None = None, *, key: PRNGKeyArray | None = None) -> Typicality:
    """The typicality of `draws` (chain, draw, *event_shape) at one level, the least one when left out.

    Raises `ShapeError` for draws of another event shape.
    """
    draws = jnp.asarray(draws)
    if draws.shape[2:] != tuple(fit.event_shape):
        raise ShapeError(
            given=f"draws of shape {draws.shape}",
            expected=f"(chain, draw, {', '.join(map(str, fit.event_shape))})",
            fix="pass the fit that stands at this site",
        )
    level = fit.levels.least if level is None else level
    parameters = {**fit.params, fit.kernel.level.name: level}
    key = jax.random.key(0) if key is None else key
    inner = fit.latent
    noised, target = fit.kernel.compile().target(key, inner.examples, **parameters)
    square = jnp.mean(target**2)

    def t(z):
        score = inner.score(z, level)
        return np.asarray(jnp.mean(score.reshape(*z.shape[: z.ndim - len(inner.event_shape)], -1) ** 2, -1) / square)

    null, seen = t(noised), t(jax.vmap(jax.vmap(fit.coordinates.forward))(draws))
    rank = np.searchsorted(np.sort(null), np.nan_to_num(seen, nan=np.inf)) / len(null)
    tail = 2 * np.minimum(rank, 1 - rank)
    return Typicality(seen, null, np.median(tail, axis=1))
