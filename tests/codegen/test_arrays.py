"""The emitted array code: value against NumPy by hand, score against autodiff of the value."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.codegen import special
from symdsm.codegen.arrays import emit_log_prob, emit_score
from symdsm.symbolic.indexed import declare
from tests.coupled_cases import CASES, arrays


def run(source):
    space = {"jax": jax, "jnp": jnp, "jsp": jax.scipy.special, "special": special}
    exec(source, space)
    return space[source.split("(")[0].removeprefix("def ")]


def density(case):
    return declare(case.log_density, case.noisy, case.clean)


pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize("name", CASES)
def test_value_and_score(name):
    case = CASES[name]
    y, x, parameters = jax.tree.map(jnp.asarray, arrays(case))
    d = density(case)
    log_prob, score = run(emit_log_prob(d)), run(emit_score(d))

    @jax.jit
    def everything(y):
        by_hand = jax.value_and_grad(lambda v: case.by_hand(v, x, **parameters))(y)
        return by_hand, jax.value_and_grad(log_prob)(y, x, **parameters), score(y, x, **parameters)

    (value, gradient), (ours, ours_gradient), derived = everything(y)
    np.testing.assert_allclose(ours, value, rtol=1e-13)
    tolerance = {"rtol": 1e-12, "atol": 1e-13 * np.max(np.abs(gradient))}
    np.testing.assert_allclose(derived, gradient, **tolerance)
    np.testing.assert_allclose(derived, ours_gradient, **tolerance)


SMALL = [
    "neighbours",
    "ring",
    "stride",
    "anchor",
    "total variation",
    "triangular",
    "lagged products",
    "four neighbours",
]


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("name", SMALL)
def test_one_and_two_coordinates(name, length):
    """At the smallest sizes sums over no terms are zero and slices are empty; the oracle is autodiff by hand."""
    case = CASES[name]
    if name == "lagged products":
        case = case._replace(by_hand=lambda y, x, K: -K[0] * jnp.sum(y * y) - jnp.sum((y - x) ** 4))
    shapes = {array: tuple(length for _ in shape) for array, shape in case.shapes.items()}
    if name == "stride":
        shapes["y"] = (2 * length,)
    if name == "lagged products":
        shapes["K"] = (1,)
    case = case._replace(shapes=shapes)
    y, x, parameters = jax.tree.map(jnp.asarray, arrays(case))
    d = density(case)
    log_prob, score = run(emit_log_prob(d)), run(emit_score(d))

    @jax.jit
    def everything(y):
        by_hand = jax.value_and_grad(lambda v: case.by_hand(v, x, **parameters))(y)
        return by_hand, (log_prob(y, x, **parameters), score(y, x, **parameters))

    jax.tree.map(lambda a, b: np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-13), *everything(y))


def test_the_text_is_what_one_would_write():
    body = emit_score(density(CASES["total variation"])).split('"""')[2]
    assert body.split('scalar, got shape {jnp.shape(s)}")\n')[1].splitlines() == [
        "    t0 = y[1:, :-1] - y[:-1, :-1]",
        "    t1 = y[:-1, 1:] - y[:-1, :-1]",
        "    t2 = 1 / jnp.sqrt(t0 * t0 + t1 * t1 + s * s)",
        "    t3 = t0 * t2",
        "    t4 = t1 * t2",
        "    out = jnp.zeros_like(y)",
        "    out = out.at[1:, :-1].add(-t3)",
        "    out = out.at[:-1, 1:].add(-t4)",
        "    out = out.at[:-1, :-1].add(t3 + t4)",
        "    return out",
    ]
    assert "t0 = P @ " not in emit_score(density(CASES["precision"]))
    for name, case in CASES.items():
        text = emit_log_prob(density(case)) + emit_score(density(case))
        assert "for " not in text.split('"""')[-1], name
        gathers = {"blur of x", "blur of y", "lagged products"}
        assert ("jnp.arange" in text) == (name in gathers | {"triangular", "repulsion", "Coulomb"}), name


_TEXTS = """
from symdsm.codegen.arrays import emit_derivative, emit_log_prob, emit_score
from symdsm.symbolic.indexed import declare
from tests.coupled_cases import CASES, s
for name in {order}(CASES):
    case = CASES[name]
    d = declare(case.log_density, case.noisy, case.clean)
    print("@", name, emit_log_prob(d), emit_score(d), emit_derivative(d, s))
"""


@pytest.mark.slow
def test_same_kernel_same_bytes():
    """Neither the hash seed of the process nor what was derived before changes a byte."""
    texts = []
    for seed, order in (("0", "list"), ("1", "reversed")):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", _TEXTS.format(order=order)]
        out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        texts.append(sorted(out.split("@")))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ["neighbours", "ring", "four neighbours", "total variation"])
def test_a_million_coordinates_in_linear_memory(name):
    """The compiled score of a neighbour kernel needs at most a few copies of its input."""
    case = CASES[name]
    shape = (10**6,) if len(case.shapes["y"]) == 1 else (1000, 1000)
    y = jax.ShapeDtypeStruct(shape, jnp.float32)
    x = y if "x" in case.shapes else jax.ShapeDtypeStruct((), jnp.float32)
    scalars = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in case.scalars}
    for emit in (emit_log_prob, emit_score):
        used = jax.jit(run(emit(density(case)))).lower(y, x, **scalars).compile().memory_analysis()
        assert used.temp_size_in_bytes <= 4 * 4 * 10**6


def test_a_million_coordinates_are_right():
    case = CASES["neighbours"]
    y, x = (np.random.default_rng(k).normal(size=10**6) for k in (0, 1))
    score = jax.jit(run(emit_score(density(case))))(y, x, s=0.9)
    step = np.diff(y)
    expected = 2 * (x - y) + (np.append(step, 0) - np.append(0, step)) / 0.81
    np.testing.assert_allclose(score, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "changed", "words"),
    [
        ("precision", {"P": (6, 5)}, r"P needs shape \(n, n\) = \(6, 6\) \(n from axis 0 of y\), got \(6, 5\)"),
        ("precision", {"x": (5,)}, r"x needs shape \(n,\) = \(6,\)"),
        ("precision", {"y": (6, 1)}, r"y needs 1 axis, got shape \(6, 1\)"),
        ("stride", {"y": (7,), "x": (3,)}, r"y needs shape \(2\*n,\) = \(6,\)"),
        ("linear operator, t", {"x": (4,)}, r"x needs shape \(m,\) = \(3,\) .*m from axis 1 of A"),
        ("blur of x", {"x": (9,)}, r"x needs shape \(n \+ p - 1,\) = \(8,\)"),
        ("four neighbours", {"x": (6, 5)}, r"x needs shape \(n, m\) = \(5, 6\)"),
        ("anchor", {"x": (6,)}, r"x needs to be a scalar"),
    ],
)
def test_shapes_that_disagree(name, changed, words):
    case = CASES[name]
    y, x, parameters = arrays(case._replace(shapes={**case.shapes, **changed}))
    for emit in (emit_log_prob, emit_score):
        with pytest.raises(ValueError, match=words):
            run(emit(density(case)))(y, x, **parameters)


def test_batches_by_vectorize():
    case = CASES["precision"]
    y, x, parameters = jax.tree.map(jnp.asarray, arrays(case))
    score = run(emit_score(density(case)))
    batch = jnp.stack([y, 2 * y, -y])
    ours = jnp.vectorize(lambda a, b: score(a, b, **parameters), signature="(n),(n)->(n)")(batch, x)
    np.testing.assert_allclose(ours[1], score(2 * y, x, **parameters), rtol=1e-13)
