"""Program: arguments checked in words, elementwise functions, and a wrong score that does not get out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

from symdsm.codegen.build import build_program
from symdsm.codegen.program import Program, load_source, verify_scores
from symdsm.errors import CodegenError, DataError, DerivationError, ParameterError
from symdsm.symbolic.constructors import from_random

x = sp.Symbol("x", real=True)
s, nu = sp.symbols("s nu", positive=True)


@pytest.fixture(scope="module")
def student():
    return build_program(from_random(x + s * st.StudentT("z", nu), x, s), "digest")


GOOD = {"s": 0.7, "nu": 4.0}
BAD = {
    "missing": ({"s": 0.7}, ParameterError, "missing: nu"),
    "unknown": (GOOD | {"sigma": 1.0}, ParameterError, "unknown: sigma"),
    "none": ({}, ParameterError, "no parameters"),
    "negative": (GOOD | {"s": -1.0}, ParameterError, "s > 0"),
    "zero": (GOOD | {"nu": 0.0}, ParameterError, "nu > 0"),
    "one of an array": (GOOD | {"s": np.array([0.5, -2.0])}, ParameterError, "s=-2.0"),
    "text": (GOOD | {"s": "0.7"}, ParameterError, "a number"),
    "nothing": (GOOD | {"s": None}, ParameterError, "a number"),
    "complex": (GOOD | {"s": 1j}, ParameterError, "a real number"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("method", ["log_prob", "score", "level_score"])
def test_parameter_errors(student, name, method):
    params, error, words = BAD[name]
    with pytest.raises(error, match=words):
        getattr(student, method)(0.1, 0.2, **params)


@pytest.mark.parametrize("y", [jnp.array([1, 2]), jnp.array([1.0 + 1j])])
def test_arrays_must_be_real_floats(student, y):
    with pytest.raises(DataError, match=r"astype\(float\)"):
        student.log_prob(y, 0.2, **GOOD)


def test_values_broadcast_and_agree_with_scipy(student, x64):
    y, clean = np.linspace(-3, 3, 5)[:, None], np.array([-0.4, 0.0, 1.2])
    found = student.log_prob(jnp.asarray(y), jnp.asarray(clean), **GOOD)
    assert np.allclose(found, scs.t.logpdf(y, 4.0, clean, 0.7), rtol=1e-12)
    assert student.score(jnp.asarray(y), jnp.asarray(clean), **GOOD).shape == (5, 3)
    assert student.fisher(1.0, **GOOD) == pytest.approx(5 / 7 / 0.49)


def test_under_jit_only_names_are_checked(student):
    f = jax.jit(lambda value: student.log_prob(0.1, 0.2, s=value, nu=4.0))
    assert np.isnan(f(-1.0)) or np.isfinite(f(-1.0))
    with pytest.raises(ParameterError, match="unknown: width"):
        jax.jit(lambda value: student.log_prob(0.1, 0.2, width=value, nu=4.0))(1.0)


def test_targets_are_the_scores_at_the_draw(student, getkey):
    y, target, by_level = student.dual_target(getkey(), jnp.linspace(-1, 1, 64), **GOOD)
    assert np.allclose(target, student.score(y, jnp.linspace(-1, 1, 64), **GOOD), rtol=1e-4, atol=1e-5)
    assert np.allclose(by_level, student.level_score(y, jnp.linspace(-1, 1, 64), **GOOD), rtol=1e-4, atol=1e-5)


def test_no_level_no_level_score():
    program = build_program(from_random(st.Normal("y", x, s), x), "digest")
    for ask in (program.level_score, program.dual_target):
        with pytest.raises(DerivationError, match="level"):
            ask(0.1, 0.2, s=1.0)


NORMAL = """
import jax.numpy as jnp


def log_prob(y, x, /, *, s):
    return -((y - x) / s) ** 2 / 2 - jnp.log(s)


def score(y, x, /, *, s):
    return {score}


def level_score(y, x, /, *, s):
    return {level}
"""
POINTS = [{"x": 0.3, "s": 0.8}, {"x": -1.0, "s": 1.7}]


@pytest.mark.parametrize(
    "score, level, wrong",
    [
        ("-(y - x) / s**2", "((y - x) ** 2 / s**2 - 1) / s", None),
        ("-(y - x) / s", "((y - x) ** 2 / s**2 - 1) / s", "score"),
        ("-(y - x) / s**2 * (1 + 1e-5)", "((y - x) ** 2 / s**2 - 1) / s", "score"),
        ("-(y - x) / s**2", "(y - x) ** 2 / s**3", "level score"),
        ("0 * y + jnp.nan", "((y - x) ** 2 / s**2 - 1) / s", "score"),
    ],
)
def test_a_wrong_score_does_not_get_out(score, level, wrong):
    program = Program(NORMAL.format(score=score, level=level), {"s": ("positive",)}, None)
    functions = program.functions()
    if wrong is None:
        verify_scores(functions, POINTS, [0.9, 0.4], "s")
        return
    with pytest.raises(CodegenError, match=f"generated {wrong}"):
        verify_scores(functions, POINTS, [0.9, 0.4], "s")


def test_tracebacks_show_the_generated_lines():
    module = load_source("def f(y):\n    return y / 0\n", "kernel_example")
    with pytest.raises(ZeroDivisionError) as caught:
        module.f(1)
    assert "return y / 0" in str(caught.traceback[-1].statement)
