"""Where the rows of a batch come from: a table, a sampler, or an iterator.

    table       (rows, *event), and contexts (rows, *context)      rows are drawn with replacement
    sampler     function(key, n) -> n rows, in JAX                 it runs inside the compiled scan: data without end
    iterator    batches of rows of any size, from any library      re-batched, and fed to the scan in stacks

A sampler or an iterator of pairs gives rows with their contexts. `reference` rows are what scales, normaliser and
validation are measured on: the table itself, or the first 4096 rows, which a stream then does not train on.

Each source makes `feed(steps, size)`, a module that is called inside the scan as `rows(key, size, i)` for the rows of
step i.
"""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import DataError, FitError, ParameterError, ShapeError
from symdsm.learning.coordinates import Coordinates

__all__ = ["REFERENCE", "Rows", "Sampler", "Stream", "Table", "is_stream", "reference"]

REFERENCE = 4096

Rows = tuple[Array, Array | None]
"""Clean events (rows, *event) in the coordinates of training, and their contexts or None."""


class Table(eqx.Module):
    """Rows in memory; `names` are their numbers in the data as given."""

    rows: Rows
    names: Array

    def __len__(self) -> int:
        return len(self.rows[0])

    def _chosen(self, key, size):
        return jax.random.randint(key, (size,), 0, len(self))

    def __call__(self, key: PRNGKeyArray, size: int, i: Array) -> Rows:
        """`size` rows drawn with replacement."""
        at = self._chosen(key, size)
        return jax.tree.map(lambda a: a[at], self.rows)

    def feed(self, steps: int, size: int) -> "Table":
        """Itself."""
        return self

    def name(self, key: PRNGKeyArray, size: int, position: int) -> str:
        """The row of the data that stood at this position of a batch."""
        return f"row {int(self.names[self._chosen(key, size)[position]])}"


class Sampler(eqx.Module):
    """Rows made anew in each step by a function of (key, n)."""

    function: Callable = eqx.field(static=True)
    coordinates: Coordinates

    def __call__(self, key: PRNGKeyArray, size: int, i: Array) -> Rows:
        """`size` fresh rows."""
        x, c = _pair(self.function(key, size))
        x = jax.vmap(self.coordinates.forward)(jnp.asarray(x, dtype=float))
        return x, None if c is None else jnp.asarray(c, dtype=float)

    def feed(self, steps: int, size: int) -> "Sampler":
        """Itself."""
        return self

    def name(self, key: PRNGKeyArray, size: int, position: int) -> str:
        """Which of the rows that the function made."""
        return f"row {position} of the sampler's batch"


class _Fed(eqx.Module):
    """A stack (steps, size, *event) of batches."""

    rows: Rows

    def __call__(self, key, size, i):
        return jax.tree.map(lambda a: a[i], self.rows)


class Stream:
    """Rows from an iterator of batches; `coordinates` is set once the first rows are known."""

    def __init__(self, batches: Iterator):
        self._batches, self._kept, self._taken = batches, [], 0
        self.coordinates: Coordinates | None = None

    def take(self, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The next n rows as they come; `FitError` when the iterator ends before."""
        held = sum(len(x) for x, _ in self._kept)
        while held < n:
            try:
                x, c = _pair(next(self._batches))
            except StopIteration:
                raise FitError(
                    given=f"an iterator that ended after {self._taken + held} rows",
                    expected=f"{self._taken + n} rows: {REFERENCE} to measure scales, then batch_size for each step",
                    fix="pass an iterator without end (a generator with while True), an array, or fewer steps",
                ) from None
            self._kept.append((np.asarray(x), None if c is None else np.asarray(c)))
            held += len(self._kept[-1][0])
        x = np.concatenate([x for x, _ in self._kept])
        c = None if self._kept[0][1] is None else np.concatenate([c for _, c in self._kept])
        self._kept = [(x[n:], None if c is None else c[n:])] if len(x) > n else []
        self._taken += n
        return x[:n], None if c is None else c[:n]

    def feed(self, steps: int, size: int) -> _Fed:
        """The rows of the next steps; `DataError` for rows that are not finite or outside the support."""
        first = self._taken
        x, c = self.take(steps * size)
        z = np.asarray(_forward(self.coordinates, jnp.asarray(x, dtype=float)))
        bad = np.flatnonzero(~np.isfinite(z.reshape(len(z), -1)).all(1))
        if len(bad):
            raise DataError(
                given=f"{len(bad)} rows of the iterator that are not finite or outside the support "
                f"(the first is its row {first + int(bad[0])})",
                expected="finite rows inside the support",
                fix="filter the rows before they are given to sd.fit",
            )
        stacked = jax.tree.map(lambda a: jnp.asarray(a, dtype=float).reshape(steps, size, *a.shape[1:]), (z, c))
        return _Fed(stacked)

    def skip(self, rows: int) -> None:
        """Throw rows away, those that a resumed run has trained on."""
        for start in range(0, rows, REFERENCE):
            self.take(min(REFERENCE, rows - start))

    def name(self, key: PRNGKeyArray, size: int, position: int) -> str:
        """Which row of the batch."""
        return f"row {position} of the iterator's batch"


_forward = eqx.filter_jit(lambda coordinates, x: jax.vmap(coordinates.forward)(x))


def is_stream(data: Any) -> bool:
    """Whether the data are a sampler or an iterator."""
    return callable(data) or hasattr(data, "__next__")


def reference(data: Any, context: Any, key: PRNGKeyArray) -> tuple[Any, Any, Stream | None]:
    """(rows, contexts or None, the stream if it is one): what there is to measure on, as given."""
    if not is_stream(data):
        return data, context, None
    if context is not None:
        raise ParameterError(
            given=f"context= beside a {'sampler' if callable(data) else 'iterator'}",
            expected="rows and contexts from one source",
            fix="let it give pairs (rows, contexts)",
        )
    if callable(data):
        x, c = _pair(data(key, REFERENCE))
        if jnp.shape(x)[:1] != (REFERENCE,):
            raise ShapeError(
                given=f"a sampler that returned an array of shape {jnp.shape(x)} for n={REFERENCE}",
                expected="(n, *event), or a pair of such arrays",
                fix="write def sampler(key, n): return jax.random.normal(key, (n, 2)), say",
            )
        return x, c, None
    stream = Stream(data)
    x, c = stream.take(REFERENCE)
    return x, c, stream


def _pair(rows: Any) -> tuple[Any, Any]:
    return rows if isinstance(rows, tuple) else (rows, None)
