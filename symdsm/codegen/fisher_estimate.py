r"""The Fisher information by simulation, E|s|^2 ~ mean of |s(y_k)|^2 over draws y_k ~ p(. | x), and its error.

Independent draws give the standard error sqrt(var / K). Those of Markov chains are correlated, so that theirs is that
of the means of sqrt(K) successive batches (Flegal and Jones, Annals of Statistics 38 (2010), 1034). It is an error
only where |s|^2 has a variance: E|s|^4 finite.
"""

from math import isqrt

import jax
import jax.numpy as jnp

from symdsm.errors import ParameterError

__all__ = ["estimated", "refuse_request", "squares_at", "squares_of_targets"]

_AT_ONCE = 256


def refuse_request(draws: int, of: str) -> None:
    """Raise ParameterError for a number of draws, or a name, that is none."""
    if of not in ("noisy", "level"):
        raise ParameterError(given=f"of={of!r}", expected='"noisy" or "level"', fix='pass of="level"')
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 2:
        raise ParameterError(given=f"draws={draws!r}", expected="a whole number from 2 on", fix="pass draws=4096")


def squares_of_targets(module, draws: int, of: str, key, x, /, **params):
    """(draws, *batch) squared (level) scores at independent draws."""

    def one(key):
        *_, wanted = (module.target if of == "noisy" else module.dual_target)(key, x, **params)
        return _square(wanted, _batch(module, x, params), of)

    return jax.lax.map(one, jax.random.split(key, draws), batch_size=_AT_ONCE)


def squares_at(module, of: str, y, x, /, **params):
    """The same at given draws, `y` of shape (*batch, draws, *event)."""
    batch = _batch(module, x, params)
    score = module.score if of == "noisy" else module.level_score
    moved = jnp.moveaxis(y, len(batch), 0)
    return jax.lax.map(lambda y: _square(score(y, x, **params), batch, of), moved, batch_size=_AT_ONCE)


def estimated(squares, correlated: bool):
    """(mean, its standard error) over the first axis."""
    value = squares.mean(0)
    if correlated:
        size = isqrt(len(squares))
        count = len(squares) // size
        squares = squares[: count * size].reshape((count, size, *squares.shape[1:])).mean(1)
    return value, squares.std(0, ddof=1) / jnp.sqrt(len(squares))


def _square(score, batch, of):
    """|score|^2 of each event: the trailing axes and the blocks are summed."""
    if of == "level":
        return jnp.broadcast_to(score**2, batch)
    leaves = [s**2 if s.ndim <= len(batch) else (s**2).reshape(*batch, -1).sum(-1) for s in jax.tree.leaves(score)]
    return jnp.broadcast_to(sum(leaves), batch)


def _batch(module, x, params) -> tuple[int, ...]:
    """The shape of log_prob, which has one number for each event."""

    def one(x):
        key = jax.random.key(0)
        if hasattr(module, "sample_by"):
            y = module.sample_by(lambda key, log_density, start: start, key, x, **params)
        else:
            y = module.sample(key, x, **params)
        return module.log_prob(y, x, **params)

    return jax.eval_shape(one, x).shape
