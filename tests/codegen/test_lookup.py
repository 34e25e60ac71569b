"""The table of JAX names: complete, and every entry has the value that SymPy gives."""

import jax.numpy as jnp
import jax.scipy.special as jsp
import pytest
import sympy as sp

from symdsm.codegen import special
from symdsm.codegen.lookup import NARY, NEAREST, TABLE, WHOLE, refuse
from symdsm.errors import CodegenError
from symdsm.symbolic.nodes import NODES, Node

MODULES = {"jnp": jnp, "jsp": jsp, "special": special}
ARGUMENTS = {
    sp.atan2: (0.3, -0.7),
    sp.acosh: (1.7,),
    sp.asec: (1.7,),
    sp.acsc: (1.7,),
    sp.acoth: (1.7,),
    sp.Max: (0.3, 0.7),
    sp.Min: (0.3, 0.7),
    sp.Mod: (2.9, 0.8),
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


@pytest.mark.parametrize("function", [f for f in TABLE if not issubclass(f, Node)], ids=lambda f: f.__name__)
def test_same_value_as_sympy(function):
    arguments = ARGUMENTS.get(function, (0.6,))
    module, name = TABLE[function].split(".")
    value = getattr(MODULES[module], name)(*arguments)
    expected = function(*(sp.Rational(str(a)) for a in arguments)).evalf(20)
    assert float(value) == pytest.approx(float(expected), rel=2e-6)


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
