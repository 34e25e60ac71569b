"""The order in which the factors of a product are multiplied, so that it overflows only where its value does.

For any c, each partial product of c u u lies between c and c u^2, and none of them overflows unless one of these does;
u^2 c does, where u^2 is too large and c is small. Powers, exponentials and the squares of named products (t0, z, ratio)
therefore follow the quotient of all other factors. A named product is itself a quotient of a few arguments: where there
is one more argument on either side of the line, the product follows the quotient of these two. Functions that are
bounded by one come before two or more factors that are not.

Arguments of 1e-15 to 1e15 in float32, or 1e-150 to 1e150 in float64, leave the range three at a time, and not two at a
time. Three above the line and one below are therefore a b (c/d), one above and three below a/b/(c d).
"""

import re

import sympy as sp

from symdsm.symbolic.nodes import AbsPower, Exp, Expm1, Hump, Sigmoid, SoftSign, Square

__all__ = ["balanced", "in_order"]

_NAMED = re.compile(r"t\d+|z|ratio")  # what codegen/naming.py calls products


def in_order(above: list[sp.Expr], below: list[sp.Expr]) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """The factors above the line, and those that follow the quotient. Both come in the order of multiplication."""
    wide = [f for f in above if _is_wide(f)]
    named = [f for f in above if _is_named(f)]
    plain = [f for f in above if f not in named and f not in wide]
    degree = sum(f.exp if f.is_Pow else 1 for f in below if f.free_symbols)
    if degree == 1 and sum(bool(f.free_symbols) for f in plain) == 1:
        return plain, named + wide
    first = [f for f in above if f not in wide]
    bounded = [f for f in first if isinstance(f, (Hump, Sigmoid, SoftSign, sp.tanh))]
    if len([f for f in first if f.free_symbols]) > len(bounded) + 1:
        numbers = [f for f in first if not f.free_symbols]
        first = numbers + bounded + [f for f in first if f not in numbers + bounded]
    follow = degree > 0 and any(f.free_symbols for f in first)
    return (first, wide) if follow else (first + wide, [])


def balanced(above: list[sp.Expr], below: list[sp.Expr]) -> tuple[list[sp.Expr], list[sp.Expr], list[list[sp.Expr]]]:
    """(a, b), (c,), ((d,), (e, f)) of a b (c/d/(e f)): where all are plain, no part has more than two arguments."""
    symbols, divisors = ([f for f in factors if f.free_symbols] for factors in (above, below))
    plain = all(f.is_Symbol or f.is_Pow and f.base.is_Symbol and f.exp.is_number for f in symbols + divisors)
    if plain and len(symbols) > 1 and divisors and _degree(symbols) > 2 and _degree(divisors) <= 2:
        return [f for f in above if f is not symbols[-1]], symbols[-1:], [below]
    if plain and len(divisors) > 1 and _degree(symbols) == 1 and _degree(divisors) > 2:
        first = next((f for f in divisors if f.is_Symbol), divisors[0])
        return [], above, [[first], [f for f in below if f is not first]]
    return [], above, [below] if below else []


def _degree(factors: list[sp.Expr]) -> sp.Expr | int:
    return sum(f.exp if f.is_Pow else 1 for f in factors)


def _is_named(factor: sp.Basic) -> bool:
    return factor.is_Symbol and _NAMED.fullmatch(factor.name) is not None


def _is_wide(factor: sp.Basic) -> bool:
    """Can it leave the range of its arguments: a power or an exponential, the square or cube of a named product?"""
    if factor.is_Add:
        return factor.has(Square)
    if factor.is_Pow:
        return not factor.exp.is_number or factor.exp in (2, 3) and _is_named(factor.base)
    return isinstance(factor, (AbsPower, Exp, Expm1, sp.exp))
