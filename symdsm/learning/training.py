"""The training loop: Adam on one objective, a whole chunk of steps in one compiled scan.

Step k draws its rows, noise and levels from `fold_in(key, k)`, so that the parameters, the optimiser's state,
the average and k are all there is to save: a resumed run repeats the uninterrupted one bit for bit. Levels
are stratified over the batch, u_b = (b + U) / B, which lowers the variance of the loss without bias. The
learning rate rises over the first steps and falls along a cosine; gradients are clipped by their norm; the
returned parameters are an exponential average with the decay min(ema, (1 + k) / (10 + k)).
"""

import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray
from tqdm.auto import tqdm

from symdsm.errors import FitError
from symdsm.learning import arrays as files
from symdsm.learning.objective import Objective
from symdsm.learning.potentials import Potential, given
from symdsm.learning.weightings import LevelDraws

__all__ = ["History", "Settings", "train"]

_CHUNK, _BINS, _VALIDATION_DRAWS, _SECONDS_BETWEEN_CHECKPOINTS = 100, 8, 1024, 15.0


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


class History(dict):
    """Arrays by name: step and loss for each chunk; checked, validation and by_level (least to most noise)
    after some.

    Compared and hashed by identity, so that a fit can be passed through `jax.jit`.
    """

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other

    def add(self, **numbers) -> None:
        """Append one number or row to each named array."""
        for name, value in numbers.items():
            row = np.asarray(value, np.float64)[None]
            self[name] = np.concatenate([self[name], row]) if name in self else row


class State(NamedTuple):
    """What one step hands to the next."""

    params: Any
    optimiser: Any
    average: Any
    step: Array


Rows = tuple[Array, Array | None]
"""Clean events (rows, *event), and their contexts or None."""


def _optimiser(settings: Settings) -> optax.GradientTransformation:
    warmup = min(settings.steps // 10, 500)
    rate = optax.warmup_cosine_decay_schedule(0.0, settings.learning_rate, warmup, settings.steps)
    if warmup == 0:
        rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    adam = optax.adamw(rate, weight_decay=settings.weight_decay)
    return optax.chain(optax.clip_by_global_norm(settings.clip), adam)


def _with_net(potential: Potential, params: Any) -> Potential:
    net = eqx.combine(params, eqx.filter(potential.net, eqx.is_inexact_array, inverse=True))
    return eqx.tree_at(lambda p: p.net, potential, net)


def _losses(potential, objective: Objective, params, keys, rows, u):
    """The objective of each row (clean event, context or None)."""
    trained = _with_net(potential, params)

    def one(key, row, u):
        x, context = row
        return objective(given(trained, context), key, x, u)

    return jax.vmap(one)(keys, rows, u)


def _rows(data, at):
    return jax.tree.map(lambda a: a[at], data)


def _count(data) -> int:
    return len(data[0])


def _make_chunk(potential: Potential, objective: Objective, settings: Settings, level_draws: LevelDraws | None):
    optimiser, size = _optimiser(settings), settings.batch_size

    def advance(state: State, data, key):
        rows, noise, levels = jax.random.split(jax.random.fold_in(key, state.step), 3)
        x = _rows(data, jax.random.randint(rows, (size,), 0, _count(data)))
        u, carried = ((jnp.arange(size) + jax.random.uniform(levels)) / size).astype(x[0].dtype), 1.0
        if level_draws is not None:
            u, carried = level_draws(u)

        def loss(params):
            each = carried * _losses(potential, objective, params, jax.random.split(noise, size), x, u)
            return jnp.mean(each), each

        (value, each), slope = jax.value_and_grad(loss, has_aux=True)(state.params)
        bad = ~jnp.isfinite(each)
        finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slope)])
        broken = bad.any() | ~finite.all()
        where = jnp.stack([u[jnp.argmax(jnp.where(bad, jnp.inf, each))], broken.astype(u.dtype)])
        update, optimiser_state = optimiser.update(slope, state.optimiser, state.params)
        params = optax.apply_updates(state.params, update)
        decay = jnp.minimum(settings.ema, (1.0 + state.step) / (10.0 + state.step))
        average = jax.tree.map(lambda a, p: (decay * a + (1.0 - decay) * p).astype(a.dtype), state.average, params)
        return State(params, optimiser_state, average, state.step + 1), (value, where)

    @partial(jax.jit, donate_argnums=0)
    def chunk(state: State, data, key):
        def step(state, _):
            dtype = data[0].dtype
            idle = (jnp.zeros((), dtype), jnp.zeros(2, dtype))
            return jax.lax.cond(
                state.step < settings.steps, lambda s: advance(s, data, key), lambda s: (s, idle), state
            )

        return jax.lax.scan(step, state, None, length=min(_CHUNK, settings.steps))

    return chunk


