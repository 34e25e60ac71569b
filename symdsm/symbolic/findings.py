"""What a check found, in a form for people and in one for programs.

Rows of a report, each with one or more findings:

    law                   the transition law of an SDE exists, where that is a condition on its parameters
    edges, jumps, swap    the identity  D log q(y) = E[D log p(y | x) | y]  itself      -> identity_holds
    variance              E score^2 finite                                              -> holds, with the identity
    level                 the same for D = d/dlevel                                     -> level_holds
    mean                  E[score | x], for a control variate
    shrinks               the kernel shrinks to a point: annealing needs it, the identity does not
    boundary              p score -> 0 at the ends: implicit score matching needs it, the identity does not

A verdict is one of: proven, holds if, fails, seen numerically, unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from symdsm.symbolic.booleans import tidy_boolean

__all__ = ["Finding", "Judgement", "Regularity", "Remedy", "tidy_boolean"]

_IDENTITY, _VARIANCE, _LEVEL = ("law", "edges", "jumps", "swap"), ("variance",), ("level",)
_REQUIRED, _ASIDES = _IDENTITY + _VARIANCE + _LEVEL, ("mean", "boundary")

_TITLES = {
    "law": "The kernel is a law: its variance is positive",
    "edges": "The support does not move with the clean value, or the density vanishes at the moving edge",
    "jumps": "No jump or pole of the density at a place that moves with the clean value",
    "swap": "Differentiation and the integral over the clean values may be swapped",
    "variance": "The regression target has a finite variance",
    "level": "The level score can be matched as well (dual score matching)",
    "mean": "Mean of the target given the clean value (subtract it and it is a control variate)",
    "shrinks": "The noise shrinks to nothing at one end of the levels (for annealing only)",
    "boundary": "p times score vanishes at the ends (for implicit score matching only)",
}


class Remedy(str):
    """What to do, in words followed by the lines to type.

    `code` are these lines; they use `kernel`, `sd` (symdsm), `sp` (sympy) and `st` (sympy.stats), and those that
    repair the kernel leave the new one in `repaired`. Empty where there is nothing to type.
    """

    code: str

    def __new__(cls, words: str, code: str = ""):
        remedy = super().__new__(cls, f"{words}: {code}" if code else words)
        remedy.code = code
        return remedy

    def __getnewargs__(self):
        return (str(self).removesuffix(f": {self.code}") if self.code else str(self)), self.code


@dataclass(frozen=True)
class Finding:
    """One condition: its row, the verdict, when it holds (a SymPy Boolean, or None), why, and what to do if not.

    `value` is what was derived on the way, such as E[score | x] in the row "mean".
    """

    row: str
    verdict: str
    when: sp.Basic | None
    reason: str
    remedies: tuple[Remedy, ...] = ()
    value: Any = None


@dataclass(frozen=True)
class Judgement:
    """The verdict at given parameter values, in plain Python: True, False, or None when undecided.

    `mean` says whether E[score | x] is finite and known, `boundary` whether p score vanishes at the ends.
    """

    identity: bool | None
    variance: bool | None
    level: bool | None
    mean: bool | None
    boundary: bool | None
    reason: str
    remedy: str


@dataclass(frozen=True)
class Regularity:
    """The conditions of denoising score matching for one kernel.

    `identity_holds`, `holds` (identity and finite variance) and `level_holds` are SymPy Booleans in the parameters,
    or None when undecided. `findings` says why, `remedies` what to do, `notes` what could not be derived. Printing it
    gives the report.
    """

    findings: tuple[Finding, ...]
    clean: sp.Basic | dict
    level: sp.Symbol | None
    params: tuple[sp.Basic, ...]
    notes: tuple[str, ...] = ()
    declaration: Any = field(default=None, compare=False, repr=False)

    def _all(self, rows) -> sp.Basic | None:
        conditions = [f.when for f in self.findings if f.row in rows]
        known = sp.And(*[c for c in conditions if c is not None])
        return None if None in conditions and known is not sp.false else tidy_boolean(known)

    def _aside(self, row) -> sp.Basic | None:
        """As `_all`, for a row that a kernel need not have: None without it."""
        return self._all((row,)) if any(f.row == row for f in self.findings) else None

    @cached_property
    def identity_holds(self) -> sp.Basic | None:
        return self._all(_IDENTITY)

    @cached_property
    def holds(self) -> sp.Basic | None:
        return self._all(_IDENTITY + _VARIANCE)

    @cached_property
    def level_holds(self) -> sp.Basic | None:
        if self.level is None:
            return sp.false
        return self._all(("law", *_LEVEL))

    @property
    def mean_score(self) -> sp.Basic | dict | None:
        """E[score | x], p at the upper ends minus p at the lower ones; None if not finite or not known."""
        return next((f.value for f in self.findings if f.row == "mean"), None)

    @cached_property
    def fisher_information(self) -> sp.Expr | None:
        """E[score^2 | x] as SymPy, oo where it is infinite; None without a closed form."""
        if self.declaration is None:
            return None
        from symdsm.symbolic.information import fisher_information

        found = fisher_information(self.declaration)
        return None if found.expr is None else found.exact

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What to do about every condition that is not proven."""
        return _remedies(f for f in self.findings if f.row in _REQUIRED and f.when is not sp.true)

    def judge(self, clean: Sequence[float] | None = None, /, **values: Any) -> Judgement:
        """The conditions with parameter values put in, and with clean values where a condition speaks of them.

        True where it holds for all of them, False where it fails for one; arrays count entry by entry.
        """
        names = {s.name: s for s in self.params if isinstance(s, sp.Symbol)}
        given = {names[n]: v for n, v in values.items() if n in names}
        if clean is not None and isinstance(self.clean, sp.Symbol):
            given[self.clean] = clean
        puts = [dict(zip(given, point, strict=True)) for point in product(*map(_numbers, given.values()))]
        identity, variance, level, mean, boundary = (
            _decide(c, puts)
            for c in (self.identity_holds, self._all(_VARIANCE), self.level_holds, *map(self._aside, _ASIDES))
        )
        rows = dict.fromkeys(_IDENTITY, identity) | {"variance": variance, "level": level}
        troubled = [
            f for f in self.findings
            if f.row in rows and rows[f.row] is not True and _decide(f.when, puts) is not True
        ]  # fmt: skip
        reason = "; ".join(f.reason for f in troubled)
        return Judgement(identity, variance, level, mean, boundary, reason, "; ".join(_remedies(troubled)))

    def __str__(self) -> str:
        lines = [f"Is denoising score matching valid for this kernel? {self._headline()}", ""]
        for row, title in _TITLES.items():
            found = [f for f in self.findings if f.row == row]
            if found:
                lines.append(f"{title}:")
                lines += [f"  {f.verdict}: {f.reason}." for f in found]
        if self.remedies:
            lines += ["", "What to do:", *[f"  - {r}" for r in self.remedies]]
        lines += [f"{note}." for note in self.notes]
        return "\n".join(lines)

    __repr__ = __str__

    def _headline(self) -> str:
        if self.holds is None:
            return "Undecided; see below."
        if self.identity_holds is sp.false:
            return "No."
        if self.holds is sp.true:
            return "Yes."
        if self.holds is sp.false:
            return "The identity holds, but the regression target has infinite variance."
        return f"Yes if {self.holds}."


def _remedies(findings) -> tuple[Remedy, ...]:
    return tuple(dict.fromkeys(r for f in findings for r in f.remedies))


def _numbers(value) -> list[sp.Rational]:
    """The distinct entries of a number or an array, as exact rationals; at most 16, evenly chosen."""
    entries = sorted({float(v) for v in np.ravel(np.asarray(value))})
    chosen = entries if len(entries) <= 16 else [entries[round(k * (len(entries) - 1) / 15)] for k in range(16)]
    return [sp.nsimplify(v, rational=True) for v in chosen]


def _decide(condition, puts) -> bool | None:
    if condition is None:
        return None
    answers = [condition.subs(put) for put in puts]
    return False if sp.false in answers else True if all(a == sp.true for a in answers) else None
