"""How factors, masks and contractions under a sum are put together."""

import sympy as sp

from symdsm.symbolic.indexed_nodes import Mask, axes_of

__all__ = ["as_mask", "by_axes", "guarded", "is_contraction", "matmul"]

_SMOOTH = (sp.exp, sp.sin, sp.cos, sp.tanh, sp.cosh, sp.sinh, sp.atan, sp.Abs, sp.sign, sp.Piecewise)


def guarded(e, condition, arrays):
    """e with 1 in place of what a logarithm, root or quotient of `arrays` sees where the condition fails.

    Otherwise the unused branch of the `where` would be infinite there and its gradient NaN.
    """
    if not e.free_symbols & arrays or isinstance(e, (sp.Symbol, sp.Piecewise, sp.logic.boolalg.Boolean)):
        return e
    args = [guarded(a, condition, arrays) for a in e.args]
    singular = isinstance(e, sp.Function) and not isinstance(e, _SMOOTH)
    if e.is_Pow and not isinstance(e, sp.exp):
        singular = not (e.exp.is_Integer and e.exp > 0)
    if singular:
        args = [_choice(a, condition) if a.free_symbols & arrays else a for a in args]
    return sp.Pow(*args, evaluate=False) if e.is_Pow and singular else e.func(*args)


def _choice(value, condition):
    return sp.Piecewise((value, condition), (sp.S.One, True), evaluate=False)


def as_mask(term):
    """c Mask(f, q) as Mask(c f, q), when there is one mask."""
    masks = [f for f in sp.Mul.make_args(term) if isinstance(f, Mask)]
    if len(masks) != 1:
        return None
    return Mask(term / masks[0] * masks[0].args[0], masks[0].args[1])


def by_axes(factors):
    """Factors grouped by their axes; a mask joins the group that has all axes of its condition."""
    loose, masks = [], []
    for factor in factors:
        if isinstance(factor, Mask) and not factor.args[1].has(sp.Indexed) and len(_split(factor.args[0])) > 1:
            loose += sp.Mul.make_args(factor.args[0])
            masks.append(factor.args[1])
        else:
            loose.append(factor)
    groups = _split(sp.Mul(*loose))
    for condition in masks:
        home = next((g for g in groups if axes_of(sp.Mul(*g)) >= axes_of(condition)), None)
        if home is None:
            groups.append([Mask(1, condition)])
        else:
            home[:] = [Mask(sp.Mul(*home), condition)]
    return groups


def is_contraction(term):
    """Is the sum of this term one einsum over factors of different axes?"""
    return len(_split(sp.Mul(*(f for f in sp.Mul.make_args(term) if axes_of(f))))) > 1


def _split(product):
    groups: dict = {}
    for factor in sp.Mul.make_args(product):
        groups.setdefault(frozenset(axes_of(factor)), []).append(factor)
    return list(groups.values())


def matmul(inputs, output, symmetric):
    """The contraction with @, where it is a matrix times vectors or a matrix product."""
    if len(inputs) == 2 and len(inputs[0]) == 2:
        (a, b), second = inputs[0], inputs[1]
        if (second, output) == (b, a) or (symmetric and (second, output) == (a, b)):
            return "{p0} @ {p1}"
        if (second, output) == (a, b):
            return "{p1} @ {p0}"
        if len(second) == 2 and second[0] == b and output == a + second[1] and second[1] != a:
            return "{p0} @ {p1}"
    if len(inputs) == 3 and len(inputs[0]) == 2 and output == "" and set(inputs[1:]) == set(inputs[0]):
        left, right = (1, 2) if inputs[1] == inputs[0][0] else (2, 1)
        return f"{{p{left}}} @ {{p0}} @ {{p{right}}}"
    return None
