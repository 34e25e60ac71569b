"""A coupled kernel's score against automatic differentiation, on a small event of random numbers.

On a manifold the event and the clean value are put there first, and the level score is compared as well where log_prob
is normalised; elsewhere it holds a normaliser that log_prob misses.

Every axis gets its size from one table (n = 5, m = 6, ...), matrices that must be positive definite are drawn so.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from symdsm.codegen import arrays
from symdsm.codegen.program import Program, compare_scores
from symdsm.errors import CodegenError

__all__ = ["verify_coupled", "verify_on_manifold"]

_TRIES = 20


def verify_coupled(program: Program, declaration) -> None:
    """Raises CodegenError when the score is not the derivative of log_prob."""
    rng = np.random.default_rng(3)
    y, x, params = example(declaration, rng)
    with jax.enable_x64(True):
        y, x = jnp.asarray(y), jnp.asarray(x)
        functions = program.functions()
        value, slope = jax.value_and_grad(lambda y: functions.log_prob(y, x, **params))(y)
        compare_scores("score", value, functions.score(y, x, **params), slope)


def verify_on_manifold(program: Program, declaration) -> None:
    """Raises CodegenError when the score is not the derivative of log_prob along the manifold."""
    rng, level = np.random.default_rng(3), declaration.level
    functions = program.functions()
    with jax.enable_x64(True):

        @jax.jit
        def compared(y, x, params):
            value, slope = jax.value_and_grad(lambda y: functions.log_prob(y, x, **params))(y)
            pairs = [(functions.score(y, x, **params), slope)]
            if declaration.normalised and program.has_level_score:
                by_level = jax.grad(lambda v: functions.log_prob(y, x, **{**params, level.name: v}))(params[level.name])
                pairs.append((functions.level_score(y, x, **params), by_level))
            return value, pairs

        for _ in range(_TRIES):
            y, x, params = example(declaration, rng)
            y, x = (jnp.asarray(_onto(declaration.support.manifold, a)) for a in (y, x))
            value, pairs = compared(y, x, jax.tree.map(jnp.asarray, params))
            if jnp.isfinite(value):
                break
        else:
            raise CodegenError(
                given=f"a density that is not finite at {_TRIES} random points: {declaration.log_density}",
                expected="a density that is defined for positive clean values and parameters",
                fix="check the signs in the formula",
            )
    for name, (derived, automatic) in zip(("score", "level score"), pairs, strict=False):
        compare_scores(name, value, derived, automatic)


def _onto(manifold: str, value: np.ndarray) -> np.ndarray:
    if np.ndim(value) == 0:
        return np.abs(value)
    return np.abs(value) / np.abs(value).sum() if manifold == "simplex" else value / np.linalg.norm(value)


def example(declaration, rng) -> tuple[np.ndarray, np.ndarray | float, dict]:
    """One event, its clean value and parameters of fitting shapes; square matrices have a positive diagonal."""
    d = declaration.density
    shapes = arrays.symbolic_shapes(d)
    sizes = {s: 5 + k for k, s in enumerate(_symbols(shapes))}
    definite = {str(b) for b in d.positive_definite}
    positive = {str(b) for b in d.shapes if b.assumptions0.get("positive")}
    out = []
    for name, lengths in shapes.items():
        shape = tuple(int(sp.sympify(length).xreplace(sizes)) for length in lengths)
        value = rng.normal(size=shape)
        if name in definite:
            value = value @ value.T / shape[0] + np.eye(shape[0])
        elif len(shape) == 2 and len(set(shape)) == 1:
            np.fill_diagonal(value, np.abs(np.diag(value)) + 0.5)
        if name in positive:
            value = np.abs(value) + 0.1
        out.append((name, value if shape else float(abs(value)) + 0.5))
    (_, y), (_, x), *rest = out
    return y, x, dict(rest)


def _symbols(shapes: dict) -> list[sp.Symbol]:
    """The sizes that occur, in the order of the arguments."""
    found = [s for lengths in shapes.values() for e in lengths for s in sorted(sp.sympify(e).free_symbols, key=str)]
    return list(dict.fromkeys(found))
