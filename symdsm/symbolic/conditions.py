"""What x and the parameters must satisfy beyond the signs they were declared with, so that p(y | x) is a density.

A condition u > 0 is collected from the declaration, where the assumptions do not decide it, for each u without y that

    is a scale or shape of the declared distribution, such as nu (1 - x) of Beta(nu x, nu (1 - x))
    stands in a logarithm or a log gamma function of log p, such as log(1 - w) of a mixture's weight, log(1 - rho^2)
    is the length of the declared distribution's support, such as b - a of Uniform(a, b)
    is the base of a power that is not whole, where it is divided by or log|u| is a term: the scale sqrt(1 - rho^2)

and u >= 0 for the other bases of such powers, and for what stands in a logarithm in one piece of several that y chooses
from: at u = 0 the piece may be empty, as it is for a triangle with its peak at an end. Outside of all but the support's
length log p itself is not real; its derivatives, in which such a u may cancel, are numbers all the same. Pieces that a
parameter chooses are left out: they are unused where their logarithms are not real.
"""

import sympy as sp

from symdsm.symbolic.nodes import Expm1, Log1p, LogAbs, StirlingError

__all__ = ["conditions"]

_POSITIVE_ARGUMENT = (sp.log, sp.loggamma, StirlingError)


def conditions(declaration) -> tuple[sp.Basic, ...]:
    """The conditions in x and the parameters, simplest first; empty where the declared signs decide all."""
    found = set()
    for part, _ in getattr(declaration, "parts", ()):
        found.update(c.xreplace({part.clean: declaration.clean}) for c in conditions(part))
    found.update(sp.And.make_args(getattr(declaration, "requires", sp.true)))
    known = {s for s in (*_clean(declaration), *declaration.params) if isinstance(s, sp.Symbol)}
    formulas = _formulas(declaration)
    for expr in formulas:
        _collect(expr, known, found)
    vanishing = [node.args[0] for expr in formulas for node in expr.atoms(LogAbs)]
    found = {_strict(c) if any(_is_zero_with(u, c) for u in vanishing) else c for c in found}
    tidied = {_tidy(c) for c in found} - {sp.true, sp.false}
    return tuple(sorted((c for c in tidied if c.free_symbols <= known and not _implied(c, tidied)), key=str))


def _strict(condition: sp.Basic) -> sp.Basic:
    return sp.StrictGreaterThan(*condition.args) if isinstance(condition, sp.GreaterThan) else condition


def _weak(condition: sp.Basic) -> sp.Basic:
    return sp.GreaterThan(*condition.args) if isinstance(condition, sp.StrictGreaterThan) else condition


def _is_zero_with(u: sp.Expr, condition: sp.Basic) -> bool:
    """Is u a multiple of the v of v >= 0?"""
    known = isinstance(condition, sp.GreaterThan) and u.free_symbols == condition.free_symbols
    return known and sp.cancel(u / condition.lhs).is_number


def _implied(condition: sp.Basic, others: set) -> bool:
    """Is u >= 0 said as u > 0 as well, or a product positive because each factor is?"""
    if isinstance(condition, (sp.GreaterThan, sp.LessThan)):
        strict = {sp.GreaterThan: sp.StrictGreaterThan, sp.LessThan: sp.StrictLessThan}[type(condition)]
        return strict(*condition.args) in others
    if not isinstance(condition, sp.StrictGreaterThan) or condition.rhs != 0 or not condition.lhs.is_Mul:
        return False
    return all(_tidy(sp.StrictGreaterThan(f, 0)) in others for f in condition.lhs.args)


def _formulas(declaration) -> list[sp.Basic]:
    """The log density and the maps of the noise; of a vector SDE the entries of its diffusion and of its law."""
    law = getattr(declaration, "transition", None)
    if law is not None and isinstance(law.mean, sp.MatrixBase):
        return [entry for matrix in (law.diffusion, law.mean, law.covariance) for entry in matrix]
    noise = getattr(declaration, "noise", None)
    maps = getattr(noise, "maps", None) or ([] if noise is None else [noise.map])
    return [declaration.log_density, *maps]


def _clean(declaration) -> tuple:
    return getattr(declaration, "clean_symbols", None) or (declaration.clean,)


def _collect(expr: sp.Basic, known: set, found: set) -> None:
    if isinstance(expr, sp.Piecewise):
        _collect_pieces(expr, known, found)
        return
    for arg in expr.args:
        _collect(arg, known, found)
    if isinstance(expr, _POSITIVE_ARGUMENT):
        u, relation = expr.args[0], sp.StrictGreaterThan
    elif isinstance(expr, Log1p):
        u, relation = 1 + expr.args[0], sp.StrictGreaterThan
    elif expr.is_Pow and expr.exp.is_integer is False and expr.base is not sp.E:
        u, relation = expr.base, sp.StrictGreaterThan if expr.exp.is_negative else sp.GreaterThan
    else:
        return
    if u.free_symbols and u.free_symbols <= known and not u.has(sp.Indexed, sp.Sum, sp.MatrixBase):
        found.add(relation(u, 0))


def _collect_pieces(expr: sp.Basic, known: set, found: set) -> None:
    """What each piece asks for, weakened to u >= 0, where the noisy value chooses the piece."""
    own = set()
    for value, condition in expr.args:
        if condition.free_symbols <= known and condition != sp.true:
            return
        _collect(value, known, own)
    found.update(map(_weak, own))


def _tidy(condition: sp.Basic) -> sp.Basic:
    """nu (1 - x) > 0 -> x < 1, for nu > 0; true where the declared signs decide it."""
    if not isinstance(condition, (sp.StrictGreaterThan, sp.GreaterThan)) or condition.rhs != 0:
        return condition
    relation, u = type(condition), sp.expand(condition.lhs)
    factors = sp.Mul.make_args(sp.factor_terms(sp.together(condition.lhs) if not u.is_Symbol else u))
    left = [_same_sign(f) for f in factors if not f.is_positive]
    if left != list(factors):
        return _tidy(relation(sp.Mul(*left), 0))
    return _separated(sp.Mul(*left), relation)


def _same_sign(u: sp.Expr) -> sp.Expr:
    """Something simpler of the same sign."""
    if u.is_Pow and (u.exp.is_integer is False or (u.exp.is_Integer and u.exp % 2)) and u.base is not sp.E:
        return u.base
    if isinstance(u, Expm1):
        return u.args[0]
    return u.args[0] - 1 if isinstance(u, sp.log) else u


def _separated(u: sp.Expr, relation) -> sp.Basic:
    """c + f > 0 -> f > -c or -f < c; a - b > 0 -> a > b, also of logarithms; 1 - a^p > 0 -> a < 1, positive a, p."""
    logs = {a.as_coeff_Mul()[0]: a.as_coeff_Mul()[1] for a in u.args} if u.is_Add and len(u.args) == 2 else {}
    if set(logs) == {1, -1} and all(isinstance(f, sp.log) for f in logs.values()):
        return relation(logs[1].args[0], logs[-1].args[0])
    if u.is_Add and len(u.args) == 2:
        below, above = sorted(u.args, key=lambda a: a.is_Symbol)
        if above.is_Symbol and (-below).is_Symbol:
            return relation(above, -below)
    constant, rest = u.as_coeff_Add()
    if not rest.could_extract_minus_sign():
        return relation(rest, -constant)
    if constant == 1 and (-rest).is_Pow and (-rest).base.is_positive and (-rest).exp.is_positive:
        rest = -(-rest).base
    return relation(constant, -rest).reversed
