"""What a check found, in a form for people and in one for programs."""

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded

__all__ = ["Finding", "Judgement", "Regularity", "tidy_boolean"]

_IDENTITY, _VARIANCE, _LEVEL = ("edges", "jumps"), ("variance",), ("level",)

_TITLES = {
    "edges": "The support does not move, or the density vanishes at the moving edge",
    "jumps": "No jump of the density at a place that moves with the clean value",
    "variance": "The regression target has a finite variance",
    "level": "The level score can be matched as well (dual score matching)",
}

_REMEDIES = {
    "edges": "use a noise whose density vanishes at the edge (a Gamma with shape above 1), or one on the whole line",
    "jumps": "smooth the jump, or use a noise with a continuous density",
    "variance": "train in another coordinate, kernel.change(sympy.log) for positive values, or change the parameters",
    "level": "train with objective='dsm', which needs no level score",
}


def tidy_boolean(condition: sp.Basic) -> sp.Basic:
    """Eq(a, 1) & (a > 1) is False: SymPy's own simplification of Booleans, within a budget."""
    if not isinstance(condition, (sp.And, sp.Or)):
        return condition
    try:
        return bounded(0.5, sp.simplify, sp.to_dnf(condition))
    except (OutOfTime, TypeError, NotImplementedError, ValueError):
        return condition


@dataclass(frozen=True)
class Finding:
    """One condition: its row, the verdict, when it holds (a SymPy Boolean, or None), and why."""

    row: str
    verdict: str
    when: sp.Basic | None
    reason: str


@dataclass(frozen=True)
class Judgement:
    """The verdict at given parameter values, in plain Python: True, False, or None when undecided."""

    identity: bool | None
    variance: bool | None
    level: bool | None
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
    clean: sp.Symbol
    level: sp.Symbol | None
    params: tuple[sp.Symbol, ...]
    notes: tuple[str, ...] = ()

    def _all(self, rows) -> sp.Basic | None:
        conditions = [f.when for f in self.findings if f.row in rows]
        known = sp.And(*[c for c in conditions if c is not None])
        return None if None in conditions and known is not sp.false else tidy_boolean(known)

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
        return self._all(_LEVEL)

    @property
    def remedies(self) -> tuple[str, ...]:
        rows = [f.row for f in self.findings if f.when is not sp.true]
        return tuple(_REMEDIES[row] for row in dict.fromkeys(rows))

    def judge(self, **values: float) -> Judgement:
        """The conditions with parameter values put in."""
        put = {s: sp.nsimplify(values[s.name], rational=True) for s in self.params if s.name in values}
        identity, variance, level = (
            _decide(c, put) for c in (self.identity_holds, self._all(_VARIANCE), self.level_holds)
        )
        rows = {"edges": identity, "jumps": identity, "variance": variance, "level": level}
        troubled = [f for f in self.findings if rows[f.row] is not True and _decide(f.when, put) is not True]
        reason = "; ".join(f.reason for f in troubled)
        remedy = "; ".join(dict.fromkeys(_REMEDIES[f.row] for f in troubled))
        return Judgement(identity, variance, level, reason, remedy)

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


def _decide(condition, put) -> bool | None:
    if condition is None:
        return None
    value = condition.subs(put)
    return True if value == sp.true else False if value == sp.false else None
