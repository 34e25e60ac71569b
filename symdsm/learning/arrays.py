"""Arrays and JSON on disk, replaced as a whole, never pickled.

A checkpoint is a folder with `meta.json` and one `arrays-<digest>.npz`. The arrays are written first, under a
name made of their content; `meta.json` names them and is swapped in by an atomic rename. Whatever happens in
between, a full disk or a killed process, the folder holds the old pair or the new pair.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from symdsm.errors import FitError

__all__ = ["array_digest", "fill", "leaves", "read", "write"]

_FORMAT = "symdsm-1"


def array_digest(*arrays: np.ndarray) -> str:
    """A short name for the content of some arrays: dtype, shape and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def write(path: str | os.PathLike, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write or replace the checkpoint at `path`; `FitError` when the disk refuses, the old one intact."""
    folder = Path(path)
    arrays = {name: np.asarray(value) for name, value in arrays.items()}
    name = f"arrays-{array_digest(*arrays.values())}.npz"
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / name, buffer.getvalue())
        head = json.dumps({**meta, "format": _FORMAT, "arrays": name}, indent=1)
        _replace(folder / "meta.json", head.encode())
        for old in folder.glob("arrays-*.npz*"):
            if old.name != name:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise FitError(
            given=f"{folder}, where writing failed: {error}",
            expected="a folder that can be written, on a disk with room",
            fix="free some space or pass another path; what was saved there before is intact",
        ) from error


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, meta) of the checkpoint at `path`; `FitError` when there is none or it is damaged."""
    folder = Path(path)
    try:
        meta = json.loads((folder / "meta.json").read_text())
        with open(folder / meta["arrays"], "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FitError(
            given=f"{folder}, which cannot be read: {error}",
            expected="a folder written by fit.save(path) or by fit(..., checkpoint=path)",
            fix="check the path",
        ) from error
    if meta.get("format") != _FORMAT:
        raise FitError(
            given=f"{folder} in format {meta.get('format')}",
            expected=f"format {_FORMAT}",
            fix="save it again with this version of symdsm",
        )
    return arrays, meta


def leaves(prefix: str, tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a PyTree, numbered in its own order."""
    found = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
    return {f"{prefix}.{i}": np.asarray(leaf) for i, leaf in enumerate(found)}


def fill(prefix: str, tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """`tree` with its arrays replaced by those that `leaves` wrote; `FitError` when their number differs."""
    dynamic, static = eqx.partition(tree, eqx.is_array)
    old, structure = jax.tree.flatten(dynamic)
    names = [f"{prefix}.{i}" for i in range(len(old))]
    if set(names) != {name for name in arrays if name.startswith(prefix + ".")}:
        raise FitError(
            given=f"a checkpoint whose {prefix!r} does not have {len(old)} arrays",
            expected="the network that was trained",
            fix="pass net= of the same type and size",
        )
    new = [jax.numpy.asarray(arrays[name]) for name in names]
    return eqx.combine(jax.tree.unflatten(structure, new), static)
