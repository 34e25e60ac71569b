"""Draws by the numerical inverse of the distribution function, for noise without a recipe.

The emitted lines define the log density of one entry, up to a constant, and call `special.inverse_cdf` on a uniform
number for each entry; special/quantile.py holds the mathematics. What does not depend on an array is computed once.
"""

import sympy as sp

from symdsm.codegen.naming import statements
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.kinks import centres
from symdsm.symbolic.supports import inside_of, interior_point

__all__ = ["density_lines", "function_lines", "inverse_lines", "places_text", "quantile_lines", "window"]


def quantile_lines(declaration, noise, doprint) -> list[str]:
    """Lines that set `e` to a draw of the noise variable; `key`, `shape` and `dtype` are in scope."""
    e = sp.Symbol("e", **noise.variable._assumptions_orig)
    log_density = noise.log_density.xreplace({noise.variable: e})
    ends = window(noise.support, declaration.period)
    inside = None if isinstance(noise.support, sp.Interval) else inside_of(noise.support, e)
    own = density_lines("e", log_density, inside, doprint, declaration.clean)
    free = set().union(log_density.free_symbols, *(end.free_symbols for end in ends))
    names = [doprint(s) for s in (declaration.clean, *declaration.params) if s in free]
    call = _call(ends, doprint, log_density, e, declaration.normalised)
    return [
        "u = jax.random.uniform(key, shape, dtype)",
        *function_lines("quantile", ["u", *names], own, call),
        f"e = special.entrywise({', '.join(['quantile', 'u', *names])})",
    ]


def inverse_lines(declaration, doprint, params) -> tuple[list[str], str]:
    """Lines and the text of y, for a kernel that is declared by its density; `key`, `x`, parameters in scope."""
    ends = window(declaration.support, declaration.period, declaration.anchor, declaration.clean)
    inside = None if isinstance(declaration.support, sp.Interval) else declaration.inside
    own = density_lines("y", declaration.log_density, inside, doprint, declaration.clean, declaration.noisy)
    call = _call(ends, doprint, declaration.log_density, declaration.noisy, declaration.normalised)
    names = ["x", *params]
    lines = [
        f"shape = jnp.broadcast_shapes({', '.join(f'jnp.shape({n})' for n in names)})",
        f"dtype = jnp.result_type({', '.join([*names, '0.0'])})",
        "u = jax.random.uniform(key, shape, dtype)",
        *function_lines("quantile", ["u", *names], own, call),
    ]
    return lines, f"special.entrywise({', '.join(['quantile', 'u', *names])})"


def density_lines(name: str, log_density: sp.Expr, inside, doprint, centre, variable=None) -> list[str]:
    """def log_density(name): up to terms without the variable, and -inf where `inside` fails."""
    if variable is None:
        variable = next((s for s in log_density.free_symbols if s.name == name), sp.Symbol(name))
    value = stabilise(log_density.as_independent(variable, as_Add=True)[1])
    lines, (value,) = statements([value], doprint, variable, centre)
    if inside is not None and inside is not sp.true:
        value = f"jnp.where({doprint(inside)}, {value}, -jnp.inf)"
    elif variable not in log_density.free_symbols:
        value = f"jnp.zeros_like({name})"
    return ["", f"def log_density({name}):", *(f"    {line}" for line in lines), f"    return {value}", ""]


def function_lines(name: str, arguments: list[str], body: list[str], value: str) -> list[str]:
    """A nested function, set off by empty lines."""
    inner = [f"    {line}" if line else "" for line in body]
    return ["", f"def {name}({', '.join(arguments)}):", *inner[1:], f"    return {value}", ""]


def window(support: sp.Set, period=None, anchor=None, clean=None) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(low, high, a point inside) of the interval on which the density is integrated; one period of a periodic law."""
    if period is not None and support == sp.S.Reals:
        centre = sp.S.Zero if clean is None else clean
        return centre - period / 2, centre + period / 2, centre
    whole = isinstance(support, sp.ConditionSet) or support == sp.S.Reals
    low, high = (-sp.oo, sp.oo) if whole else (support.inf, support.sup)
    if low == -sp.oo and high == sp.oo:
        start = clean if clean is not None else sp.S.Zero
        return low, high, start if support == sp.S.Reals or anchor is None else anchor
    return low, high, interior_point(sp.Interval(low, high))


def _call(ends, doprint, log_density, variable, normalised) -> str:
    """The call of `special.inverse_cdf`: where there may be several modes, with their places and the known mass."""
    places = places_text(log_density, variable, doprint)
    arguments = [*map(doprint, ends), *places]
    if places and normalised is True:
        arguments.append(f"log_mass={doprint(stabilise(-log_density.as_independent(variable, as_Add=True)[0]))}")
    return f"special.inverse_cdf(u, log_density, {', '.join(arguments)})"


def places_text(log_density, variable, doprint) -> list[str]:
    """The argument that tells where the density may have a mode; none where it has one such place."""
    places = ", ".join(map(doprint, centres(log_density, variable)))
    return [f"places=({places})"] if places else []
