"""Parameters and clean values outside their assumptions become NaN in emitted code, and so does what depends on them.

A kernel that was declared for sigma > 0 says nothing about sigma < 0, but its formula may well give a number there.
Each function therefore begins with `sigma = _positive(sigma)`. The NaN is added, not chosen, so that derivatives are
NaN too. For a scalar this costs nothing, for an array one comparison in a loop that runs anyway.

What the signs leave open (symbolic/conditions.py), such as x < 1 for the mean of a beta law, follows in the same way:
`x = _within(x, x < 1)`. The clean value carries such a condition where it occurs in it, else one of the parameters.
"""

from collections.abc import Callable, Collection, Sequence

import sympy as sp

__all__ = [
    "RULES",
    "carrier",
    "carries",
    "complement",
    "condition_lines",
    "guard_functions",
    "guard_lines",
    "rules_of",
]

RULES = {"positive": ">", "nonnegative": ">=", "negative": "<", "nonpositive": "<="}

_FUNCTION = '''def _{rule}(value: jax.Array | float) -> jax.Array:
    """The value where it is {rule}, NaN elsewhere."""
    return value + jnp.where(value {sign} 0, 0.0, jnp.nan)'''

_WITHIN = '''def _within(value: jax.Array | float, condition: jax.Array | bool) -> jax.Array:
    """The value where the condition holds, NaN elsewhere."""
    return value + jnp.where(condition, 0.0, jnp.nan)'''


def rules_of(symbol) -> tuple[str, ...]:
    """The sign that the symbol was declared with: ("positive",), say, or nothing."""
    return tuple(rule for rule in RULES if getattr(symbol, f"is_{rule}", None))[:1]


def guard_lines(symbols, names) -> list[str]:
    """`sigma = _positive(sigma)` for each symbol that was declared with a sign."""
    return [f"{names[s]} = _{rule}({names[s]})" for s in symbols for rule in rules_of(s)]


def carrier(condition: sp.Basic, clean: Collection) -> sp.Symbol:
    """The symbol that becomes NaN where the condition fails."""
    return min(condition.free_symbols, key=lambda s: (s not in clean, s.name))


def condition_lines(conditions: Sequence, symbols: Collection, clean: Collection, doprint: Callable) -> list[str]:
    """`x = _within(x, x < 1)` for each condition that one of the symbols carries."""
    carried = [(carrier(c, clean), c) for c in conditions]
    return [f"{doprint(s)} = _within({doprint(s)}, {doprint(c)})" for s, c in carried if s in symbols]


def guard_functions(body: str) -> list[str]:
    """The definitions of those guards that the body calls."""
    signs = [_FUNCTION.format(rule=rule, sign=sign) for rule, sign in RULES.items() if f"_{rule}(" in body]
    return [*signs, *[_WITHIN] * ("_within(" in body)]


def complement(condition: sp.Basic) -> sp.Basic:
    """The opposite condition, written so that it is false, like the condition itself, where a NaN is compared."""
    return sp.Not(condition).to_nnf(simplify=False) if condition not in (sp.true, sp.false) else sp.Not(condition)


def carries(expr: sp.Basic, symbol: sp.Symbol) -> bool:
    """Is the printed value NaN whenever the symbol is, whatever the others are?"""
    if not expr.args:
        return expr == symbol
    if isinstance(expr, sp.Piecewise):
        return all(carries(value, symbol) for value, _ in expr.args)
    return any(carries(a, symbol) for a in expr.args)
