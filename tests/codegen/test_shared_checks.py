"""Checks of shapes that several functions make are written once, and lose no word of their refusals."""

import ast

import pytest

from symdsm import families
from symdsm.codegen.shared_checks import share_checks
from symdsm.codegen.source_coupled import coupled_source

CHECKS = """    if jnp.ndim(y) != 1:
        raise ValueError(f"y needs 1 axis, got shape {jnp.shape(y)}")
    n = jnp.shape(y)[0]
"""


def _event(name: str, body: str) -> str:
    return f'def _{name}_of_event(y, x, /) -> jax.Array:\n    """One event."""\n{CHECKS}    return {body}'


def test_equal_checks_become_one_function_that_returns_what_is_read():
    other = "def score(y, x, /) -> jax.Array:\n    return y"
    shared, first, second, untouched = share_checks([_event("log_prob", "n * y"), _event("score", "y"), other])
    assert shared.startswith("def _sizes(y):\n") and shared.endswith(f"{CHECKS}    return n")
    assert "    n = _sizes(y)\n    return n * y" in first and "    _sizes(y)\n    return y" in second
    assert untouched == other


def test_a_check_that_is_made_once_stays_where_it_is():
    text = _event("log_prob", "n * y")
    assert share_checks([text]) == [text]


@pytest.mark.parametrize(("family", "without_y"), [("lattice", "_sizes_by_x"), ("linear_operator", "_sizes_by_A")])
def test_a_module_says_each_refusal_once_with_y_and_once_without(family, without_y):
    source = coupled_source(getattr(families, family)()._declaration, "0")
    functions = {f.name: f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)}
    makers = [name for name, f in functions.items() if any(isinstance(n, ast.Raise) for n in ast.walk(f))]
    assert makers == ["_sizes", without_y]
    called = {
        n.func.id for n in ast.walk(functions["_score_of_event"]) if isinstance(n, ast.Call) and hasattr(n.func, "id")
    }
    assert called == {"_sizes"}
