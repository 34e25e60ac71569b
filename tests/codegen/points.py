"""One admissible point (y, x, params) of any kernel, in float64; y is drawn where there is an exact sampler."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.codegen.build import unverified_program
from symdsm.codegen.coupled_check import _onto, example
from symdsm.symbolic.probe import probes

ROW = 3  # entries of the arrays that a scalar kernel gets


def _mixture():
    x, s, w = sp.Symbol("x", real=True), *sp.symbols("s w", positive=True)
    normal = sd.Kernel.from_random(st.Normal("y", x, s), clean=x, level=s)
    return sd.Kernel.mixture({normal: 1 / (1 + w), normal.subs({s: 10 * s}): w / (1 + w)})


def _product():
    s, L, sigma = sp.symbols("s L sigma", positive=True)
    blocks = {"speed": sd.families.speckle().subs({L: 1 / s**2}), "place": sd.families.laplace().subs({sigma: s})}
    return sd.Kernel.product(blocks)


def _uniform():
    """Constant inside a moving support: nothing that it computes needs every parameter."""
    x, s = sp.Symbol("x", real=True), sp.Symbol("s", positive=True)
    return sd.Kernel.from_random(x + st.Uniform("e", -s, s), clean=x, level=s)


OWN = {"mixture": _mixture, "product": _product, "uniform": _uniform}
NAMES = (*sd.families.__all__, *OWN)


@cache
def kernel(name):
    return (OWN.get(name) or getattr(sd.families, name))()


@cache
def program(name):
    return unverified_program(kernel(name)._declaration, kernel(name).digest)


@cache
def point(name):
    """(y, x, params) in float64; call it inside jax.enable_x64."""
    declaration = kernel(name)._declaration
    if hasattr(declaration, "density"):
        return _coupled(declaration)
    if hasattr(declaration, "blocks"):
        parts = {n: probes(block, 1, seed=4)[0] for n, block in declaration.blocks}
        x = {n: jnp.full(ROW, values[dict(declaration.blocks)[n].clean]) for n, values in parts.items()}
        params = {s.name: jnp.asarray(1.1 if s.is_positive else 0.3) for s in declaration.params}
    elif hasattr(declaration, "noisy_symbols"):
        params = {s.name: jnp.asarray(0.9 if s.is_positive else 0.3) for s in declaration.params}
        x = jnp.asarray([0.4, -0.7, 1.2])
    else:
        values = probes(declaration, 1, seed=4, tries=400)[0]
        params = {s.name: jnp.asarray(values[s]) for s in declaration.params}
        x = values[declaration.clean] * jnp.asarray([1.0, 0.9, 0.8])
    y = jax.jit(program(name).sample)(jax.random.key(2), x, **params)
    support = kernel(name).support
    if (
        isinstance(support, sp.Interval)
        and support.inf.is_Number
        and support.sup.is_Number
        and support.measure.is_finite
    ):
        low, high = float(support.inf), float(support.sup)
        y = jnp.clip(y, 0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high)  # differences need room
    return y, x, params


def _coupled(declaration):
    rng = np.random.default_rng(5)
    y, x, params = example(declaration, rng)
    manifold = getattr(declaration.support, "manifold", None)
    if manifold is not None:
        y, x = _onto(manifold, y), _onto(manifold, x)
    return jnp.asarray(y), jnp.asarray(x), {k: jnp.asarray(v) for k, v in params.items()}
