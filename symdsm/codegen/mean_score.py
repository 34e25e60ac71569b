"""E[score | x] as JAX code: a module of one function, written when it is asked for.

mean_score(x, /, **params)      E[d/dy log p(y | x) | x], p at the upper ends less p at the lower ones; NaN where it
                                is infinite. Of x's and the parameters' common shape; zeros for kernels of several
                                values whose density vanishes at infinity
"""

import sympy as sp

from symdsm.codegen.arrays_function import name_of
from symdsm.codegen.guards import Guards, complement
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.source import module_text
from symdsm.codegen.stabilise import stabilise
from symdsm.errors import DerivationError
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.findings import Regularity

__all__ = ["mean_score_source"]


def mean_score_source(declaration, regularity: Regularity) -> str:
    """The module; raises DerivationError where E[score | x] is not known, infinite, or an array that is not zero."""
    found = next((f for f in regularity.findings if f.row == "mean"), None)
    if found is None or found.value is None:
        raise _no_mean("not known" if found is None else f"not known: {found.reason}")
    names = [name_of(p) for p in declaration.params]
    keywords = f", *, {', '.join(f'{n}: jax.Array | float' for n in names)}" if names else ""
    head = f'def mean_score(x: jax.Array, /{keywords}) -> jax.Array:\n    """E[score | x]."""\n'
    if not isinstance(declaration, Declaration):
        if found.value != 0:
            raise _no_mean(f"{found.value}, of several values at once")
        return module_text('"""The mean of the score."""', [head + "    return jnp.zeros_like(x)"])
    symbols = {declaration.clean: "x", **{p: p.name for p in declaration.params}}
    printer = JaxPrinter(symbols)
    guards = Guards(declaration, symbols, printer.doprint)
    mean, every = sp.sympify(found.value), ["x", *names]
    value = printer.doprint(stabilise(mean))
    if found.when != sp.true:
        value = f"jnp.where({printer.doprint(complement(found.when))}, jnp.nan, {value})"
    value = guards.checked(value, mean)
    lines = [
        *guards.lines(),
        f"shape = jnp.broadcast_shapes({', '.join(f'jnp.shape({n})' for n in every)})",
        f"dtype = jnp.result_type({', '.join([*every, '0.0'])})",
        f"return jnp.broadcast_to(jnp.asarray({value}, dtype), shape)",
    ]
    return module_text('"""The mean of the score."""', [head + "\n".join(f"    {line}" for line in lines)])


def _no_mean(given: str) -> DerivationError:
    return DerivationError(
        given=f"a kernel with E[score | x] = {given}",
        expected="a number that is known for each clean value: the control variate is the target less this mean",
        fix='use objective="dsm", or sd.objectives.controlled(mean) with the mean as a function of (x, u)',
    )
