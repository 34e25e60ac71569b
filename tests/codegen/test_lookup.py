"""The table of JAX names: complete, and every entry has the value that SymPy gives."""

import jax.numpy as jnp
import jax.scipy.special as jsp
import pytest
import sympy as sp
import sympy.functions
from sympy.functions.elementary.miscellaneous import Rem

from symdsm.codegen import special
from symdsm.codegen.lookup import NARY, TABLE, WHOLE, refuse
from symdsm.codegen.printer import JaxPrinter
from symdsm.errors import CodegenError
from symdsm.symbolic.nearest import NEAREST
from symdsm.symbolic.nodes import NODES, Node

MODULES = {"jnp": jnp, "jsp": jsp, "special": special}
ARGUMENTS = {
    sp.floor: (2.6,),
    sp.atan2: (0.3, -0.7),
    sp.acosh: (1.7,),
    sp.asec: (1.7,),
    sp.acsc: (1.7,),
    sp.acoth: (1.7,),
    sp.Max: (0.3, 0.7),
    sp.Min: (0.3, 0.7),
    sp.Mod: (-2.9, 0.8),
    Rem: (-2.9, 0.8),
    sp.Heaviside: (0.3, 0.5),
    sp.polygamma: (2, 0.8),
    sp.beta: (1.3, 2.2),
    sp.zeta: (2.3, 0.7),
    sp.lowergamma: (1.3, 0.8),
    sp.uppergamma: (1.3, 0.8),
    sp.betainc_regularized: (1.3, 2.2, 0.1, 0.6),
    sp.besseli: (0.3, 1.7),
    sp.besselk: (0.3, 1.7),
}


SHAPES = {"f": lambda f: f, "1/f": lambda f: 1 / f, "f**2": lambda f: f**2, "exp(-f)": lambda f: sp.exp(-f)}


@pytest.mark.parametrize("function", [f for f in TABLE if not issubclass(f, Node)], ids=lambda f: f.__name__)
def test_printed_value_is_that_of_mpmath(function, x64):
    """Alone and inside 1/f, f**2 and exp(-f), to ten digits."""
    numbers = ARGUMENTS.get(function, (0.6,))
    whole = 1 if function in WHOLE else 0
    symbols = sp.symbols(f"a:{len(numbers)}", real=True)
    expr = function(*map(sp.Integer, numbers[:whole]), *symbols[whole:])
    names = {s.name: jnp.asarray(v) for s, v in zip(symbols, numbers, strict=True)}
    exact = function(*(sp.Rational(str(v)) for v in numbers))
    exact = exact.replace(sp.erfcinv, lambda p: sp.erfinv(1 - p)).evalf(30)  # SymPy has no number for it
    for shape, put in SHAPES.items():
        value = eval(JaxPrinter().doprint(put(expr)), dict(MODULES), names)
        assert float(value) == pytest.approx(float(put(exact)), rel=1e-10), shape


def public_functions():
    """Every function class that sympy.functions exports, with how many arguments to try."""
    for name in sorted(sympy.functions.__all__):
        function = getattr(sympy.functions, name)
        if isinstance(function, type) and issubclass(function, sp.Function) and function is not sp.Piecewise:
            yield function


@pytest.mark.parametrize("function", list(public_functions()), ids=lambda f: f.__name__)
def test_every_function_of_sympy_prints_or_is_refused_by_name(function):
    """No third way: what is not in the table is refused with its name and what to use instead."""
    assert (function in TABLE) != (function in NEAREST)
    if function in TABLE:
        return
    unevaluated = sp.Basic.__new__(function, *sp.symbols("a b", real=True))
    with pytest.raises(CodegenError) as caught:
        JaxPrinter().doprint(1 + unevaluated)
    assert function.__name__ in caught.value.given and caught.value.fix.endswith(NEAREST[function])


def test_every_node_has_a_jax_form():
    assert set(NODES) <= set(TABLE)
    assert NARY | WHOLE <= set(TABLE)


@pytest.mark.parametrize("function", NEAREST, ids=lambda f: f.__name__)
def test_no_function_is_both_supported_and_refused(function):
    assert function not in TABLE


def test_refusal_names_the_function_and_the_nearest():
    error = refuse(sp.besselj(1, sp.Symbol("x")))
    assert isinstance(error, CodegenError)
    assert "besselj" in str(error) and "besseli" in str(error)
