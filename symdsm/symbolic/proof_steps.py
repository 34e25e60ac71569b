"""Steps of a written proof: an equation is printed only after its two sides gave equal numbers.

A `Step` holds the printed equation and `sides`, which returns pairs of numbers: the left side and the right side at
some admissible points, each computed on its own from the expressions that the code uses. `display` evaluates them and
raises DerivationError where they differ; there is no other way to a verified display.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import mpmath
import sympy as sp

from symdsm.errors import DerivationError
from symdsm.symbolic.probe import numeric
from symdsm.symbolic.proof_document import Display, Row

__all__ = ["Step", "definitions", "display", "evaluated"]

_TERMS = 80  # an endless sum of the circle is cut at these many terms on either side
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Step:
    """left = right, what its two sides are worth at some points, and what the step is called."""

    name: str
    left: str
    right: tuple[str, ...]
    sides: Callable[[], Iterable[tuple]]
    tag: int | None = None


def display(*steps: Step) -> Display:
    """The equations as a display. Raises DerivationError for the first one that its own numbers contradict."""
    for step in steps:
        _verify(step)
    return Display(tuple(Row(step.left, step.right, step.tag) for step in steps))


def definitions(*rows: tuple[str, tuple[str, ...]]) -> Display:
    """Equations that give a name to their right side."""
    return Display(tuple(Row(left, right) for left, right in rows))


def _verify(step: Step) -> None:
    pairs = [(mpmath.mpmathify(a), mpmath.mpmathify(b)) for a, b in step.sides()]
    if not pairs:
        raise DerivationError(
            given=f"the step '{step.name}', for which no admissible point was found",
            expected="a point at which both sides are numbers",
            fix="give the symbols assumptions (positive=True), so that admissible values can be drawn",
        )
    for a, b in pairs:
        if mpmath.isinf(a) and a == b:
            continue
        if not abs(a - b) <= _TOLERANCE * (1 + abs(a)):
            raise DerivationError(
                given=f"the step '{step.name}', whose two sides are {mpmath.nstr(a, 12)} and {mpmath.nstr(b, 12)} "
                "at one admissible point",
                expected="equal sides",
                fix="report this declaration: its written derivation is wrong, and was not printed",
            )


def evaluated(expr: sp.Expr, symbols: list[sp.Symbol]) -> Callable:
    """The printed expression as a function of mpmath numbers; endless sums are cut far out in their tails."""

    def cut(total):
        limits = [(v, -_TERMS if a == -sp.oo else a, _TERMS if b == sp.oo else b) for v, a, b in total.limits]
        return sp.Sum(total.function, *limits)

    return numeric(expr.replace(lambda e: isinstance(e, sp.Sum) and e.has(sp.oo), cut), symbols)