def _make_validation(potential: Potential, objective: Objective, data, key):
    """Losses of the averaged network on the held-out rows, by level, always on the same noise."""
    n = _VALIDATION_DRAWS
    keys, u = jax.random.split(key, n), ((jnp.arange(n) + 0.5) / n).astype(data[0].dtype)
    x = _rows(data, jax.random.randint(jax.random.fold_in(key, n), (n,), 0, _count(data)))

    @jax.jit
    def validate(average):
        return _losses(potential, objective, average, keys, x, u).reshape(_BINS, -1).mean(1)

    return validate


@contextmanager
def _interrupt_flag():
    """A list that grows at the first Ctrl-C; the second one interrupts as usual."""
    flag: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def note(signum, frame):
        flag.append(signum)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


def _stop_on_nan(losses, where, first_step: int, level_at) -> None:
    broken = np.flatnonzero(where[:, 1] > 0)
    if len(broken):
        step = int(broken[0])
        raise FitError(
            given=f"a loss or gradient that is not finite at step {first_step + step} "
            f"(loss {float(losses[step])}), at {level_at(float(where[step, 0]))}",
            expected="finite losses",
            fix="lower learning_rate, raise the least noise level, or look at the data near that level",
        )


def _restore(path: Path, template: State, identity: dict) -> tuple[State, History]:
    arrays, meta = files.read(path)
    different = sorted(k for k in identity if meta.get("identity", {}).get(k) != identity[k])
    if different:
        raise FitError(
            given=f"the checkpoint {path} of another run: {', '.join(different)} differ(s)",
            expected="the same kernel, data, network, key and settings",
            fix="pass resume=False to start afresh, or another checkpoint path",
        )
    history = History({k[8:]: v for k, v in arrays.items() if k.startswith("history.")})
    return files.fill("state", template, arrays), history


def train(
    potential: Potential,
    objective: Objective,
    data: Rows,
    held_out: Rows,
    key: PRNGKeyArray,
    settings: Settings,
    *,
    level_at: Callable[[float], str],
    identity: dict,
    checkpoint: Path | None,
    resume: bool,
    progress: bool,
    level_draws: LevelDraws | None = None,
) -> tuple[Potential, History, bool]:
    """(potential with the averaged network, history, interrupted). `FitError`: NaN, a foreign checkpoint."""
    params = jax.tree.map(jnp.copy, eqx.filter(potential.net, eqx.is_inexact_array))
    average, start = jax.tree.map(jnp.copy, params), jnp.zeros((), jnp.int32)
    state = State(params, _optimiser(settings).init(params), average, start)
    history = History()
    if resume and checkpoint is not None and (checkpoint / "meta.json").exists():
        state, history = _restore(checkpoint, state, identity)
    steps_key, validation_key = jax.random.split(key)
    chunk = _make_chunk(potential, objective, settings, level_draws)
    validate = _make_validation(potential, objective, held_out, validation_key) if _count(held_out) else None
    chunks = -(-settings.steps // _CHUNK)
    saved = time.monotonic()

    def save(state):
        if checkpoint is not None:
            arrays = files.leaves("state", state) | {f"history.{k}": v for k, v in history.items()}
            try:
                files.write(checkpoint, arrays, {"identity": identity})
            except FitError as error:
                warnings.warn(f"The checkpoint was not written; training goes on. {error}", stacklevel=2)

    with (
        _interrupt_flag() as interrupted,
        tqdm(total=settings.steps, initial=int(state.step), disable=not progress, unit="step", desc="fit") as bar,
    ):
        while (first := int(state.step)) < settings.steps and not interrupted:
            state, (losses, where) = chunk(state, data, steps_key)
            done = int(state.step) - first
            losses, where = np.asarray(losses)[:done], np.asarray(where)[:done]
            _stop_on_nan(losses, where, first, level_at)
            history.add(step=first + done, loss=losses.mean())
            number = -(-(first + done) // _CHUNK)
            if validate is not None and (number % max(1, chunks // 20) == 0 or number == chunks):
                by_level = np.asarray(validate(state.average))
                history.add(checked=first + done, validation=by_level.mean(), by_level=by_level)
            bar.update(done)
            shown = {"loss": f"{losses.mean():.4f}"}
            if "validation" in history:
                shown["held out"] = f"{history['validation'][-1]:.4f}"
            bar.set_postfix(shown)
            if time.monotonic() - saved > _SECONDS_BETWEEN_CHECKPOINTS:
                save(state)
                saved = time.monotonic()
        save(state)
    return _with_net(potential, state.average), history, int(state.step) < settings.steps
