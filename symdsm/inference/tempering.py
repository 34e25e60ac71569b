"""Posterior sampling with the noise level as a coordinate (continuous tempering).

    u ~ pi(u) on [-1, 1],   latents ~ program with its learned priors at levels.at(max(u, 0))

Hamiltonian Monte Carlo moves the latents and u together. The plateau u <= 0 lies at exactly the lowest level, and the
draws there are the posterior's: a chain watched on a set of positive probability is a Markov chain with the law given
that set, so the first `draws` visits of each chain are posterior draws like any others.

Without a weight the level sinks to where the evidence is largest. We weigh it by exp(F(u)) with F an estimate of
f(u) = -log of the integral of the joint at u, which makes u uniform: half of the time is spent on the plateau. The
descent (`descent.py`) gives a first F. Rounds of warm-up refine its slope by thermodynamic integration, which needs
only the gradient that the sampler has anyway, and add what the visits themselves say (log of wanted over actual
occupancy with a falling gain, as in Wang & Landau 2001), which drives out chains that sit in a well of u. One step
serves all levels: it is tuned for an acceptance of TARGET, and of FLOOR in the zone of u where it is lowest. Then F,
the step and the coordinates are frozen. (Simulated tempering: Marinari & Parisi 1992; continuous: Graham & Storkey
2017, arXiv:1704.03338.)
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jaxtyping import Array, PRNGKeyArray
from tqdm.auto import tqdm

from symdsm.errors import ParameterError, SamplingError
from symdsm.inference.descent import Descent, descend, energy_in_path
from symdsm.inference.hamiltonian import hmc
from symdsm.inference.outcome import tempered_tree
from symdsm.inference.paths import RUNGS, SPEED, fold, integral, table_at, uphill
from symdsm.inference.plain import plain_nuts
from symdsm.inference.target import Target, staged

__all__ = ["sample"]

WALKERS, CHUNK = 16, 50
TRAJECTORY, MOST_LEAPFROGS = 1.2, 64
TARGET, FLOOR, ZONES = 0.8, 0.5, 5
DESCENT_WEIGHT = 16.0
SLOW, TILTS = 400, (0.0, 4.0, 12.0, 40.0, 120.0)


def sample(
    program: Callable,
    *args,
    key: PRNGKeyArray,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 1000,
    method: str = "tempered",
    progress: bool = True,
    init: dict[str, Array] | None = None,
    **kwargs,
):
    """Draw from the posterior of a NumPyro program; `args` and `kwargs` are the program's own.

    `method` is "tempered", the level as a coordinate from a cold start at the largest noise, or "nuts", NumPyro's
    NUTS at the lowest level. A program without a latent `LearnedPrior` has no level and is sampled by NUTS. `init`
    gives starting values of latent sites on their own supports; other sites start from noise.

    Returns an xarray DataTree with the groups `posterior` (exactly `draws` per chain, at the lowest level, with the
    program's deterministic sites), `sample_stats`, `observed_data` and, when tempered, `levels`: draws at the other
    levels with their level, and the path of the level's coordinate. The same key gives the same draws. Ctrl-C
    returns the draws so far, with `attrs["partial"]` 1.

    Raises `SamplingError` when the program is impossible at every start (naming the site) or when a chain does not
    come down to the lowest level often enough (with the level's path), `ShapeError` and `DataError` for data that do
    not fit their site, `ParameterError` for options that are not.
    """
    _check_options(chains, draws, warmup, method)
    target = Target(program, args, kwargs, dict(init or {}))
    if method == "nuts" or not target.learned:
        note = "" if target.learned else "no latent LearnedPrior: levels do not apply, plain NUTS"
        if note and progress and method != "nuts":
            tqdm.write(note)
        return plain_nuts(target, key, chains, draws, warmup, progress, note)
    return _tempered(target, key, chains, draws, warmup, progress)


class _State(NamedTuple):
    """Carried: positions (chains, size + 1), the last entry v; the common log step and its average; the running
    acceptance in each zone of u."""

    q: Array
    log_step: Array
    average: Array
    accept: Array


class _Seen(NamedTuple):
    """Reported per iteration and chain; `slope` is dV/du, without the weight F."""

    theta: Array
    u: Array
    slope: Array
    accept: Array
    diverging: Array
    potential: Array
    leapfrogs: Array


class _Sampler(NamedTuple):
    """Compiled parts for one text of the log joint; the first argument of each is the constants."""

    log_joint: Callable
    descend: Callable
    chunk: Callable


_SAMPLERS: OrderedDict[str, _Sampler] = OrderedDict()


def _sampler(text: str, pure: Callable) -> _Sampler:
    """The compiled sampler for a program's text; the last few are kept."""
    if text not in _SAMPLERS:

        @jax.jit
        def descent(constants, key, start, scale):
            return descend(partial(pure, constants), key, start, scale)

        @jax.jit
        def chunk(constants, key, state, mean, log_scale, weight, gain):
            return _chunk(partial(pure, constants), key, state, mean, log_scale, weight, gain)

        _SAMPLERS[text] = _Sampler(jax.jit(pure), descent, chunk)
        while len(_SAMPLERS) > 16:
            _SAMPLERS.popitem(last=False)
    _SAMPLERS.move_to_end(text)
    return _SAMPLERS[text]


def _chunk(log_joint, key, state, mean, log_scale, weight, gain) -> tuple[_State, _Seen]:
    """CHUNK iterations of all chains; `gain` > 0 adapts the step towards its target acceptance."""

    def energy(q, u):
        return energy_in_path(log_joint, q, u, mean, log_scale)

    def potential(qv):
        u = fold(SPEED * qv[-1])
        return energy(qv[:-1], u) - table_at(weight, u)

    def iterate(state, key):
        count, each = random.split(key)
        step = jnp.exp(state.log_step)
        longest = jnp.clip(TRAJECTORY / step, 4.0, MOST_LEAPFROGS)
        n = jnp.ceil(longest * random.uniform(count, minval=0.5, maxval=1.5)).astype(int)
        keys, before = random.split(each, state.q.shape[0]), fold(SPEED * state.q[:, -1])
        move = jax.vmap(lambda k, q: hmc(k, q, step, n, potential))(keys, state.q)
        u = fold(SPEED * move.q[:, -1])
        theta = jax.vmap(lambda q, u: table_at(mean, u) + jnp.exp(table_at(log_scale, u)) * q)(move.q[:, :-1], u)
        slope = move.grad[:, -1] / SPEED * uphill(SPEED * move.q[:, -1]) + jax.vmap(
            jax.grad(lambda u: table_at(weight, u))
        )(u)
        zone = jnp.floor(jnp.clip(before, 0.0, 0.999) * ZONES).astype(int)
        fresh = jnp.zeros(ZONES).at[zone].add(move.accept - state.accept[zone])
        accept = state.accept + 0.05 * fresh
        excess = jnp.minimum(jnp.mean(move.accept) - TARGET, jnp.min(accept) - FLOOR)
        log_step = state.log_step + gain * excess
        state = _State(move.q, log_step, state.average + 0.02 * (log_step - state.average), accept)
        lp = -move.potential - table_at(weight, u)
        return state, _Seen(theta, u, slope, move.accept, move.diverging, lp, jnp.full(u.shape, n))

    return lax.scan(iterate, state, random.split(key, CHUNK))


def _tempered(target: Target, key, chains, draws, warmup, progress):
    example = jnp.zeros(target.size), jnp.zeros(())
    text, _, _ = staged(jax.value_and_grad(target.log_joint), *example)
    _, constants, pure = staged(target.log_joint, *example)
    sampler = _sampler(text, pure)
    key_start, key_descend, key_run = random.split(key, 3)
    walkers = max(WALKERS, chains)
    start = target.starts(key_start, walkers, partial(sampler.log_joint, constants))
    scale = jnp.full(target.size, 1.0) * jnp.maximum(jnp.std(start, 0), 1e-3)
    bar = tqdm(total=draws, disable=not progress, desc="coming down from noise", unit="draw")
    descent: Descent = sampler.descend(constants, key_descend, start, scale)
    run = _Run(target, sampler, constants, descent, chains, draws, bar)
    try:
        run.warm_up(key_run, math.ceil(warmup / CHUNK))
        run.collect(key_run)
        partial_run = False
    except KeyboardInterrupt:
        partial_run = True
        if run.visits == 0:
            raise
    finally:
        bar.close()
    return tempered_tree(target, run, partial_run)


def occupancy_push(u: np.ndarray) -> np.ndarray:
    """log(wanted / actual) occupancy of the plateau (half of the time) and of 8 zones above it, at each rung."""
    zones = 8
    visits = np.histogram(u, np.concatenate([[-1.0], np.arange(zones + 1) / zones]))[0]
    wanted = np.concatenate([[0.5], np.full(zones, 0.5 / zones)])
    push = np.log(wanted / ((visits + 5 * wanted) / (visits.sum() + 5)))
    push = np.clip(push, -2.0, 2.0)
    centres = np.concatenate([[0.0], (np.arange(zones) + 0.5) / zones])
    return np.interp(np.arange(RUNGS + 1) / RUNGS, centres, push)


class _Run:
    """One run: adapts during `warm_up`, then collects until every chain has its draws on the plateau."""

    def __init__(self, target, sampler, constants, descent, chains, draws, bar):
        self.target, self.sampler, self.constants, self.bar = target, sampler, constants, bar
        self.chains, self.draws = chains, draws
        self.descent = descent
        self.weight = integral(descent.slopes)
        self.warm: list[_Seen] = []
        self.kept: list[_Seen] = []
        rungs = np.linspace(0, RUNGS, chains, endpoint=False).astype(int)
        u = jnp.asarray(rungs / RUNGS) + 1e-3
        theta = descent.walkers[rungs, jnp.arange(chains)]
        q = jax.vmap(lambda t, u: (t - table_at(descent.mean, u)) * jnp.exp(-table_at(descent.log_scale, u)))(theta, u)
        log_step = jnp.full((), math.log(0.1), q.dtype)
        self.state = _State(
            jnp.concatenate([q, u[:, None] / SPEED], 1), log_step, log_step, jnp.full(ZONES, TARGET, q.dtype)
        )

    @property
    def visits(self) -> int:
        """Draws on the plateau of the chain that has fewest."""
        return int(sum((s.u <= 0).sum(0) for s in self.kept).min()) if self.kept else 0

    def _advance(self, key, gain):
        tables = self.descent.mean, self.descent.log_scale, self.weight
        self.state, seen = self.sampler.chunk(
            self.constants, key, self.state, *tables, jnp.asarray(gain, self.weight.dtype)
        )
        return jax.tree.map(np.asarray, seen)

    def warm_up(self, key, rounds):
        """Rounds that adapt the step and re-estimate the weight, its slope from all samples since the third round."""
        total, count = DESCENT_WEIGHT * np.asarray(self.descent.slopes), np.full(RUNGS, DESCENT_WEIGHT)
        push = np.zeros(RUNGS + 1)
        for i in range(rounds):
            self.bar.set_description("warming up")
            seen = self._advance(random.fold_in(key, i), 0.1 / (1 + i / 5))
            self.warm.append(seen)
            push = push + occupancy_push(seen.u) / (1 + i / 5)
            recent = self.warm[2:] if i > 4 else self.warm
            u, slope = (np.concatenate([getattr(s, name).ravel() for s in recent]) for name in ("u", "slope"))
            above = (u > 0) & np.isfinite(slope)
            bins = np.minimum((u[above] * RUNGS).astype(int), RUNGS - 1)
            sums = total + np.bincount(bins, slope[above], RUNGS)
            slopes = jnp.asarray(sums / (count + np.bincount(bins, minlength=RUNGS)))
            self.weight = integral(slopes) + jnp.asarray(push - push[0])
            self._tell(seen)
        self.state = self.state._replace(log_step=self.state.average if rounds > 3 else self.state.log_step)

    def collect(self, key):
        """Chunks until the slowest chain has its draws.

        Where chains hardly come down, the weight is tilted towards low levels by TILTS[k] (1 - u) and the collection
        starts again: a frozen weight, so the draws are exact for each tilt; the level travels less.
        """
        for k, tilt in enumerate(TILTS):
            self.kept, self.tilt = [], tilt
            self.weight = self.weight - jnp.asarray(tilt - (TILTS[k - 1] if k else 0.0)) * jnp.arange(RUNGS + 1) / RUNGS
            self.bar.set_description(f"sampling, tilt {tilt:g}" if tilt else "sampling")
            for i in range(math.ceil((4 * self.draws + SLOW) / CHUNK)):
                seen = self._advance(random.fold_in(key, 10**6 * (k + 1) + i), 0.0)
                self.kept.append(seen)
                self._tell(seen)
                if self.visits >= self.draws:
                    return
                if CHUNK * (i + 1) >= SLOW and 8 * self.visits < CHUNK * (i + 1):
                    break
        u = np.concatenate([s.u for s in self.kept])
        path = "; ".join(
            f"chain {c}: {int((u[:, c] <= 0).sum())} visits of the lowest level, u from {u[:, c].min():.2f} to"
            f" {u[:, c].max():.2f}, last {np.array2string(np.maximum(u[-5:, c], 0), precision=2)}"
            for c in range(self.chains)
        )
        raise SamplingError(
            given=f"{len(u)} iterations with this path of the level's coordinate (0 lowest, 1 highest): {path}",
            expected=f"{self.draws} draws of every chain at the lowest level",
            fix="train the energy longer, ask for a longer warmup, or narrow the levels of the fit",
        )

    def _tell(self, seen):
        self.bar.n = min(self.visits, self.draws)
        self.bar.set_postfix(accept=f"{seen.accept.mean():.2f}", level=f"{np.maximum(seen.u[-1], 0).mean():.2f}")


def _check_options(chains, draws, warmup, method):
    for name, value, least in (("chains", chains, 1), ("draws", draws, 1), ("warmup", warmup, 0)):
        if not isinstance(value, int) or value < least:
            raise ParameterError(
                given=f"{name}={value!r}", expected=f"a whole number, at least {least}", fix=f"pass {name}={least}"
            )
    if method not in ("tempered", "nuts"):
        raise ParameterError(
            given=f"method={method!r}", expected='"tempered" or "nuts"', fix='leave method out: it is "tempered"'
        )
