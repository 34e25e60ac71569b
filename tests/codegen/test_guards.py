"""A parameter or clean value that breaks its assumption gives NaN under jit, in every function, never a number.

log_prob outside the support is -inf whatever the parameters are; the points here are inside. In an array of a coupled
kernel an entry that does not depend on the parameter keeps its value; some entry is NaN.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from symdsm.codegen.guards import carries, complement, rules_of
from tests.codegen.points import NAMES, kernel, point, program

FAST = ("speckle", "random_walk", "uniform")
FUNCTIONS = ("log_prob", "score", "level_score", "sample", "target", "dual_target", "fisher")
a, b = sp.symbols("a b", real=True)


def signed(name):
    """What was declared with a sign: parameters by name, and x."""
    declaration = kernel(name)._declaration
    found = [s.name for s in declaration.params if rules_of(s) and not isinstance(s, sp.IndexedBase)]
    clean = getattr(declaration, "clean", None)
    return found + ["x"] * (isinstance(clean, sp.Symbol) and bool(rules_of(clean)))


def everything(name, with_draws):
    """Every function of the module at (y, x, params), as one jitted function; a tree of results by name."""
    module = program(name)._module
    names = [
        n for n in FUNCTIONS if hasattr(module, n) and (with_draws or n not in ("sample", "target", "dual_target"))
    ]

    @jax.jit
    def call(y, x, params):
        key, out = jax.random.key(0), {}
        for n in names:
            arguments = {"fisher": (x,), "sample": (key, x), "target": (key, x), "dual_target": (key, x)}.get(n, (y, x))
            out[n] = getattr(module, n)(*arguments, **params)
        return out

    return call


def parts(result):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(result)}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in FAST)) for n in NAMES])
def test_broken_assumptions_give_nan(name, x64):
    y, x, params = point(name)
    call = everything(name, True)
    good = parts(call(y, x, params))
    assert good and not [n for n, v in good.items() if np.isnan(v).any()]
    for broken in signed(name):
        if broken == "x":
            bad = parts(call(y, -x, params))
        else:
            bad = parts(call(y, x, params | {broken: -params[broken]}))
        blocks = [n for n, v in kernel(name).blocks.items() if broken not in map(str, v.params)]
        whole = np.any if hasattr(kernel(name)._declaration, "density") else np.all
        numbers = [n for n, v in bad.items() if not whole(np.isnan(v)) and not any(block in n for block in blocks)]
        assert numbers == [], (broken, numbers)


def test_gradients_are_nan_as_well(x64):
    y, x, params = point("laplace")
    slope = jax.jit(jax.grad(lambda p: program("laplace").log_prob(y, x, **p).sum()))({"sigma": -params["sigma"]})
    assert np.isnan(slope["sigma"])


def test_a_guard_keeps_the_type():
    module = program("laplace")._module
    assert module._positive(jnp.float16(2)).dtype == jnp.float16
    assert module._positive(2.0).weak_type and float(module._positive(2.0)) == 2.0
    assert jax.eval_shape(module._positive, jnp.zeros(3, jnp.bfloat16)).dtype == jnp.bfloat16


def test_what_carries_nan():
    assert carries(sp.exp(-a) * b, a) and carries(sp.Max(a, b), a)
    assert not carries(sp.exp(b), a)
    assert not carries(sp.Piecewise((a * b, b > 0), (b, True)), a)
    assert carries(sp.Piecewise((a * b, b > 0), (a, True)), a)


def test_the_complement_is_false_at_nan():
    inside = sp.And(a > 0, sp.Or(b < 1, sp.Eq(a, b)))
    assert complement(inside) == sp.Or(a <= 0, sp.And(b >= 1, sp.Ne(a, b)))
    assert complement(sp.true) is sp.false
