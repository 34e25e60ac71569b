"""Posterior sampling with the noise level as a coordinate (continuous tempering).

    u ~ pi(u) on [-1, 1],   latents ~ program with its learned priors at levels.at(max(u, 0))

Hamiltonian Monte Carlo moves the latents and u together. The plateau u <= 0 lies at exactly the lowest level, and the
draws there are the posterior's: a chain watched on a set of positive probability is a Markov chain with the law given
that set, so the first `draws` visits of each chain are posterior draws like any others.

In the coordinates of the descent a change of u moves theta along with its law. A mode far from the mean of all then
moves faster than it is wide, the common step cannot follow it, and chains would seldom come down into it. So each
iteration begins with a stroll: a Metropolis step of the level alone, theta held. With theta = m(u) + c(u) q and
u = fold(SPEED v),

    v' = v + STROLL / sqrt(d) * n,  n ~ N(0, 1);     q' = (theta - m(u')) / c(u')
    accept with probability min(1, exp(log joint(theta; u') + F(u') - log joint(theta; u) - F(u))).

The chain's density in (q, v) is exp(log joint(theta; u) + sum log c(u) + F(u)). With theta held the proposal lives in
the coordinates (theta, v), where dq dv = dtheta dv / prod c(u): the density there is p = exp(log joint + F), free of
c(u). The proposal is symmetric in v, so a move and its reverse both have the rate min(p(theta, v), p(theta, v')) times
one proposal density: detailed balance in (theta, v), and so in (q, v). STROLL / sqrt(d) is about the width over which
the laws of d coordinates at neighbouring levels overlap.

Without a weight the level sinks to where the evidence is largest. We weigh it by exp(F(u)) with F an estimate of
f(u) = -log of the integral of the joint at u, which makes u uniform: half of the time is spent on the plateau. The
descent (`descent.py`) gives a first F. Rounds of warm-up refine its slope by thermodynamic integration, which needs
only the gradient that the sampler has anyway, and add what the visits themselves say (log of wanted over actual
occupancy with a falling gain, as in Wang & Landau 2001), which drives out chains that sit in a well of u. Half-way the
coordinates are corrected by the visits (f does not depend on them, so its estimate goes on). One step serves all
levels: it is tuned for an acceptance of TARGET, and of FLOOR in the zone of u where it is lowest. Then F, the step and
the coordinates are frozen. (Simulated tempering: Marinari & Parisi 1992; continuous: Graham & Storkey 2017,
arXiv:1704.03338.)
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jaxtyping import Array
from tqdm.auto import tqdm

from symdsm.errors import SamplingError
from symdsm.inference.annealing import cold
from symdsm.inference.compiled import Joint
from symdsm.inference.descent import DESCENT_WEIGHT, Descent, descend, energy_in_path, recentred
from symdsm.inference.devices import spread
from symdsm.inference.fixed import least_ess
from symdsm.inference.hamiltonian import hmc
from symdsm.inference.outcome import tempered_tree
from symdsm.inference.paths import RUNGS, SPEED, fold, integral, table_at, uphill
from symdsm.inference.target import Target

__all__ = ["tempered"]

WALKERS, CHUNK = 16, 50
TRAJECTORY, MOST_LEAPFROGS = 1.2, 64
TARGET, FLOOR, ZONES = 0.8, 0.5, 5
STROLL = 0.6
SLOW, TILTS = 1000, (0.0, 4.0, 12.0, 40.0, 120.0)


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
    energy: Array
    leapfrogs: Array


def stroll(log_joint, key, qv: Array, mean: Array, log_scale: Array, weight: Array) -> Array:
    """(q, v) after the Metropolis step of the level alone, from qv (d + 1,)."""
    propose, uniform = random.split(key)
    v = qv[-1] + STROLL / math.sqrt(qv.size - 1) * random.normal(propose, (), qv.dtype)
    u, to = fold(SPEED * qv[-1]), fold(SPEED * v)
    theta = table_at(mean, u) + jnp.exp(table_at(log_scale, u)) * qv[:-1]
    log_ratio = log_joint(theta, to) + table_at(weight, to) - log_joint(theta, u) - table_at(weight, u)
    moved = jnp.append((theta - table_at(mean, to)) * jnp.exp(-table_at(log_scale, to)), v)
    return jnp.where(jnp.log(random.uniform(uniform)) < log_ratio, moved, qv)


def _chunk(log_joint, key, state, mean, log_scale, weight, gain) -> tuple[_State, _Seen]:
    """CHUNK iterations of all chains; `gain` > 0 adapts the step towards its target acceptance."""

    def energy(q, u):
        return energy_in_path(log_joint, q, u, mean, log_scale)

    def potential(qv):
        u = fold(SPEED * qv[-1])
        return energy(qv[:-1], u) - table_at(weight, u)

    def iterate(state, key):
        count, aside, each = random.split(key, 3)
        chains = state.q.shape[0]
        strolled = jax.vmap(lambda k, q: stroll(log_joint, k, q, mean, log_scale, weight))(
            random.split(aside, chains), state.q
        )
        step = jnp.exp(state.log_step)
        longest = jnp.clip(TRAJECTORY / step, 4.0, MOST_LEAPFROGS)
        n = jnp.ceil(longest * random.uniform(count, minval=0.5, maxval=1.5)).astype(int)
        before = fold(SPEED * strolled[:, -1])
        move = jax.vmap(lambda k, q: hmc(k, q, step, n, potential))(random.split(each, chains), strolled)
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
        return state, _Seen(theta, u, slope, move.accept, move.diverging, lp, move.energy, jnp.full(u.shape, n))

    return lax.scan(iterate, state, random.split(key, CHUNK))


def tempered(target: Target, joint: Joint, options, key):
    """A tempered run: descent, warm-up, and draws until each chain has enough at the lowest level."""
    key_start, key_descend, key_run = random.split(key, 3)
    start, scale = cold(target, joint, key_start, max(WALKERS, options.chains))
    bar = tqdm(total=options.draws, disable=not options.progress, desc="coming down from noise", unit="draw")
    descent: Descent = joint(descend, key_descend, start, scale)
    run = _Run(target, joint, descent, options, bar)
    partial_run = False
    try:
        run.warm_up(key_run, math.ceil(options.warmup / CHUNK))
        run.collect(key_run)
    except KeyboardInterrupt:
        partial_run = True
        if run.visits == 0:
            raise
    finally:
        bar.close()
    return tempered_tree(target, run, partial_run, random.fold_in(key, 7))


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

    def __init__(self, target, joint, descent, options, bar):
        self.target, self.joint, self.descent, self.bar, self.options = target, joint, descent, bar, options
        self.chains, self.draws = options.chains, options.draws
        self.weight = integral(descent.slopes)
        self.warm: list[_Seen] = []
        self.kept: list[_Seen] = []
        rungs = np.linspace(0, RUNGS, self.chains, endpoint=False).astype(int)
        v = (jnp.asarray(rungs / RUNGS) + 1e-3) / SPEED
        start = self._inside(descent.walkers[rungs, jnp.arange(self.chains)], v)
        log_step = jnp.full((), math.log(0.1), start.dtype)
        self.state = _State(spread(start, options), log_step, log_step, jnp.full(ZONES, TARGET, start.dtype))

    def _inside(self, theta: Array, v: Array) -> Array:
        """The chains' positions (chains, d + 1) in the coordinates of the descent."""
        u = fold(SPEED * v)
        mean, log_scale = (jax.vmap(table_at, (None, 0))(t, u) for t in (self.descent.mean, self.descent.log_scale))
        return jnp.append((theta - mean) * jnp.exp(-log_scale), v[:, None], 1)

    def _recentre(self):
        seen = self.warm[2:] or self.warm
        theta, u = (np.concatenate([getattr(s, name) for s in seen]) for name in ("theta", "u"))
        self.descent = recentred(self.descent, theta.reshape(u.size, -1), u.ravel())
        q = self._inside(jnp.asarray(theta[-1]), self.state.q[:, -1])
        self.state = self.state._replace(q=spread(q, self.options))

    @property
    def visits(self) -> int:
        """Draws on the plateau of the chain that has fewest."""
        return int(sum((s.u <= 0).sum(0) for s in self.kept).min()) if self.kept else 0

    def _advance(self, key, gain):
        tables = self.descent.mean, self.descent.log_scale, self.weight
        self.state, seen = self.joint(_chunk, key, self.state, *tables, jnp.asarray(gain, self.weight.dtype))
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
            if i == rounds // 2:
                self._recentre()
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
        if self.bar.disable:
            return
        self.bar.n = min(self.visits, self.draws)
        said = {"accept": f"{seen.accept.mean():.2f}", "level": f"{np.maximum(seen.u[-1], 0).mean():.2f}"}
        if self.visits:
            said["ESS"] = f"{self._ess():.0f}"
        self.bar.set_postfix(said)

    def _ess(self):
        """The least effective size so far on the plateau, over about eight coordinates."""
        few = [s.theta[..., :: max(s.theta.shape[-1] // 8, 1)] for s in self.kept]
        theta, u = np.concatenate(few, 0).swapaxes(0, 1), np.concatenate([s.u for s in self.kept]).T
        return least_ess(np.stack([x[low <= 0][: self.visits] for x, low in zip(theta, u, strict=True)]))
