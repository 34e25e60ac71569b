"""A run: one model file, one folder, stages that are computed once.

A model file defines `main(run)`.  Its work is cut into named stages,

    fit = run.stage("prior", lambda: sd.fit(...))
    posterior = run.stage("posterior", lambda: sd.sample(...))

and each finished stage is kept in the folder in a form that others can read: a fit through `fit.save`, a
posterior as netCDF, everything else as JSON.  `run.json` says which model, seed and versions made the folder
and how long each stage took.  With `resume`, finished stages are read back instead of computed.  Random keys
come from the seed and the stage's name alone, so that a resumed run and a fresh one give the same figures.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import runpy
import shutil
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .describe import describe
from .errors import RunError
from .run_report import PICTURES, ingredients, write_report

if TYPE_CHECKING:
    import jax

RECORD = "run.json"
LIBRARIES = (
    "symdsm",
    "jax",
    "jaxlib",
    "numpy",
    "sympy",
    "equinox",
    "optax",
    "numpyro",
    "arviz",
    "scikit-learn",
)


class Run:
    """The folder of one run of a model file; use it as a context (`with Run(...) as run`).

    - `model`: the model file (only its text and name are used here).
    - `out`: the folder, made when it does not exist.
    - `seed`: from which every key of the run comes.
    - `resume`: go on with the run that the folder holds.

    Raises `RunError` when the folder holds another run, or something that is no run, or is in use.
    """

    def __init__(self, model: str | Path, out: str | Path, *, seed: int = 0, resume: bool = False):
        self.model, self.out, self.seed, self.resume = Path(model), Path(out), seed, resume
        self._lock = None
        self._text = self.model.read_text(encoding="utf-8")

    def __enter__(self) -> Run:
        known = _read_record(self.out)
        self._refuse_what_is_not_ours(known)
        self.out.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.out)
        fresh = {"kernels": {}, "stages": {}, "seconds": {}, "figures": [], "started": _now()}
        self.record: dict[str, Any] = {**fresh, **(known or {}), "status": "running", "finished": None}
        self.record.update(
            model=self.model.as_posix(),
            model_sha256=_digest(self._text),
            seed=self.seed,
            versions=_versions(),
            platform={"system": platform.platform(), "cores": os.cpu_count()},
        )
        self._save()
        self.say(f"{self.model.name}, seed {self.seed}, results in {self.out}")
        return self

    def __exit__(self, kind, error, trace):
        self.record["status"] = "finished" if kind is None else "interrupted" if kind is KeyboardInterrupt else "failed"
        self.record["finished"] = _now()
        self._save()
        self._lock.close()
        if kind is not None:
            self.say(self._how_to_go_on())

    def key(self, name: str) -> jax.Array:
        """A random key that depends on the seed and on `name` only."""
        import jax

        return jax.random.fold_in(jax.random.key(self.seed), zlib.crc32(name.encode()))

    def stage(self, name: str, compute: Callable[[], Any]) -> Any:
        """The result of `compute()`, kept in the folder under `name`; read back when the run is resumed.

        A fit is kept by its own `save`, an xarray DataTree as `name.nc`, anything else must be JSON.  A result
        that Ctrl-C cut short is not kept; the stage may go on from its `checkpoint`.
        """
        done = self.record["stages"].get(name)
        if done and (self.out / done).exists():
            self.say(f"[{name}] kept from before: {self.out / done}")
            return _read(self.out / done)
        self.say(f"[{name}]")
        with self._timed(name):
            result = compute()
            if _cut_short(result):
                raise KeyboardInterrupt
            result, path = _write(self.out / name, result)
        self.record["stages"][name] = path.name
        self._save()
        shutil.rmtree(self.checkpoint(name), ignore_errors=True)
        self.say(f"[{name}] {self.record['seconds'][name]:.1f} s, kept as {path}")
        return result

    def checkpoint(self, name: str) -> Path:
        """A folder in which the stage `name` may keep its state while at work; it goes when the stage is done."""
        return self.out / f"{name}.unfinished"

    def kernel(self, name: str, kernel: Any) -> Any:
        """Show a kernel's derived score and check, write its JAX module as `name.py`; the kernel itself."""
        with self._timed(name):
            derived, check = describe(kernel), str(kernel.check())
            self.say(f"[{name}] derived score\n{derived}")
            self.say(f"[{name}] check\n{textwrap.indent(check, '  ')}")
            kernel.write(self.out / f"{name}.py")
        self.record["kernels"][name] = {"derived": derived, "check": check, "digest": kernel.digest}
        self._save()
        self.say(f"[{name}] {self.record['seconds'][name]:.1f} s, JAX code in {self.out / f'{name}.py'}")
        return kernel

    def note(self, **figures: Any) -> None:
        """Put figures into run.json, at its top, and show them."""
        self.record.update(_plain(figures))
        self.record["figures"] += [name for name in figures if name not in self.record["figures"]]
        self._save()
        for name, value in figures.items():
            self.say(f"  {name} = {_shown(value)}")

    def report(
        self,
        diagnosis: Any,
        *,
        truth: Any,
        observed: Any,
        title: str,
        lead: str = "",
        variable: str = "image",
        posterior: str = "posterior",
        fit: str = "prior",
    ) -> Path:
        """Write report.html about an image; `posterior` and `fit` name the stages that made them.

        `truth` and `observed` are (height, width), NaN where nothing was seen; `variable` is the posterior's.
        """
        np.savez(self.out / PICTURES, truth=truth, observed=observed)
        files = {"posterior": self.record["stages"][posterior], "fit": self.record["stages"][fit]}
        self.record["report"] = ingredients(diagnosis, title=title, lead=lead, variable=variable, **files)
        self._save()
        self.say(f"[verdict] {diagnosis}")
        path = write_report(self.out)
        self.say(f"[report] {path}")
        return path

    def say(self, text: str) -> None:
        """One message to whoever watches, on standard output, at once."""
        print(text, flush=True)

    def _save(self) -> None:
        self.record["seconds"]["all"] = round(
            sum(seconds for name, seconds in self.record["seconds"].items() if name != "all"), 2
        )
        with _in_one_go(self.out / RECORD) as part:
            part.write_text(json.dumps(self.record, indent=2) + "\n", encoding="utf-8")

    def _command(self, *extra: str) -> str:
        seed = ("--seed", str(self.seed)) if self.seed else ()
        return " ".join(("symdsm run", str(self.model), "--out", str(self.out), *seed, *extra))

    def _how_to_go_on(self) -> str:
        finished = ", ".join(self.record["stages"]) or "none"
        begun = "".join(f", {path.stem} half done" for path in sorted(self.out.glob("*.unfinished")))
        return f"\nStopped. Finished stages: {finished}{begun}. To go on: {self._command('--resume')}"

    @contextmanager
    def _timed(self, name: str):
        """Add the seconds that pass to those of a stage, also when it does not come to its end."""
        begin, before = time.perf_counter(), self.record["seconds"].get(name, 0.0)
        try:
            yield
        finally:
            self.record["seconds"][name] = round(before + time.perf_counter() - begin, 2)

    def _refuse_what_is_not_ours(self, known: Mapping[str, Any] | None) -> None:
        elsewhere = "choose another folder with --out"
        if known is None:
            if self.out.is_file() or (self.out.is_dir() and any(self.out.iterdir())):
                raise RunError(
                    given=f"--out {self.out}, which holds something that is no run",
                    expected="a new or empty folder, or one that `symdsm run` made",
                    fix=elsewhere,
                )
            return
        owner = f"the run of {known['model']} with seed {known['seed']} ({known['status']}, {known['started']})"
        ours = (known["seed"], known["model_sha256"]) == (self.seed, _digest(self._text))
        if not self.resume:
            again = f"`{self._command('--resume')}` to go on with it, or " if ours else ""
            raise RunError(
                given=f"--out {self.out}, which holds {owner}",
                expected="a folder without a run",
                fix=f"{again}{elsewhere}",
            )
        if not ours:
            what = "another seed" if known["seed"] != self.seed else "another text of the model file"
            raise RunError(
                given=f"--resume for {self.model} with seed {self.seed}, where {self.out} holds {owner}",
                expected="the same model file and the same seed, or the stages would not fit together",
                fix=f"{elsewhere} (this one was made by {what})",
            )


