"""Which families are right, and where: `python -m benchmarks.families [--group GROUP] [--only NAME ...]`.

One row per kernel of tests.registry. Columns: declares; derives (score derived, JAX code generated and
checked); interior (float64, 1e-9 relative: log density, score and the gradient of the log density); tails
(to 200 interquartile ranges where the support allows, and next to edges); large (shapes of 400); float32
(interior and tails, then the same at large shapes); outside (log_prob is -inf in both precisions); level
(the level score, where there is one); sampler (Kolmogorov-Smirnov, with --samplers); seconds to declare,
derive and generate. "NO" says wrong, "-" not applicable; the reasons go to standard error, each after its row.
"""

import argparse
import os
import statistics
import sys
import time
import warnings

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

from symdsm.symbolic.budget import bounded
from tests.kernels import compare, compare_joint
from tests.kernels.joint import ROWS as JOINT
from tests.kernels.joint import JointCase
from tests.registry import CASES as SCALAR

CASES = (*SCALAR, *JOINT)
COLUMNS = (
    "declares",
    "derives",
    "interior",
    "tails",
    "large",
    "float32",
    "f32 large",
    "outside",
    "level",
    "sampler",
)
EVERYWHERE = ("declares", "derives", "interior", "tails", "large", "float32", "f32 large", "outside")
PATIENCE = 60  # seconds for one step of one case; a step that takes longer counts as wrong
SAMPLER_LEVEL = 0.001 / (3 * len(CASES))

# SymPy 1.14 as it ships, lambdify with JAX, over the same 52 families, measured once: (right in the interior,
# right also in far tails, float32 and large shapes).
SYMPY_ITSELF = {
    "SymPy 1.14 as it ships": (31, 18),
    "  with a hand-made table of special functions": (44, 20),
    "  and expand_log(force=True) before diff": (44, 35),
}


class Row:
    """The verdicts on one case: column -> True, False or None (not applicable), and why each False."""

    def __init__(self, case, samplers: bool):
        self.case, self.seconds = case, float("nan")
        self.how = compare_joint if isinstance(case, JointCase) else compare
        self.verdicts, self.reasons = dict.fromkeys(COLUMNS), {}
        begin = time.perf_counter()
        kernel = self._try("declares", case.declare)
        program = kernel and self._try("derives", lambda: (kernel.score, kernel.compile())[1])
        self.seconds = time.perf_counter() - begin
        if program:
            self._compare(program, samplers)

    @property
    def right(self) -> bool:
        return self.right_but()

    def right_but(self, *left_out: str) -> bool:
        """Right in every column of EVERYWHERE but those left out."""
        asked = [self.verdicts[c] for c in EVERYWHERE if c not in left_out]
        return False not in asked and bool(self.verdicts["derives"])

    def _try(self, column, action):
        """The value of action(), or None with the reason written down."""
        try:
            value = bounded(PATIENCE, action)
        except Exception as error:
            self.verdicts[column] = False
            self.reasons[column] = f"{type(error).__name__}: {' | '.join(str(error).splitlines())[:300]}"
            return None
        self.verdicts[column] = True
        return value

    def _compare(self, program, samplers):
        case = self.case
        self._judge("interior", lambda: self._region(program, "interior", "ordinary", np.float64))
        self._judge("interior", lambda: {"gradient": self.how.compare_gradient(case, program)})
        self._judge("tails", lambda: self._region(program, "tails", "ordinary", np.float64))
        for region in ("interior", "tails"):
            if case.large:
                self._judge("large", lambda r=region: self._region(program, r, "large", np.float64))
                self._judge("f32 large", lambda r=region: self._region(program, r, "large", np.float32))
            self._judge("float32", lambda r=region: self._region(program, r, "ordinary", np.float32))
        if case.outside(case.params):
            for dtype in (np.float64, np.float32):
                self._judge("outside", lambda d=dtype: {"log_prob": self.how.outside(case, program, d)})
        if case.level:
            self._judge("level", lambda: {"level_score": self.how.compare_level(case, program)})
        if samplers:
            self._judge("sampler", lambda: self._sampler(program))

    def _region(self, program, region, shapes, dtype):
        found = self.how.compare(self.case, program, region, shapes, dtype)
        return {f"{region} {name}": worst for name, worst in found.items()}

    def _sampler(self, program):
        p = self.how.sampler_p_value(self.case, program)
        return {"KS": compare.Worst(0.0 if p > SAMPLER_LEVEL else float("inf"), f"p = {p:.2g}")}

    def _judge(self, column, action):
        """Add to a column's verdict: one wrong part makes the column wrong."""
        before = self.verdicts[column]
        parts = self._try(column, action)
        if parts is None:
            return
        wrong = {name: worst for name, worst in parts.items() if not worst.right}
        if wrong:
            said = "; ".join(f"{name} x{worst.ratio:.3g} at {worst.where}" for name, worst in wrong.items())
            self.reasons[column] = "; ".join(filter(None, (self.reasons.get(column), said)))
        self.verdicts[column] = before is not False and not wrong

    def __str__(self):
        marks = [{True: "yes", False: "NO", None: "-"}[self.verdicts[c]] for c in COLUMNS]
        cells = "".join(f"{m:>{len(c) + 2}}" for m, c in zip(marks, COLUMNS, strict=True))
        return f"{self.case.name:26}{cells}{self.seconds:9.2f}"


def table(cases, samplers: bool = False) -> list[Row]:
    """Print the table as it grows and return its rows."""
    print(f"{'':26}{''.join(f'  {c}' for c in COLUMNS)}  seconds")
    rows = []
    for case in cases:
        rows.append(Row(case, samplers))
        print(rows[-1], flush=True)
        for column, reason in rows[-1].reasons.items():
            print(f"    {case.group}:{case.name} [{column}] {reason}", file=sys.stderr, flush=True)
    return rows


def totals(rows) -> None:
    """How many are right in each column and everywhere; SymPy's own figures beside the 52 families."""
    for group in dict.fromkeys(row.case.group for row in rows):
        part = [row for row in rows if row.case.group == group]
        right = sum(row.right for row in part)
        nearly = sum(row.right_but("f32 large") for row in part)
        print(f"\n{group}: {right} of {len(part)} right everywhere; {nearly} leaving out float32 at shapes of 400")
        for column in COLUMNS:
            asked = [row.verdicts[column] for row in part if row.verdicts[column] is not None]
            if asked:
                print(f"  {column:10} {sum(asked)} of {len(asked)}")
        seconds = [row.seconds for row in part]
        print(f"  seconds    median {statistics.median(seconds):.2f}, worst {max(seconds):.2f}")
        if group == "sympy.stats" and len(part) == 52:
            for name, (interior, everywhere) in SYMPY_ITSELF.items():
                print(f"  {name}: interior {interior}, everywhere {everywhere} of 52 (measured once)")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    groups = sorted({case.group for case in CASES})
    parser.add_argument("--group", choices=[*groups, "all"], default="sympy.stats")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these kernels, of any group")
    parser.add_argument("--samplers", action="store_true", help="test the samplers as well")
    options = parser.parse_args(argv)
    if options.only:
        cases = [case for case in CASES if case.name in options.only]
        unknown = set(options.only) - {case.name for case in cases}
        if unknown:
            parser.error(f"no kernel called {', '.join(sorted(unknown))} in tests/registry.py")
    else:
        cases = [case for case in CASES if options.group in (case.group, "all")]
    warnings.simplefilter("ignore", RuntimeWarning)
    rows = table(cases, options.samplers)
    totals(rows)
    return 0 if all(row.right for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
