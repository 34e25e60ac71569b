"""The conditions of symbolic/conditions.py as functions that judge a Program's concrete arguments.

So are the matrices of a coupled kernel that must be positive definite: those whose determinant or inverse it holds. A
Cholesky factor tells.
"""

import hashlib

import jax.numpy as jnp
import sympy as sp

from symdsm.codegen.arrays_function import name_of
from symdsm.codegen.call_arguments import Limit
from symdsm.codegen.docstring import in_words
from symdsm.codegen.guards import complement
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.program import load_source
from symdsm.codegen.source import module_text
from symdsm.symbolic.conditions import conditions
from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.product import ProductDeclaration

__all__ = ["limits"]


def limits(declaration) -> list[Limit]:
    """One for each condition; those of a product know their block."""
    if isinstance(declaration, ProductDeclaration):
        return [limit for name, block in declaration.blocks for limit in _of_block(block, name)]
    return _of_block(declaration, None)


def _of_block(declaration, block: str | None) -> list[Limit]:
    found = [_limit(c, declaration, block) for c in conditions(declaration)]
    matrices = declaration.density.positive_definite if isinstance(declaration, CoupledDeclaration) else ()
    return [*found, *(Limit(f"{m} positive definite", (name_of(m),), _indefinite) for m in matrices)]


def _indefinite(matrix):
    """Of each matrix, has it no Cholesky factor? One that holds a NaN is not judged."""
    matrix = jnp.asarray(matrix, float)
    missing, unknown = (jnp.isnan(m).any((-2, -1)) for m in (jnp.linalg.cholesky(matrix), matrix))
    return missing & ~unknown


def _limit(condition: sp.Basic, declaration, block: str | None) -> Limit:
    clean = getattr(declaration, "clean_symbols", None) or (declaration.clean,)
    places = [f"x{k}_" for k in range(len(clean))] if len(clean) > 1 else ["x"]
    names = dict(zip(clean, places, strict=True))
    symbols = condition.free_symbols
    arguments = sorted({"x" if s in clean else s.name for s in symbols})
    unpacked = f"    {', '.join(places)} = jnp.moveaxis(x, -1, 0)\n" * ("x" in arguments and len(clean) > 1)
    value = JaxPrinter(names).doprint(complement(condition))
    text = f'def broken({", ".join(arguments)}):\n    """Not {in_words(condition)}."""\n{unpacked}    return {value}'
    source = module_text('"""A condition."""', [text])
    module = load_source(source, f"limit_{hashlib.sha256(source.encode()).hexdigest()[:12]}")
    return Limit(in_words(condition), tuple(arguments), module.broken, block)
