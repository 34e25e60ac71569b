"""Long runs that outlive their process: the record behind `sd.sample(..., checkpoint=PATH)`.

Every sampler here is a loop on the host around compiled functions, and given the key all that it does follows from
what they return. So the results in their order are the whole state, whatever the method: a run that begins again is
answered from its record as far as that goes, then computes. Its draws are those of a run that was never stopped, bit
for bit. What is computed after an interrupt, for the partial answer, must not be recorded: `Joint.value` and `cached`
are not.

    PATH/000000, PATH/000017, ...       parts of the record, each named by the number of the first result in it

A part is written every SECONDS, after the result that is due then, and when the run ends or is interrupted, as arrays
and JSON (`symdsm.learning.arrays`). The JSON is renamed into place last, so a part without it was cut short, and is not
there. Parts are added and never rewritten: the cost is that of the new results, however long the run. On disk a run
takes what its draws take, SMC its particles at every rung.
"""

import os
import re
import time
import warnings
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jaxtyping import Array, PyTree

from symdsm.errors import FitError, SamplingError
from symdsm.inference.compiled import Joint
from symdsm.inference.devices import axes, lay
from symdsm.inference.target import Target
from symdsm.learning import arrays as files

__all__ = ["Record", "identity"]

SECONDS, WHAT = 15.0, "sampling"


def identity(target: Target, joint: Joint, method: str, options, key) -> dict[str, str | int]:
    """What must agree for a run to go on."""
    start = target.cold_trace(random.key(0))
    parallel = options.chain_method == "parallel"
    return {
        "program": _digest(np.frombuffer(re.sub(r"0x[0-9a-f]+", "", joint.text).encode(), np.uint8)),
        "data": _digest(*target.observed.values()),
        "constants": _digest(*joint.constants),
        "start": _digest(*(start[name]["value"] for name in target.latent)),
        "key": _digest(key),
        "method": method,
        "chains": options.chains,
        "draws": options.draws,
        "warmup": options.warmup,
        "devices": len(jax.devices()) if parallel else 1,
        "software": f"symdsm {version('symdsm')}, jax {jax.__version__} on {jax.default_backend()}",
    }


class Record:
    """The results of a run in a folder: `record(call, *args)` reads the next one, then computes and adds to them.

    Raises `SamplingError` for a record of another run, one that is damaged, or a folder that cannot be written.
    """

    def __init__(self, path: str | os.PathLike, run: dict):
        self.folder, self.run = Path(path), run
        self.known: deque = deque()
        self.fresh: list[list[Array]] = []
        self.count, self.part, self.written = 0, self.folder, time.monotonic()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SamplingError(
                given=f"checkpoint={str(path)!r}, where no folder can be made: {error}",
                expected="a folder, or a path where one can be made",
                fix="pass another path",
            ) from error

    def __call__(self, call: Callable, *args) -> PyTree:
        """What `call` returns, or returned when this run made it before."""
        if not self.known and not self.fresh:
            self.known.extend(self._part())
        if self.known:
            self.count += 1
            like, leaves = jax.eval_shape(call, *args), self.known.popleft()
            if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in jax.tree.leaves(like)]:
                raise _damaged(self.part, f"{self.part}, which holds results of other shapes than this run's")
            return jax.tree.unflatten(jax.tree.structure(like), leaves)
        result = call(*args)
        self.fresh.append(jax.tree.leaves(result))
        self.count += 1
        if time.monotonic() - self.written > SECONDS:
            self.write()
        return result

    def write(self) -> None:
        """Add what is new to the record; where the disk refuses, warn and keep it for the next time."""
        if self.fresh:
            part = self.folder / f"{self.count - len(self.fresh):06d}"
            arrays = {f"{i}.{j}": _plain(leaf) for i, leaves in enumerate(self.fresh) for j, leaf in enumerate(leaves)}
            kinds = [[_kind(leaf) for leaf in leaves] for leaves in self.fresh]
            try:
                files.write(part, arrays, {"what": WHAT, "run": self.run, "leaves": kinds})
                self.fresh = []
            except FitError as error:
                warnings.warn(f"The checkpoint was not written; sampling goes on. {error}", stacklevel=3)
        self.written = time.monotonic()

    def _part(self) -> list[list[Array]]:
        """The leaves of the results from number `count` on, as far as one part goes; none when not recorded."""
        part = self.part = self.folder / f"{self.count:06d}"
        if not (part / "meta.json").exists():
            return []
        try:
            arrays, meta = files.read(part)
        except FitError as error:
            raise _damaged(part, error.given) from error
        if meta.get("what") != WHAT:
            raise _damaged(part, f"{part}, which holds something else")
        theirs, kinds = meta["run"], meta["leaves"]
        different = [name for name in self.run if theirs.get(name) != self.run[name]]
        if different:
            raise SamplingError(
                given=f"checkpoint={str(self.folder)!r}, of a run with {_listed(theirs, different)}",
                expected=f"a run with {_listed(self.run, different)}, as in this call, or a new folder",
                fix="pass another path, or delete that folder to start afresh",
            )
        chains = self.run["chains"]
        return [[_leaf(arrays[f"{i}.{j}"], *kind, chains) for j, kind in enumerate(of)] for i, of in enumerate(kinds)]


def _digest(*arrays) -> str:
    return files.array_digest(*(_plain(jnp.asarray(array)) for array in arrays))


def _damaged(part, given):
    return SamplingError(
        given=given,
        expected="a part of the record of a run, as it was written",
        fix=f"delete {part}: the run goes on from what was recorded before",
    )


def _listed(run, names):
    return ", ".join(f"{name}={run.get(name)}" for name in names)


def _is_key(leaf):
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(leaf):
    return np.asarray(random.key_data(leaf) if _is_key(leaf) else leaf)


def _kind(leaf):
    return axes(leaf), str(random.key_impl(leaf)) if _is_key(leaf) else None


def _leaf(array, spec, impl, chains):
    leaf = jnp.asarray(array) if impl is None else random.wrap_key_data(jnp.asarray(array), impl=impl)
    return lay(leaf, spec, chains)
