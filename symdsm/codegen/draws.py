"""The declared noise, drawn with jax.random.

`Draw(kind, slot, *shapes)` in a law (symbolic/laws.py) becomes one call; draws in different slots get keys of their
own. A law without a recipe is drawn by the numerical inverse of its CDF (codegen/quantile.py).
"""

import sympy as sp

from symdsm.codegen.quantile import quantile_lines
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.laws import Draw

__all__ = ["draw_lines"]

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
    "poisson": "jax.random.poisson({key}, {0}, shape).astype(dtype)",
}


def draw_lines(declaration, noise, doprint) -> list[str]:
    """Lines that set `e` to a draw of the noise variable; `key`, `shape` and `dtype` are set before."""
    if noise.draw is None:
        return quantile_lines(declaration, noise, doprint)
    calls = sorted(noise.draw.atoms(Draw), key=lambda d: (int(d.args[1]), str(d)))
    slots = sorted({int(d.args[1]) for d in calls})
    keys = {slot: "key" for slot in slots}
    lines = []
    if len(slots) > 1:
        lines.append(f"keys = jax.random.split(key, {len(slots)})")
        keys = {slot: f"keys[{k}]" for k, slot in enumerate(slots)}
    ordered = sorted(calls, key=lambda d: -int(d.args[1]))
    names: dict[sp.Basic, sp.Symbol] = {}
    for call in ordered:
        kind, slot, *shapes = call.args
        arguments = [doprint(stabilise(s.xreplace(names))) for s in shapes]
        text = _CALLS[kind.name].format(*arguments, key=keys[int(slot)])
        name = "e" if call == noise.draw else f"{kind.name}_{slot}" if len(calls) > 1 else kind.name
        names[call] = sp.Symbol(name, real=True)
        lines.append(f"{name} = {text}")
    if noise.draw not in names:
        lines.append(f"e = {doprint(stabilise(noise.draw.xreplace(names)))}")
    return lines
