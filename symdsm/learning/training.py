"""The loop around the compiled steps: checkpoints, interrupts, early stopping, progress, the guard against NaN.

Step k draws its rows, noise and levels from `fold_in(key, k)` (`symdsm.learning.steps`), so that the parameters, the
optimiser's state, the average and k are all there is to save: a resumed run repeats the uninterrupted one bit for
bit, whatever the number of interruptions.

The loss on the held-out rows is looked at about twenty times. With `patience` training ends when so many looks in a
row were no better than the best one, and the averaged weights of the best look are returned (Prechelt, Early stopping
- but when?, 1998).

Of several processes all run the same steps; the first one writes checkpoints and shows progress.
"""

import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PRNGKeyArray
from tqdm.auto import tqdm

from symdsm.errors import FitError
from symdsm.learning import arrays as files
from symdsm.learning.history import History
from symdsm.learning.potentials import Potential
from symdsm.learning.sources import Rows, Sampler, Stream, Table
from symdsm.learning.steps import CHUNK, Seen, State, Steps

__all__ = ["train"]

_LOOKS, _SECONDS_BETWEEN_CHECKPOINTS = 20, 15.0


class _Best(NamedTuple):
    """The averaged weights of the best look, its loss, and how many looks have not been better since."""

    average: Any
    loss: np.ndarray
    since: np.ndarray


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


def _anywhere(flag: list[int]) -> bool:
    """Whether some process was interrupted; all of them must stop at the same step."""
    if jax.process_count() == 1:
        return bool(flag)
    return bool(multihost_utils.process_allgather(np.asarray(bool(flag))).any())


def _stop_on_nan(seen: Seen, first: int, source, key, size: int, level_at) -> None:
    broken = np.flatnonzero(seen.broken)
    if len(broken):
        i = int(broken[0])
        rows_key = jax.random.split(jax.random.fold_in(key, first + i), 3)[0]
        name = source.name(rows_key, size, int(seen.worst[i]))
        raise FitError(
            given=f"a loss or gradient that is not finite at step {first + i} (loss {float(seen.loss[i])}), "
            f"at {level_at(float(seen.level[i]))}, {name}",
            expected="finite losses",
            fix="lower learning_rate, raise the least noise level, or look at that row and the data near that level",
        )


def _restore(path: Path, state: State, best: _Best | None, identity: dict) -> tuple[State, _Best | None, History]:
    arrays, meta = files.read(path)
    different = sorted(k for k in identity if meta.get("identity", {}).get(k) != identity[k])
    if different:
        raise FitError(
            given=f"the checkpoint {path} of another run: {', '.join(different)} differ(s)",
            expected="the same kernel, data, network, key and settings",
            fix="pass resume=False to start afresh, or another checkpoint path",
        )
    history = History({k[8:]: v for k, v in arrays.items() if k.startswith("history.")})
    return files.fill("state", state, arrays), files.fill("best", best, arrays), history


def _save(checkpoint: Path, state: State, best: _Best | None, history: History, identity: dict) -> None:
    arrays = files.leaves("state", state) | files.leaves("best", best)
    try:
        files.write(checkpoint, arrays | {f"history.{k}": v for k, v in history.items()}, {"identity": identity})
    except FitError as error:
        warnings.warn(f"The checkpoint was not written; training goes on. {error}", stacklevel=4)


def _shown(history: History) -> dict[str, str]:
    """What the progress bar tells besides the time left: losses, and by level from least to most noise."""
    told = {"loss": f"{history['loss'][-1]:.4f}"}
    if "validation" in history:
        told["held out"] = f"{history['validation'][-1]:.4f}"
    return told | {"levels": " ".join(f"{loss:.2g}" for loss in history["levels"][-1])}


def train(
    steps: Steps,
    source: Table | Sampler | Stream,
    held_out: Rows,
    key: PRNGKeyArray,
    *,
    level_at: Callable[[float], str],
    identity: dict,
    checkpoint: Path | None,
    resume: bool,
    progress: bool,
) -> tuple[Potential, History, bool]:
    """(potential with the averaged network, history, interrupted). `FitError`: NaN, a foreign checkpoint."""
    settings, state, history = steps.settings, steps.start(), History()
    patience = settings.patience
    best = None if patience is None else _Best(state.average, np.asarray(np.inf), np.asarray(0))
    if resume and checkpoint is not None and (checkpoint / "meta.json").exists():
        state, best, history = _restore(checkpoint, state, best, identity)
        if isinstance(source, Stream):
            source.skip(int(state.step) * settings.batch_size)
    state = steps.everywhere(state)
    steps_key, validation_key = jax.random.split(key)
    source, steps_key = steps.everywhere((source, steps_key))
    validate = steps.validation(held_out, validation_key) if len(held_out[0]) else None
    chunks = -(-settings.steps // CHUNK)
    first_process, saved = jax.process_index() == 0, time.monotonic()
    checkpoint = checkpoint if first_process else None
    bar = tqdm(
        total=settings.steps, initial=int(state.step), disable=not (progress and first_process), unit="step", desc="fit"
    )

    def waiting():
        return best is None or int(best.since) < patience

    with _interrupt_flag() as interrupted, bar:
        while (first := int(state.step)) < settings.steps and waiting() and not _anywhere(interrupted):
            n = min(CHUNK, settings.steps - first)
            rows = steps.everywhere(source.feed(n, settings.batch_size))
            state, seen = steps.chunk(state, rows, steps_key, np.int32(n))
            seen = Seen(*(np.asarray(rows)[:n] for rows in seen))
            _stop_on_nan(seen, first, source, steps_key, settings.batch_size, level_at)
            with np.errstate(invalid="ignore"):
                by_level = seen.totals.sum(0) / seen.counts.sum(0)
            history.add(step=first + n, loss=seen.loss.mean(), levels=by_level)
            number = -(-(first + n) // CHUNK)
            if validate is not None and (number % max(1, chunks // _LOOKS) == 0 or number == chunks):
                by_level = np.asarray(validate(state.average))
                history.add(checked=first + n, validation=by_level.mean(), by_level=by_level)
                best = best and _better(best, state.average, by_level.mean())
            bar.set_postfix(_shown(history), refresh=False)
            bar.update(n)
            if checkpoint is not None and time.monotonic() - saved > _SECONDS_BETWEEN_CHECKPOINTS:
                _save(checkpoint, state, best, history, identity)
                saved = time.monotonic()
        if checkpoint is not None:
            _save(checkpoint, state, best, history, identity)
        stopped = int(state.step) < settings.steps and waiting()
    return steps.with_net(state.average if best is None else best.average), history, stopped


def _better(best: _Best, average, loss) -> _Best:
    if loss < best.loss:
        return _Best(jax.tree.map(jnp.copy, average), np.asarray(loss, np.float64), np.asarray(0))
    return best._replace(since=best.since + 1)
