r"""Draws from a coupled kernel that has no exact sampler: NumPyro's No-U-Turn sampler on the kernel itself.

    U(z) = -log p(T(z) | x) - log |det dT/dz|,        z in R^d,        y = T(z),

T being NumPyro's map from R^d onto the support, so that the normaliser of p is not needed. On the sphere, which has no
such map, y = z / |z| with the weight exp(-|z|^2 / 2): were p constant, z would be standard normal, whose direction is
uniform and independent of its length, so that y has the density p whatever p is. Four chains start at the
best of a few random points around the clean value, adapt their step size and diagonal mass for `WARMUP` iterations and
are then run for `KEPT` more, or as many as give `count` draws that are `THIN` iterations apart. One draw is the last
state of a chain chosen at random.

What is not known is whether the chains have reached the kernel, so they are judged by their diagnostics wherever their
values are concrete (not under jit, vmap or grad): split R-hat over the chains, the effective sample size and the
share of divergent iterations, the worst over coordinates and events. `Program.sample_report` gives them for a key.

References: Hoffman and Gelman, Journal of Machine Learning Research 15 (2014), 1593; Vehtari, Gelman, Simpson,
Carpenter and Burkner, Bayesian Analysis 16 (2021), 667; Betancourt, arXiv:1701.02434.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jaxtyping import Array
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.distributions import biject_to, constraints
from numpyro.infer.hmc import hmc

from symdsm.errors import SamplingError
from symdsm.inference.supports import constraint_on

__all__ = ["ChainReport", "Chains", "Trace", "chains_on"]

CHAINS, WARMUP, KEPT, THIN = 4, 300, 150, 5
SPREADS = (0.03, 0.3, 1.0, 3.0)
LOOK, FAIL = (1.05, 0.01), (1.2, 0.2)  # R-hat and the share of divergent iterations


class Trace(NamedTuple):
    """What the chains did: z (.., chain, iteration, d), diverging (.., chain, iteration), potential at the start."""

    z: Array
    diverging: Array
    start: Array


@dataclass(frozen=True)
class ChainReport:
    """The diagnostics of the chains behind a draw, the worst over coordinates and events.

    `ess` is the effective number of independent draws among those that were kept, of which `count` are used.
    """

    r_hat: float
    ess: float
    divergent: float
    count: int
    started: bool

    @property
    def trouble(self) -> str | None:
        """ "fail": the draws are not from the kernel; "look": they may be biased or correlated; None: no sign of it."""
        r_hat, ess = self.r_hat, self.ess
        if not self.started or not r_hat < FAIL[0] or self.divergent > FAIL[1]:
            return "fail"
        return "look" if r_hat > LOOK[0] or self.divergent > LOOK[1] or ess < self.count else None

    def __str__(self) -> str:
        return (
            f"R-hat {self.r_hat:.3f}, effective sample size {self.ess:.0f} for {self.count} draws, "
            f"{self.divergent:.1%} of the iterations divergent"
        )


@dataclass(frozen=True)
class Chains:
    """Markov chains on the space that `constraint` describes."""

    constraint: constraints.Constraint

    def run(self, key: Array, log_density: Callable[[Array], Array], start: Array, count: int | None):
        """(`count`, *event) draws, or one draw when `count` is None, and the Trace behind them.

        `log_density` maps an event to a number, `start` has the event's shape and is where the search begins.
        """
        onto, log_weight, centre = _coordinates(self.constraint, start.astype(jnp.result_type(float)))
        centre = jnp.where(jnp.isfinite(centre), centre, 0.0)

        def potential(z):
            y = onto(z)
            value = log_density(y) + log_weight(z, y)
            return jnp.where(jnp.isnan(value), jnp.inf, -value)

        kept = max(KEPT, THIN * -(-(count or 1) // CHAINS))

        def chain(key):
            begin, run = random.split(key)
            z = _begin(begin, centre, potential)
            initialise, step = hmc(potential, algo="NUTS")
            state = initialise(z, WARMUP, rng_key=run, model_kwargs={})

            def advance(state, _):
                state = step(state, (), {})
                return state, (state.z, state.diverging)

            _, (path, diverging) = lax.scan(advance, state, length=WARMUP + kept)
            return path[WARMUP:], diverging[WARMUP:], potential(z)

        pick, key = random.split(key)
        z, diverging, first = jax.vmap(chain)(random.split(key, CHAINS))
        if count is None:
            y = onto(z[random.randint(pick, (), 0, CHAINS), -1])
        else:
            last = z[:, ::-1][:, :: kept // -(-count // CHAINS)][:, : -(-count // CHAINS)]
            y = jax.vmap(onto)(last.swapaxes(0, 1).reshape(-1, z.shape[-1])[:count])
        return y.astype(start.dtype), Trace(z, diverging, first)

    def report(self, trace: Trace, count: int | None) -> ChainReport:
        """The diagnostics of concrete chains."""
        z, diverging = np.asarray(trace.z), np.asarray(trace.diverging)
        columns = np.moveaxis(z, (-3, -2), (0, 1)).reshape(*z.shape[-3:-1], -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            r_hat, ess = split_gelman_rubin(columns), effective_sample_size(columns)
        started = bool(np.isfinite(trace.start).all())
        worst, least = float(np.max(r_hat)), float(np.min(ess))
        share = float(diverging.mean(axis=(-1, -2)).max())
        return ChainReport(worst, least, share, count or 1, started)

    def judge(self, trace: Trace, count: int | None) -> None:
        """Raises SamplingError where the chains failed; warns where they should be looked at."""
        report = self.report(trace, count)
        if report.trouble == "fail":
            raise SamplingError(
                given=f"Markov chains on a coupled kernel that did not reach it: {report}"
                if report.started
                else "a coupled kernel whose log density is not finite at any point tried around the clean value",
                expected=f"R-hat below {FAIL[0]} and at most {FAIL[1]:.0%} divergent iterations",
                fix="look at program.sample_report(key, x, ...); is the density proper and in one piece? "
                "Divide by its scales, or change coordinates",
            )
        if report.trouble == "look":
            warnings.warn(
                f"The Markov chains behind these draws may not have settled: {report}. "
                "Look at program.sample_report(key, x, ...), and draw with another key to compare.",
                stacklevel=5,
            )


def chains_on(support, event_ndim: int) -> Chains:
    """Chains on a kernel's support, a SymPy set, whose events have that many axes."""
    return Chains(constraint_on(support, event_ndim))


def _coordinates(constraint, start):
    """The map from R^d to events, log |det| of its derivative (or the weight that stands for it), and start's place."""
    if constraint is constraints.sphere:
        radius = start.size**0.5
        return lambda z: z / jnp.linalg.norm(z), lambda z, y: -jnp.vdot(z, z) / 2, radius * start
    transform = biject_to(constraint)
    shape = transform.inverse_shape(start.shape)

    def log_det(z, y):
        return jnp.sum(transform.log_abs_det_jacobian(z.reshape(shape), y))

    return lambda z: transform(z.reshape(shape)), log_det, transform.inv(start).reshape(-1)


def _begin(key, centre, potential):
    """The lowest potential among random points around the centre and around zero, at several spreads."""
    around = jnp.stack([centre, jnp.zeros_like(centre)])
    spread = jnp.asarray(SPREADS, centre.dtype)[:, None, None]
    noise = random.normal(key, (len(SPREADS), *around.shape), centre.dtype)
    points = (around + spread * noise).reshape(-1, centre.size)
    values = jax.vmap(potential)(points)
    return points[jnp.argmin(jnp.where(jnp.isfinite(values), values, jnp.inf))]
