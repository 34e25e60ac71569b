"""A coupled kernel's score against automatic differentiation, on a small event of random numbers.

The level score is not compared here: it holds a normaliser that log_prob may miss.

Every axis gets its size from one table (n = 5, m = 6, ...), matrices that must be positive definite are drawn so.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np

from symdsm.codegen import arrays
from symdsm.codegen.program import Program, compare_scores

__all__ = ["verify_coupled"]


def verify_coupled(program: Program, declaration) -> None:
    """Raises CodegenError when the score is not the derivative of log_prob."""
    rng = np.random.default_rng(3)
    y, x, params = example(declaration, rng)
    with jax.enable_x64(True):
        y, x = jnp.asarray(y), jnp.asarray(x)
        functions = program.functions()
        value, slope = jax.value_and_grad(lambda y: functions.log_prob(y, x, **params))(y)
        compare_scores("score", value, functions.score(y, x, **params), slope)


def example(declaration, rng) -> tuple[np.ndarray, np.ndarray | float, dict]:
    """One event, its clean value and parameters of fitting shapes."""
    d = declaration.density
    sizes: dict[str, int] = {}
    definite = {str(b) for b in d.positive_definite}
    out = []
    for name, axes in arrays.signature(d).items():
        shape = tuple(_size(a, sizes) for a in axes.strip("()").split(",") if a)
        value = rng.normal(size=shape)
        if name in definite:
            value = value @ value.T / shape[0] + np.eye(shape[0])
        out.append((name, value if shape else float(abs(value)) + 0.5))
    (_, y), (_, x), *rest = out
    return y, x, dict(rest)


def _size(axis: str, sizes: dict[str, int]) -> int:
    if re.fullmatch(r"\d+", axis):
        return int(axis)
    return sizes.setdefault(axis, 5 + len(sizes))