def run_file(model: str | Path, out: str | Path, *, seed: int = 0, resume: bool = False) -> Run:
    """Execute the `main(run)` of a model file in a folder; the finished run."""
    model = Path(model)
    if not model.is_file():
        raise RunError(given=f"{model}", expected="a model file that exists", fix="check the path")
    with Run(model, out, seed=seed, resume=resume) as run:
        sys.path.insert(0, str(model.resolve().parent))
        try:
            main = runpy.run_path(str(model), run_name=model.stem).get("main")
        finally:
            sys.path.pop(0)
        if main is None:
            raise RunError(
                given=f"{model}, which defines no main",
                expected="a function main(run)",
                fix="write `def main(run): ...` in the model file; models/digits.py is an example",
            )
        main(run)
    return run


def _cut_short(result: Any) -> bool:
    """Fits and posteriors swallow Ctrl-C and return what they have; they say so here."""
    return bool(getattr(result, "interrupted", False) or getattr(result, "attrs", {}).get("partial", 0))


def _write(stem: Path, result: Any) -> tuple[Any, Path]:
    """Keep a result next to `stem`, never half of it; the result as `_read` will give it, and where it is."""
    if hasattr(result, "save"):
        path = stem.with_suffix(".fit")
        with _in_one_go(path) as part:
            result.save(part)
    elif hasattr(result, "to_netcdf"):
        path = stem.with_suffix(".nc")
        with _in_one_go(path) as part:
            result.to_netcdf(part)
    else:
        path = stem.with_suffix(".json")
        with _in_one_go(path) as part:
            part.write_text(json.dumps(_plain(result), indent=2) + "\n", encoding="utf-8")
        result = _read(path)
    return result, path


def _read(path: Path) -> Any:
    if path.suffix == ".fit":
        import symdsm

        return symdsm.load(path)
    if path.suffix == ".nc":
        import arviz

        return arviz.from_netcdf(path).load()
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def _in_one_go(path: Path):
    """A path to write to, which takes the place of `path` only when all went well."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(part, path)
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            shutil.rmtree(part) if part.is_dir() else part.unlink()


def _lock(folder: Path):
    """An open file that nobody else can lock while this process lives."""
    handle = open(folder / ".lock", "w")  # noqa: SIM115
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise RunError(
                given=f"--out {folder}, where another `symdsm run` is at work",
                expected="a folder that nobody else writes to",
                fix="wait for the other run to end, or choose another folder with --out",
            ) from None
    return handle


def _read_record(folder: Path) -> dict[str, Any] | None:
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise RunError(
            given=f"{path}, which is not JSON ({error})",
            expected="the record that `symdsm run` wrote",
            fix="choose another folder with --out",
        ) from None


def _plain(value: Any) -> Any:
    """The value as JSON knows it: arrays become lists, NumPy numbers Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
