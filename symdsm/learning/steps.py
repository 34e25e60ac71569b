"""One step of training, and many of them in one compiled loop.

    rows, noise, levels <- fold_in(key, k)
    theta <- theta - rate(k) Adam(clip(grad mean_b loss(theta; x_b, u_b)))
    average <- d average + (1 - d) theta,      d = min(ema, (1 + k) / (10 + k))

Levels are stratified over the batch, u_b = (b + U) / B, which lowers the variance of the loss without bias. The rate
rises over the first steps and falls along a cosine.

With several devices the batch is split over them and everything else is on each: one program, which XLA partitions
(`jax.sharding`), so that the mean over the batch becomes a sum over devices, of this process or of many. The numbers
are those of one device up to the order of that sum.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.objective import Objective
from symdsm.learning.potentials import Potential, given
from symdsm.learning.sources import Rows
from symdsm.learning.weightings import LevelDraws

__all__ = ["BINS", "CHUNK", "Seen", "Settings", "State", "Steps", "mesh_of"]

CHUNK, BINS, _VALIDATION_DRAWS = 100, 8, 1024


class Settings(NamedTuple):
    """All that decides a training run besides data, kernel, network and key."""

    objective: str
    weighting: str
    importance: bool
    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    ema: float
    clip: float
    validation: float
    patience: int | None


class State(NamedTuple):
    """What one step hands to the next."""

    params: Any
    optimiser: Any
    average: Any
    step: Array


class Seen(NamedTuple):
    """What a chunk of steps shows, one row for each step.

    `broken`: a loss or the gradient's norm is not finite, and `worst` and `level` are the position in the batch and the
    level's coordinate of the first such row; `totals` and `counts` are the losses summed in bins of that coordinate.
    """

    loss: Array
    broken: Array
    worst: Array
    level: Array
    totals: Array
    counts: Array


def mesh_of(devices) -> Mesh | None:
    """The devices in a row, along which batches are split; None for the default device."""
    return None if devices is None else Mesh(np.asarray(devices).ravel(), ("batch",))


def _optimiser(settings: Settings) -> optax.GradientTransformation:
    warmup = min(settings.steps // 10, 500)
    rate = optax.warmup_cosine_decay_schedule(0.0, settings.learning_rate, warmup, settings.steps)
    if warmup == 0:
        rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    adam = optax.adamw(rate, weight_decay=settings.weight_decay)
    return optax.chain(optax.clip_by_global_norm(settings.clip), adam)


class Steps:
    """The compiled parts of a run: `chunk` of steps, `validate`, and the state to start from."""

    def __init__(
        self,
        potential: Potential,
        objective: Objective,
        settings: Settings,
        level_draws: LevelDraws | None,
        mesh: Mesh | None,
    ):
        self.potential, self.objective, self.settings = potential, objective, settings
        self.level_draws, self.mesh = level_draws, mesh
        self.optimiser = _optimiser(settings)
        self._whole = None if mesh is None else NamedSharding(mesh, PartitionSpec())
        self.chunk: Callable[..., tuple[State, Seen]] = self._compiled(self._chunk, donate_argnums=0)
        self._by_level = self._compiled(lambda *args: self.losses(*args).reshape(BINS, -1).mean(1))

    def _compiled(self, function, **options):
        """`function` under jit, its results on every device."""
        return jax.jit(function, **options, **({} if self.mesh is None else {"out_shardings": self._whole}))

    def start(self) -> State:
        """Step 0; its arrays are copies, which `chunk` may overwrite."""
        params = jax.tree.map(jnp.copy, eqx.filter(self.potential.net, eqx.is_inexact_array))
        average, first = jax.tree.map(jnp.copy, params), jnp.zeros((), jnp.int32)
        return State(params, self.optimiser.init(params), average, first)

    def everywhere(self, tree: Any) -> Any:
        """The arrays of a PyTree on every device of the mesh."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda a: _placed(a, self._whole) if eqx.is_array(a) else a, tree)

    def with_net(self, params: Any) -> Potential:
        """The potential with these weights, on the default device."""
        local = params if self.mesh is None else jax.tree.map(lambda a: jnp.asarray(np.asarray(a)), params)
        return self._trained(local)

    def _trained(self, params) -> Potential:
        net = eqx.combine(params, eqx.filter(self.potential.net, eqx.is_inexact_array, inverse=True))
        return eqx.tree_at(lambda p: p.net, self.potential, net)

    def _split(self, tree):
        """The leading axis over the devices."""
        if self.mesh is None:
            return tree
        return jax.lax.with_sharding_constraint(tree, NamedSharding(self.mesh, PartitionSpec("batch")))

    def losses(self, params: Any, keys: Array, rows: Rows, u: Array) -> Array:
        """The objective of each row at its level."""
        trained = self._trained(params)

        def one(key, row, u):
            x, context = row
            return self.objective(given(trained, context), key, x, u)

        return jax.vmap(one)(*self._split((keys, rows, u)))

    def slope(self, params: Any, k: Array, key: PRNGKeyArray, source: Any, i: Array) -> tuple[Any, Seen]:
        """The gradient of step k, the i-th of its chunk, and what it shows."""
        size = self.settings.batch_size
        rows_key, noise, levels = jax.random.split(jax.random.fold_in(key, k), 3)
        rows = source(rows_key, size, i)
        u, carried = ((jnp.arange(size) + jax.random.uniform(levels)) / size).astype(rows[0].dtype), 1.0
        if self.level_draws is not None:
            u, carried = self.level_draws(u)

        def loss(params):
            each = carried * self.losses(params, jax.random.split(noise, size), rows, u)
            return jnp.mean(each), each

        (value, each), slope = jax.value_and_grad(loss, has_aux=True)(params)
        bad = ~jnp.isfinite(each)
        finite = jnp.isfinite(optax.global_norm(slope))  # the clipping needs this norm anyway
        worst = jnp.argmax(jnp.where(bad, jnp.inf, each))
        bins = jax.nn.one_hot((u * BINS).astype(int), BINS, dtype=u.dtype)
        seen = Seen(value, bad.any() | ~finite, worst, u[worst], each @ bins, bins.sum(0))
        return slope, seen

    def _chunk(self, state: State, source: Any, key: PRNGKeyArray, n: Array) -> tuple[State, Seen]:
        """n <= CHUNK steps."""
        dtype = self.potential.scaling.centre.dtype
        blank = Seen(*[jnp.zeros(CHUNK, t) for t in (dtype, bool, int, dtype)], *[jnp.zeros((CHUNK, BINS), dtype)] * 2)

        def step(i, carry):
            state, all_seen = carry
            slope, seen = self.slope(state.params, state.step, key, source, i)
            update, optimiser = self.optimiser.update(slope, state.optimiser, state.params)
            params = optax.apply_updates(state.params, update)
            decay = jnp.minimum(self.settings.ema, (1.0 + state.step) / (10.0 + state.step))
            average = jax.tree.map(lambda a, p: (decay * a + (1.0 - decay) * p).astype(a.dtype), state.average, params)
            all_seen = jax.tree.map(lambda rows, row: rows.at[i].set(row.astype(rows.dtype)), all_seen, seen)
            return State(params, optimiser, average, state.step + 1), all_seen

        return jax.lax.fori_loop(0, n, step, (state, blank))

    def validation(self, held_out: Rows, key: PRNGKeyArray) -> Callable[[Any], Array]:
        """weights -> their losses on the held-out rows in bins of the level, always on the same noise."""
        n = _VALIDATION_DRAWS
        keys, u = jax.random.split(key, n), ((jnp.arange(n) + 0.5) / n).astype(held_out[0].dtype)
        at = jax.random.randint(jax.random.fold_in(key, n), (n,), 0, len(held_out[0]))
        rows = jax.tree.map(lambda a: a[at], held_out)
        fixed = self.everywhere((keys, rows, u))
        return lambda params: self._by_level(params, *fixed)


def _placed(a: Array, whole: NamedSharding) -> Array:
    """An array that this process holds, as one that every device of the mesh holds."""
    if a.sharding == whole:
        return a
    if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_placed(jax.random.key_data(a), whole), impl=jax.random.key_impl(a))
    return jax.make_array_from_process_local_data(whole, np.asarray(a))
