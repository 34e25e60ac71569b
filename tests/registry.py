"""The one registry of kernels, which every law test uses.

`CASES` holds every row; `SYMPY_STATS`, `SCIPY_STATS` and `NAMED` are its parts. A case knows how to
declare its kernel with the public interface and what the truth is (tests.kernels.case). `FAST` names the
few that the fast suite tries: every form, every kind of support and each difficulty once.
"""

from tests.kernels import named, scipy_half_line, scipy_line, sympy_stats
from tests.kernels.case import Case

__all__ = ["CASES", "FAST", "NAMED", "SCIPY_STATS", "SYMPY_STATS", "Case", "find"]

SYMPY_STATS = tuple(sympy_stats.ROWS)
SCIPY_STATS = (*scipy_line.ROWS, *scipy_half_line.ROWS)
NAMED = tuple(named.ROWS)
CASES = (*SYMPY_STATS, *SCIPY_STATS, *NAMED)

FAST = (
    "sympy.stats:Normal",
    "sympy.stats:Laplace",
    "sympy.stats:Gamma",
    "sympy.stats:VonMises",
    "sympy.stats:Triangular",
    "named:logit_normal_by_sigmoid",
)


def find(key: str) -> Case:
    """The case called "group:name"."""
    return next(case for case in CASES if f"{case.group}:{case.name}" == key)
