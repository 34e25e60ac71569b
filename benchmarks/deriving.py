"""How long deriving takes: `python -m benchmarks.deriving [--group GROUP] [--only NAME ...] [--slowest N] [--compile]`.

One row per kernel: those of the families command and the ready families. Seconds to declare it, to derive its score and
level score, and to generate its code as text; their sum, and the processor's part of it (other programs slow the clock,
not the processor). Two more steps stand apart: check, the verdict on the identity, and, with --compile, the program
with its comparison against automatic differentiation, which is XLA's time more than ours.

Each kernel is tried in a process of its own, forked before anything was derived, so that no cache of SymPy or of
symdsm is warm. The target: at most 1 s in the median and 5 s at worst for the sum.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import symdsm as sd
from benchmarks.families import CASES
from symdsm.errors import DerivationError

__all__ = ["MEDIAN", "WORST", "Times", "kernels", "measured"]

MEDIAN, WORST = 1.0, 5.0
STEPS = ("declare", "derive", "generate")
APART = ("check", "compile")
PATIENCE = 120


@dataclass(frozen=True)
class Times:
    """Seconds by step; `processor` is that of the three steps that count, `error` says what stopped it."""

    seconds: dict[str, float]
    processor: float
    error: str = ""

    @property
    def total(self) -> float:
        return sum(self.seconds.get(step, 0.0) for step in STEPS)


def kernels() -> dict:
    """{"group:name": how to declare it} of all kernels."""
    rows = {f"{case.group}:{case.name}": case.declare for case in CASES}
    return rows | {f"families:{name}": getattr(sd.families, name) for name in sd.families.__all__}


def _derived(kernel) -> None:
    _ = kernel.score
    try:
        _ = kernel.level_score
    except DerivationError:
        pass  # a kernel without a level, or without a normaliser


def _steps(declare, compiled: bool) -> Times:
    seconds, processor = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        kernel = None
        actions = {
            "declare": declare,
            "derive": lambda: _derived(kernel),
            "check": lambda: kernel.check(),
            "generate": lambda: kernel.write(Path(folder) / "emitted.py"),
            "compile": lambda: kernel.compile(),
        }
        for step, action in actions.items():
            if step == "compile" and not compiled:
                continue
            begin, own = time.perf_counter(), time.process_time()
            try:
                found = action()
            except Exception as error:  # one kernel that fails must not end the table
                return Times(seconds, processor, f"{step}: {getattr(error, 'given', repr(error))}")
            seconds[step] = time.perf_counter() - begin
            processor += time.process_time() - own if step in STEPS else 0.0
            kernel = found if step == "declare" else kernel
    return Times(seconds, processor)


def measured(declare, compiled: bool = False) -> Times:
    """The times of one kernel, in a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=lambda: theirs.send(_steps(declare, compiled)))
    child.start()
    found = ours.recv() if ours.poll(PATIENCE) else Times({}, 0.0, f"more than {PATIENCE} s")
    child.terminate()
    child.join()
    return found


def _line(name: str, found: Times, shown) -> str:
    cells = "".join(f"{found.seconds.get(step, float('nan')):10.2f}" for step in shown)
    return f"{name:44}{cells}{found.total:10.2f}{found.processor:10.2f}{'  ' * bool(found.error)}{found.error}"


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    rows = kernels()
    groups = sorted({name.split(":")[0] for name in rows})
    parser.add_argument("--group", choices=[*groups, "all"], default="all")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these kernels, of any group")
    parser.add_argument("--slowest", type=int, default=10, metavar="N", help="name the N slowest at the end")
    parser.add_argument("--compile", action="store_true", help="compile and verify the programs as well")
    options = parser.parse_args(argv)
    rows = {name: declare for name, declare in rows.items() if options.group in ("all", name.split(":")[0])}
    if options.only:
        rows = {name: declare for name, declare in rows.items() if name.split(":")[1] in options.only}
    warnings.simplefilter("ignore")
    shown = (*STEPS, *(APART if options.compile else APART[:1]))
    print(f"{'':44}{''.join(f'{step:>10}' for step in shown)}{'sum of 3':>10}{'processor':>10}")
    found = {}
    for name, declare in rows.items():
        found[name] = measured(declare, options.compile)
        print(_line(name, found[name], shown), flush=True)
    done = {name: times for name, times in found.items() if not times.error}
    if not done:
        return 1
    for label, value in (("clock", lambda t: t.total), ("processor", lambda t: t.processor)):
        values = [value(times) for times in done.values()]
        median, worst = statistics.median(values), max(values)
        print(f"\n{len(done)} of {len(found)} kernels, {label}: median {median:.2f} s, worst {worst:.2f} s", end="")
    print(f"; the targets are {MEDIAN:g} s and {WORST:g} s\n")
    for name in sorted(done, key=lambda n: -done[n].total)[: options.slowest]:
        print(_line(name, done[name], shown))
    right = statistics.median(t.total for t in done.values()) <= MEDIAN and max(t.total for t in done.values()) <= WORST
    return 0 if right and len(done) == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
