"""When the transition law of a linear SDE exists: its variance is positive.

A product has the sign of its factors, and  exp(u) - 1 > 0 iff u > 0,  log a - log b > 0 iff a > b.  So the variance of
the variance-exploding kernel, s^2 (exp(2 t (log S - log s)) - 1), asks for S > s. Nothing is said where the sign is
known from the assumptions, or does not come down to one such bound.
"""

import sympy as sp

from symdsm.symbolic.findings import Finding, Remedy
from symdsm.symbolic.nodes_elementary import Expm1

__all__ = ["law_rows"]


def law_rows(declaration) -> list[Finding]:
    """The condition on the parameters, if there is one."""
    if declaration.transition is None:
        return []
    when = _sign(declaration.transition.covariance, 1)
    if when is None or when is sp.true:
        return []
    text = f"the variance of the transition law is positive iff {sp.sstr(when)}"
    return [Finding("law", "holds if", when, text, (Remedy(f"choose parameters with {sp.sstr(when)}"),))]


def _sign(expr: sp.Expr, sign: int) -> sp.Basic | None:
    """When sign * expr > 0: true, a bound, or None."""
    if (sign * expr).is_positive:
        return sp.true
    if isinstance(expr, Expm1):
        return _sign(expr.args[0], sign)
    if expr.is_Mul:
        open_ = [f for f in expr.args if not f.is_positive and not f.is_negative]
        flips = sum(bool(f.is_negative) for f in expr.args)
        return _sign(open_[0], sign * (-1) ** flips) if len(open_) == 1 else None
    logs = [(c, f) for f, c in expr.as_coefficients_dict().items()]
    if len(logs) == 2 and sum(c for c, _ in logs) == 0 and all(isinstance(f, sp.log) for _, f in logs):
        above, below = (f.args[0] for _, f in sorted(logs, key=lambda pair: -sign * pair[0]))
        return sp.Gt(above, below)
    return None
