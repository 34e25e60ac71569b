"""The Fisher information in the level as JAX code, E[level_score^2 | x]: a module of its own, one function.

    level_fisher(x, /, **params)

It is written when it is first asked for, since its closed form takes a second or two to derive. A product adds its
blocks, which is the information of the whole where their level scores have mean zero:
E (sum_b l_b)^2 = sum_b E l_b^2 + sum_{b != c} E l_b E l_c for independent blocks. Gaussian kernels of vectors and
arrays have theirs beside `fisher`, in the module of the kernel.
"""

from functools import singledispatch

from symdsm.codegen.source import level_fisher_function, module_text
from symdsm.errors import DerivationError
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.product import ProductDeclaration, level_informations_add

__all__ = ["level_fisher_source"]

_TITLE = '"""The Fisher information in the level."""'


@singledispatch
def level_fisher_source(declaration) -> str:
    """The module; raises DerivationError for a kernel of several values without a closed form."""
    raise _unknown("the information in the level of a kernel of several values that has no known closed form")


@level_fisher_source.register
def _(declaration: Declaration) -> str:
    return module_text(_TITLE, [level_fisher_function(declaration)])


@level_fisher_source.register
def _(declaration: ProductDeclaration) -> str:
    blocks = {name: block for name, block in declaration.blocks if block.level is not None}
    if not level_informations_add(declaration):
        raise _unknown("a product whose blocks have level scores of a mean that is not zero, so that they do not add")
    functions = [level_fisher_function(block, f"_{name}") for name, block in blocks.items()]
    keywords = ", ".join(f"{p.name}: jax.Array | float" for p in declaration.params)
    terms = [
        f'level_fisher_{name}(x["{name}"]{"".join(f", {p.name}={p.name}" for p in block.params)})'
        for name, block in blocks.items()
    ]
    whole = (
        f"def level_fisher(x: dict, /, *, {keywords}) -> jax.Array:\n"
        f'    """The sum of the blocks\' informations in the level."""\n    return {" + ".join(terms)}'
    )
    return module_text(_TITLE, [*functions, whole])


def _unknown(given: str) -> DerivationError:
    return DerivationError(
        given=given,
        expected="a closed form of E[level_score**2]",
        fix='use program.fisher_estimate(key, x, of="level", ...), an average over draws with its error',
    )
