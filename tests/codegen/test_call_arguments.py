"""What a Program refuses, eagerly and in words: names, types, shapes, and values that break their assumptions."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.codegen.build import unverified_program
from symdsm.errors import DataError, ParameterError, ShapeError

x, u = sp.Symbol("x", positive=True), sp.Symbol("x", real=True)
L, s = sp.symbols("L s", positive=True)
below = sp.Symbol("x", nonpositive=True)
under = sp.Symbol("x", negative=True)

KERNELS = {
    "speckle": lambda: sd.Kernel.from_random(x * st.Gamma("e", L, 1 / L), clean=x, level=L),
    "walk": sd.families.random_walk,
    "below": lambda: sd.Kernel.from_random(st.Normal("y", below, s), clean=below),
    "under": lambda: sd.Kernel.from_random(st.Normal("y", under, s), clean=under),
    "wind": lambda: sd.Kernel.product(
        {
            "speed": sd.Kernel.from_random(x * st.Gamma("e", 3, s), clean=x),
            "angle": sd.Kernel.from_random(st.Normal("y", u, s), clean=u),
        }
    ),
}


@cache
def program(name):
    kernel = KERNELS[name]()
    return unverified_program(kernel._declaration, kernel.digest)


ONES = jnp.ones(4)
TABLE = {
    "negative scale": ("speckle", (1.0, 2.0), {"L": -1.0}, ParameterError, "L=-1.0\nExpected: L > 0"),
    "zero scale": ("speckle", (1.0, 2.0), {"L": 0}, ParameterError, "L > 0"),
    "one scale of many": ("speckle", (1.0, 2.0), {"L": jnp.array([4.0, -3.0])}, ParameterError, "L=-3.0"),
    "nan scale": ("speckle", (1.0, 2.0), {"L": np.nan}, ParameterError, "L=nan"),
    "boolean scale": ("speckle", (1.0, 2.0), {"L": True}, ParameterError, "L of type bool"),
    "complex scale": ("speckle", (1.0, 2.0), {"L": 1j}, ParameterError, "L of type complex"),
    "negative clean value": ("speckle", (1.0, -2.0), {"L": 4.0}, DataError, "x with the value -2.0\nExpected: x > 0"),
    "clean zero": ("speckle", (ONES, jnp.array([1.0, 0.0, 2.0, 3.0])), {"L": 4.0}, DataError, "the value 0.0"),
    "clean zero in numpy": ("speckle", (ONES, np.array([1.0, 0, 2, 3])), {"L": 4.0}, DataError, "the value 0.0"),
    "positive clean value": ("below", (1.0, 0.5), {"s": 1.0}, DataError, "x <= 0"),
    "no negative clean value": ("under", (1.0, 0.0), {"s": 1.0}, DataError, "x < 0"),
    "clean value of a block": (
        "wind",
        ({"speed": 1.0, "angle": 0.0}, {"speed": -1.0, "angle": 0.0}),
        {"s": 1.0},
        DataError,
        r"x\['speed'\] with the value -1.0",
    ),
    "a block is missing": ("wind", ({"speed": 1.0}, {"speed": 1.0}), {"s": 1.0}, DataError, "y: a dict of speed"),
    "no dict": ("wind", (1.0, 1.0), {"s": 1.0}, DataError, "one array for each block: angle, speed"),
    "float and integer arrays": ("speckle", (ONES, jnp.array([1, 2, 3, 4])), {"L": 4.0}, DataError, "x of type int32"),
    "integers": ("walk", (jnp.arange(4), ONES), {"sigma": 1.0}, DataError, r"y.astype\(float\)"),
    "booleans": ("speckle", (ONES > 0, ONES), {"L": 4.0}, DataError, "y of type bool"),
    "a boolean": ("speckle", (True, 1.0), {"L": 4.0}, DataError, "y of type bool"),
    "complex": ("speckle", (ONES * 1j, ONES), {"L": 4.0}, DataError, "y of type complex64"),
    "complex number": ("speckle", (1j, 1.0), {"L": 4.0}, DataError, "y of type complex"),
    "text": ("speckle", ("one", 1.0), {"L": 4.0}, DataError, "y='one'"),
    "nothing": ("speckle", (None, 1.0), {"L": 4.0}, DataError, "y=None"),
    "ragged": ("speckle", ([[1.0], [1.0, 2.0]], 1.0), {"L": 4.0}, DataError, "a number or an array"),
    "no broadcast": ("speckle", (jnp.ones(3), ONES), {"L": 4.0}, ShapeError, r"y of shape \(3,\), x of shape \(4,\)"),
    "sizes in a coupled kernel": ("walk", (ONES, jnp.ones(5)), {"sigma": 1.0}, ShapeError, r"x needs shape \(n,\)"),
    "batches in a coupled kernel": (
        "walk",
        (jnp.ones((2, 4)), jnp.ones((3, 4))),
        {"sigma": 1.0},
        ShapeError,
        r"y of shape \(2, 4\), x of shape \(3, 4\)",
    ),
    "no axes in a coupled kernel": ("walk", (1.0, ONES), {"sigma": 1.0}, ShapeError, "y of shape"),
}


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.parametrize("method", ["log_prob", "score"])
def test_refused(row, method):
    name, arrays, params, error, words = TABLE[row]
    with pytest.raises(error, match=words):
        getattr(program(name), method)(*arrays, **params)


def test_draws_are_refused_as_well():
    with pytest.raises(DataError, match="x > 0"):
        program("speckle").sample(jax.random.key(0), -1.0, L=4.0)
    with pytest.raises(ParameterError, match="L > 0"):
        program("speckle").target(jax.random.key(0), 1.0, L=-4.0)


def test_whole_parameters_and_numpy_are_welcome(x64):
    expected = program("speckle").log_prob(1.3, 0.9, L=4.0)
    assert program("speckle").log_prob(np.float64(1.3), np.asarray(0.9), L=4) == expected
    assert program("speckle").log_prob(1.3, 0.9, L=np.int64(4)) == expected
    assert np.isnan(program("speckle").score(1.3, jnp.array([np.nan, 0.9]), L=4.0)).tolist() == [True, False]


def test_empty_arrays_pass():
    assert program("speckle").score(jnp.zeros(0), jnp.zeros(0), L=4.0).shape == (0,)


@pytest.mark.parametrize(
    "family, name", [("multivariate_normal_precision", "P"), ("multivariate_normal_covariance", "C")]
)
def test_an_indefinite_matrix_is_refused_and_gives_nan_when_traced(family, name):
    program = getattr(sd.families, family)().compile()
    matrix, y, x = jnp.array([[1.0, 2.0], [2.0, 1.0]]), jnp.array([0.3, -0.2]), jnp.zeros(2)
    for method in ("log_prob", "score"):
        with pytest.raises(
            ParameterError, match=rf"(?s){name}=\[\[1.0, 2.0\], \[2.0, 1.0\]\].*{name} positive definite"
        ):
            getattr(program, method)(y, x, sigma=0.7, **{name: matrix})
        with pytest.raises(ParameterError, match="positive definite"):
            batch = jnp.stack([jnp.eye(2), matrix])
            getattr(program, method)(y, x, sigma=0.7, **{name: batch})
    calls = dict.fromkeys(("log_prob", "score", "level_score", "posterior_mean"), (y, x))
    calls |= dict.fromkeys(("fisher", "level_fisher"), (x,)) | {"sample": (jax.random.key(0), x)}

    @jax.jit
    def traced(m):
        return {f: getattr(program, f)(*arguments, sigma=0.7, **{name: m}) for f, arguments in calls.items()}

    assert [f for f, v in traced(matrix).items() if not jnp.isnan(v).all()] == []
    assert [f for f, v in traced(jnp.eye(2)).items() if not jnp.isfinite(v).all()] == []
