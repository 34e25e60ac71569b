"""The emitted Fisher information: closed forms with their conditions, quadrature elsewhere, inf where it diverges."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st

from symdsm.codegen.build import build_program
from symdsm.symbolic.constructors import from_density, from_random

x, y = sp.symbols("x y", real=True)
positive = sp.Symbol("x", positive=True)
s, L = sp.symbols("s L", positive=True)


def test_closed_form_with_its_condition(dtype):
    program = build_program(from_random(positive * st.Gamma("e", L, 1 / L), positive, L), "0" * 64)
    looks = jnp.asarray([4.0, 1.0, 1.5, 2.0], dtype)
    value = program.fisher(jnp.asarray([[2.0], [1.0]], dtype), L=looks)
    assert value.dtype == dtype
    assert np.allclose(value, [[16 / 8, 0.25, np.inf, np.inf], [8.0, 1.0, np.inf, np.inf]])


def test_never_finite(dtype):
    program = build_program(from_random(st.Rayleigh("y", positive), positive), "0" * 64)
    assert np.all(np.isinf(program.fisher(jnp.ones(3, dtype))))


@pytest.mark.slow
def test_quadrature_in_y(x64):
    """A double well, E[(4 y (y^2 - x^2) / s)^2]: no closed form, no noise."""
    program = build_program(from_density(-((y**2 - x**2) ** 2) / s, y, x, log=True), "0" * 64)
    value = jax.jit(lambda v: program.fisher(v, s=0.7))(jnp.asarray([0.5, 2.0]))
    for own, at in zip(value, (0.5, 2.0), strict=True):

        def weight(v, at=at):
            return mpmath.exp(-((v * v - at * at) ** 2) / 0.7)

        def square(v, at=at):
            return (4 * v * (v * v - at * at) / 0.7) ** 2 * weight(v, at)

        points = [-6, -at, 0, at, 6]
        assert abs(float(own) / (mpmath.quad(square, points) / mpmath.quad(weight, points)) - 1) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "value"),
    [(st.RaisedCosine("e", 0, 1), np.pi**2), (st.Triangular("e", -1, 1, 0), np.inf)],
)
def test_quadrature_in_the_noise(noise, value, x64):
    program = build_program(from_random(x + s * noise, x), "0" * 64)
    assert np.allclose(program.fisher(jnp.asarray([0.0, 5.0]), s=2.0), value / 4, rtol=1e-6)
