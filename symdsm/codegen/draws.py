"""The declared noise, drawn with jax.random.

`Draw(kind, slot, *shapes)` in a law (symbolic/laws.py) becomes one call; draws in different slots get keys of their
own. A law without a recipe is drawn exactly when it is a known law on the circle (symbolic/circular_laws.py), else by
the numerical inverse of its CDF (codegen/quantile.py).
"""

import sympy as sp

from symdsm.codegen.quantile import inverse_lines, quantile_lines
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.circular_laws import circular_draw
from symdsm.symbolic.laws import Draw
from symdsm.symbolic.probe import probes

__all__ = ["density_draw_lines", "draw_lines", "primitive_draws"]

_CALLS = {
    "normal": "jax.random.normal({key}, shape, dtype)",
    "uniform": "jax.random.uniform({key}, shape, dtype, jnp.finfo(dtype).tiny)",
    "exponential": "jax.random.exponential({key}, shape, dtype)",
    "laplace": "jax.random.laplace({key}, shape, dtype)",
    "logistic": "jax.random.logistic({key}, shape, dtype)",
    "gumbel": "jax.random.gumbel({key}, shape, dtype)",
    "cauchy": "jax.random.cauchy({key}, shape, dtype)",
    "maxwell": "jax.random.maxwell({key}, shape, dtype)",
    "gamma": "jax.random.gamma({key}, {0}, shape, dtype)",
    "loggamma": "jax.random.loggamma({key}, {0}, shape, dtype)",
    "beta": "jax.random.beta({key}, {0}, {1}, shape, dtype)",
    "t": "jax.random.t({key}, {0}, shape, dtype)",
    "wald": "jax.random.wald({key}, {0}, shape, dtype)",
    "triangular": "jax.random.triangular({key}, 0.0, {0}, 1.0, shape, dtype)",
    "generalized_normal": "jax.random.generalized_normal({key}, {0}, shape, dtype)",
    "von_mises": "special.von_mises_draw({key}, {0}, shape, dtype)",
    "wrapped_cauchy": "special.wrapped_cauchy_draw({key}, {0}, shape, dtype)",
    "wrapped_normal": "special.wrapped_normal_draw({key}, {0}, shape, dtype)",
    "poisson": "jax.random.poisson({key}, {0}, shape).astype(dtype)",
}


def draw_lines(declaration, noise, doprint) -> list[str]:
    """Lines that set `e` to a draw of the noise variable; `key`, `shape` and `dtype` are set before."""
    if noise.draw is not None:
        return _recipe_lines(noise.draw, doprint, "e")
    found = _on_circle(noise.log_density, noise.variable, noise.support, declaration, sp.S.Zero)
    if found is None:
        return quantile_lines(declaration, noise, doprint)
    draw, turned = found
    return [*_recipe_lines(draw, doprint, "e"), *turned("e", doprint)]


def density_draw_lines(declaration, doprint, params) -> tuple[list[str], str]:
    """Lines and the text of y, for a kernel that is declared by its density; `key`, `x`, parameters in scope."""
    d = declaration
    found = _on_circle(d.log_density, d.noisy, d.support, d, d.clean)
    if found is None:
        return inverse_lines(declaration, doprint, params)
    draw, turned = found
    names = ["x", *params]
    lines = [
        f"shape = jnp.broadcast_shapes({', '.join(f'jnp.shape({n})' for n in names)})",
        f"dtype = jnp.result_type({', '.join([*names, '0.0'])})",
    ]
    *lines, last = [*lines, *_recipe_lines(draw, doprint, "y"), *turned("y", doprint)]
    return lines, last.removeprefix("y = ")


def _on_circle(log_density, variable, support, declaration, centre):
    """The draw of a known law on the circle, and the lines that turn it into the support; None for other laws.

    A support of one turn from end to end, or a period in radians or any other unit, says that the law may be one.
    """
    period, whole = declaration.period, support == sp.S.Reals
    if not whole and isinstance(support, sp.Interval) and support.measure == 2 * sp.pi:
        period = 2 * sp.pi
    if period is None:
        return None
    draw = circular_draw(log_density, variable, period, centre, probes(declaration, 3))

    def turned(name, doprint):
        low, turn = doprint(support.inf), doprint(period)
        return [] if whole else [f"{name} = {low} + jnp.mod({name} - ({low}), {turn})"]

    return None if draw is None else (draw, turned)


def _recipe_lines(draw, doprint, result: str) -> list[str]:
    """Lines that set `result` to an expression in primitive draws."""
    names, lines = primitive_draws({draw: result}, doprint)
    if draw not in names:
        lines.append(f"{result} = {doprint(stabilise(draw.xreplace(names)))}")
    return lines


def primitive_draws(results: dict[sp.Expr, str], doprint) -> tuple[dict[sp.Basic, sp.Symbol], list[str]]:
    """A name for each primitive draw in the expressions, and the lines that draw them, inner ones first.

    `results` are the names of the expressions; one that is a draw and nothing else gets its name.
    """
    draws = list(results)
    calls = sorted(set().union(*(d.atoms(Draw) for d in draws)), key=lambda d: (-int(d.args[1]), str(d)))
    slots = sorted({int(d.args[1]) for d in calls})
    keys = {slot: "key" for slot in slots}
    lines = []
    if len(slots) > 1:
        lines.append(f"keys = jax.random.split(key, {len(slots)})")
        keys = {slot: f"keys[{k}]" for k, slot in enumerate(slots)}
    names: dict[sp.Basic, sp.Symbol] = {}
    for call in calls:
        kind, slot, *shapes = call.args
        arguments = [doprint(stabilise(s.xreplace(names))) for s in shapes]
        text = _CALLS[kind.name].format(*arguments, key=keys[int(slot)])
        name = results[call] if call in results else f"{kind.name}_{slot}" if len(calls) > 1 else kind.name
        names[call] = sp.Symbol(name, real=True)
        lines.append(f"{name} = {text}")
    return names, lines
