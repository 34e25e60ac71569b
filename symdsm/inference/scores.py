"""Scores that are no gradient of a known energy, and which sampler may use them.

A score network gives s(x), an estimate of grad log p(x), and no log p. Metropolis-Hastings compares densities, so
HMC, NUTS, MALA and BarkerMH cannot run on it: a potential that is 0 with -s as its gradient would run without
complaint and sample something else. There are two ways out:

    sd.ULA, sd.UnderdampedLangevin     unadjusted: they ask for the score only; biased in the step size
    sd.potential_from_score(score, anchor=...)      a potential of its own, on which Metropolis-Hastings is exact

`VectorScore(score)` stands where a potential function does; `LearnedScore(fit)` is the site of a program. Both
answer to unadjusted kernels alone, and raise EnergyRequired for everything else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree
from numpyro.distributions.util import validate_sample

from symdsm.errors import EnergyRequired
from symdsm.inference.priors import LearnedPrior
from symdsm.learning.networks import AbstractDenoiser, AbstractScore

__all__ = ["LearnedScore", "VectorScore", "require_energy", "require_scalar", "scores_allowed"]

# The value that a potential without an energy shows while an unadjusted kernel looks; None for everybody else.
_value: ContextVar[float | None] = ContextVar("value of a score-only potential", default=None)


@contextmanager
def scores_allowed(allowed: bool, value: float = jnp.nan) -> Iterator[None]:
    """Inside, a `LearnedScore` has the log density `value` (NaN: there is none) and its score as gradient."""
    token = _value.set(value if allowed else None)
    try:
        yield
    finally:
        _value.reset(token)


def _refuse(given: str) -> EnergyRequired:
    return EnergyRequired(
        given=given,
        expected="an energy: Metropolis-Hastings compares densities, and a score has none",
        fix="use sd.ULA or sd.UnderdampedLangevin, or make a potential: sd.potential_from_score(score, anchor=...)",
    )


class VectorScore:
    """score(z) = grad log p(z) for unconstrained z (an array or a PyTree of arrays), in place of a potential function.

    Calling it raises EnergyRequired: it is no potential.
    """

    def __init__(self, score: Callable[[PyTree], PyTree]):
        self.score = score

    def __call__(self, z):
        raise _refuse("a VectorScore where a potential energy is asked for")


def require_energy(potential, sampler: str) -> None:
    """Raise EnergyRequired when `potential` is known to be a score: a `VectorScore`, a `LearnedScore`, the `score`
    of a fit, a score network, or the fit of one."""
    while isinstance(potential, partial):
        potential = potential.func
    owner = getattr(potential, "__self__", None)
    method = owner is not None and getattr(potential, "__name__", "") == "score"
    network = isinstance(potential, AbstractScore | AbstractDenoiser)
    if method or network or isinstance(potential, VectorScore | LearnedScore):
        raise _refuse(f"a {type(owner if method else potential).__name__}{'.score' * method} for {sampler}")
    if not getattr(potential, "is_energy", True):
        raise _refuse(f"a {type(potential).__name__} for {sampler}")


def require_scalar(potential, z: PyTree, sampler: str) -> None:
    """Raise EnergyRequired when the potential of z is no number, so that it must be a score or a mistake."""
    out = jax.eval_shape(potential, z)
    if jax.tree.structure(out) != jax.tree.structure(0) or out.shape != ():
        shown = jax.tree.map(lambda leaf: leaf.shape, out)
        raise _refuse(f"a potential function for {sampler} whose values have the shape {shown}, as scores do")


class LearnedScore(LearnedPrior):
    """The score that `fit` learned, as a site of a program for unadjusted Langevin kernels.

    Takes the fit of any network, at the level that `noise_level` sets, else at the lowest trained one. `log_prob`
    raises EnergyRequired unless such a kernel asks; then it has no value (NaN) and the score as its gradient.
    """

    @staticmethod
    def admit(fit) -> None:
        """Every fit has a score."""

    @validate_sample
    def log_prob(self, value: Array) -> Array:
        """No number; its gradient in `value` is fit.score(value, level)."""
        shown = _value.get()
        if shown is None:
            raise _refuse("the log density of a LearnedScore")
        self.check_event(value)
        batch = value.shape[: value.ndim - len(self.event_shape)]

        @jax.custom_jvp
        def nothing(x, level):
            return jnp.full(batch, shown, x.dtype)

        @nothing.defjvp
        def gradient(primals, tangents):
            along = self.fit.score(*primals) * tangents[0]
            return nothing(*primals), jnp.sum(along, axis=tuple(range(len(batch), along.ndim)))

        return nothing(value, jnp.asarray(self.current_level, value.dtype))
