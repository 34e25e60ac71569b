"""Parameters and clean values outside their assumptions become NaN in emitted code, and so does what depends on them.

A kernel that was declared for sigma > 0 says nothing about sigma < 0, but its formula may well give a number there.
Each function therefore begins with `sigma = _positive(sigma)`. The NaN is added, not chosen, so that derivatives are
NaN too. For a scalar this costs nothing, for an array one comparison in a loop that runs anyway.

What the signs leave open (symbolic/conditions.py), such as x < 1 for the mean of a beta law, follows in the same way:
`x = _within(x, x < 1)`. The clean value carries such a condition where it occurs in it, else one of the parameters.

A matrix that must be positive definite has a Cholesky factor. Functions of one event that need none are written as
`_where_definite(P, ...)`. The factor is taken once for a batch, and while tracing where the matrix is a constant; a
single event of n coordinates whose P is traced takes some n times as long with it as P (y - x) alone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import sympy as sp

from symdsm.symbolic.conditions import conditions

__all__ = [
    "RULES",
    "Guards",
    "carrier",
    "carries",
    "complement",
    "condition_lines",
    "guard_functions",
    "guard_lines",
    "nan_with",
    "rules_of",
]

RULES = {"positive": ">", "nonnegative": ">=", "negative": "<", "nonpositive": "<="}

_FUNCTION = '''def _{rule}(value: jax.Array | float) -> jax.Array:
    """The value where it is {rule}, NaN elsewhere."""
    return value + jnp.where(value {sign} 0, 0.0, jnp.nan)'''

_WITHIN = '''def _within(value: jax.Array | float, condition: jax.Array | bool) -> jax.Array:
    """The value where the condition holds, NaN elsewhere."""
    return value + jnp.where(condition, 0.0, jnp.nan)'''

_WHERE_DEFINITE = '''def _where_definite(matrix: jax.Array, value: jax.Array) -> jax.Array:
    """The value where the matrix is positive definite, NaN elsewhere; a constant is judged while tracing."""
    if isinstance(matrix, jax.core.Tracer):
        factor = jnp.linalg.cholesky(jax.lax.stop_gradient(matrix))
    else:
        with jax.ensure_compile_time_eval():
            factor = jnp.linalg.cholesky(matrix)
    return value + jnp.where(jnp.isnan(factor).any(), jnp.nan, 0.0)'''


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
    return [*signs, *[_WITHIN] * ("_within(" in body), *[_WHERE_DEFINITE] * ("_where_definite(" in body)]


class Guards:
    """The guards of a function whose arguments `names` gives: x and the parameters, each with its name in the code."""

    def __init__(self, declaration, names: Mapping[sp.Basic, str], doprint: Callable):
        self.names, self.doprint, self.conditions = names, doprint, conditions(declaration)
        self.clean = getattr(declaration, "clean_symbols", None) or (declaration.clean,)
        carriers = {carrier(c, self.clean) for c in self.conditions}
        self.limited = [s for s in names if rules_of(s) or s in carriers]

    def lines(self, symbols: Collection | None = None) -> list[str]:
        """Lines that turn the arguments into NaN outside their assumptions; all of them, or those given."""
        symbols = list(self.names) if symbols is None else symbols
        return guard_lines(symbols, self.names) + condition_lines(self.conditions, symbols, self.clean, self.doprint)

    def deaf(self, *exprs: sp.Basic) -> list:
        """The guarded arguments that some printed value would not notice to be NaN."""
        return [s for s in self.limited if not all(carries(e, s) for e in exprs)]

    def checked(self, value: str, *exprs: sp.Basic) -> str:
        """The text of a value of the expressions, NaN where an argument is that it does not depend on."""
        return nan_with([self.names[s] for s in self.deaf(*exprs)], value)


def nan_with(names: Sequence[str], value: str) -> str:
    """The value, NaN where one of the names is."""
    return f"jnp.where(jnp.isnan({' + '.join(names)}), jnp.nan, {value})" if names else value


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
