"""Draws by the numerical inverse of the distribution function, for noise without a recipe.

The emitted lines define the log density of one entry and call `special.inverse_cdf` (special/quantile.py holds the
mathematics) on a uniform number for each entry. A law that does not depend on an array is tabulated once.
"""

import sympy as sp

from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.supports import inside_of, interior_point

__all__ = ["entry_lines", "inverse_lines", "quantile_lines", "window"]


def quantile_lines(declaration, noise, doprint) -> list[str]:
    """Lines that set `e` to a draw of the noise variable; `key`, `shape` and `dtype` are in scope."""
    e = sp.Symbol("e", real=True)
    log_density = noise.log_density.xreplace({noise.variable: e})
    low, high, start = window(noise.support, declaration.period)
    inside = _inside(noise.support, e)
    own = entry_lines("e", log_density, inside, doprint)
    call = f"special.inverse_cdf(u, log_density, {doprint(low)}, {doprint(high)}, {doprint(start)})"
    free = _names(declaration, doprint, log_density, low, high, start)
    return [
        "u = jax.random.uniform(key, shape, dtype)",
        *_function("quantile", ["u", *free], own, call),
        f"e = special.entrywise({', '.join(['quantile', 'u', *free])})",
    ]


def inverse_lines(declaration, doprint, params) -> tuple[list[str], str]:
    """Lines and the text of y, for a kernel that is declared by its density; `key`, `x`, parameters in scope."""
    y = declaration.noisy
    low, high, start = window(declaration.support, declaration.period, declaration.anchor, declaration.clean)
    inside = None if isinstance(declaration.support, sp.Interval) else declaration.inside
    own = entry_lines("y", stabilise(declaration.log_density), inside, doprint)
    call = f"special.inverse_cdf(u, log_density, {doprint(low)}, {doprint(high)}, {doprint(start)})"
    names = ["x", *params]
    shapes = ", ".join(f"jnp.shape({n})" for n in names)
    lines = [
        f"shape, dtype = jnp.broadcast_shapes({shapes}), jnp.result_type({', '.join([*names, '0.0'])})",
        "u = jax.random.uniform(key, shape, dtype)",
        *_function("quantile", ["u", *names], own, call),
    ]
    assert y is not None
    return lines, f"special.entrywise({', '.join(['quantile', 'u', *names])})"


def entry_lines(variable: str, log_density: sp.Expr, inside, doprint) -> list[str]:
    """def log_density(variable): the log density, -inf where `inside` fails."""
    value = doprint(stabilise(log_density))
    if inside is not None and inside is not sp.true:
        value = f"jnp.where({doprint(inside)}, {value}, -jnp.inf)"
    return [f"def log_density({variable}):", f"    return {value}"]


def window(support: sp.Set, period=None, anchor=None, clean=None) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(low, high, a point inside) of the interval on which the density is integrated."""
    if (
        period is not None
        and not isinstance(support, sp.Interval)
        or support == sp.S.Reals
        and period is not None
    ):
        centre = sp.S.Zero if clean is None else clean
        return centre - period / 2, centre + period / 2, centre
    low, high = (support.inf, support.sup) if not isinstance(support, sp.ConditionSet) else (-sp.oo, sp.oo)
    if low == -sp.oo and high == sp.oo:
        return low, high, clean if clean is not None else sp.S.Zero
    start = interior_point(sp.Interval(low, high))
    return low, high, start if start is not None else anchor


def _inside(support, e):
    return None if isinstance(support, sp.Interval) else inside_of(support, e)


def _names(declaration, doprint, *exprs) -> list[str]:
    free = set().union(*(x.free_symbols for x in exprs))
    return [doprint(s) for s in (declaration.clean, *declaration.params) if s in free]


def _function(name: str, arguments: list[str], body: list[str], value: str) -> list[str]:
    inner = [f"    {line}" for line in body]
    return [f"def {name}({', '.join(arguments)}):", *inner, f"    return {value}"]
