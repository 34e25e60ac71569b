"""The text of a module: what it says, that it compiles alone, and its values against scipy inside and outside."""

import ast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

from symdsm.codegen.docstring import formula
from symdsm.codegen.program import load_source
from symdsm.codegen.source import scalar_source
from symdsm.symbolic.constructors import from_density, from_random, mixture
from symdsm.symbolic.families import von_mises

x, y = sp.symbols("x y", real=True)
xp, L, s, w = sp.symbols("x L s w", positive=True)
e = st.Normal("e", 0, 1)
flat = from_density(1 / (2 * s), y, x, sp.Interval.open(x - s, x + s))

KERNELS = {
    "normal": (from_random(x + s * e, x, s), lambda y, x, s: scs.norm.logpdf(y, x, s)),
    "speckle": (from_random(xp * st.Gamma("g", L, 1 / L), xp, L), lambda y, x, L: scs.gamma.logpdf(y, L, 0, x / L)),
    "moving edge": (from_random(x + st.Gamma("g", 3, s), x), lambda y, x, s: scs.gamma.logpdf(y, 3, x, s)),
    "flat": (flat, lambda y, x, s: scs.uniform.logpdf(y, x - s, 2 * s)),
    "mixture": (
        mixture(((from_random(x + s * e, x), w), (from_random(x + 9 * s * e, x), 1 - w))),
        lambda y, x, s, w: np.logaddexp(
            np.log(w) + scs.norm.logpdf(y, x, s), np.log1p(-w) + scs.norm.logpdf(y, x, 9 * s)
        ),
    ),
}
VALUES = {"s": 0.8, "L": 3.5, "w": 0.3}


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request):
    declaration, oracle = KERNELS[request.param]
    source = scalar_source(declaration, "0123456789abcdef")
    params = {p.name: VALUES[p.name] for p in declaration.params}
    return declaration, oracle, source, params


def test_text(kernel):
    declaration, _, source, params = kernel
    tree = ast.parse(source)
    functions = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
    wanted = {"log_prob", "score", "sample", "target", "fisher"}
    wanted |= {"level_score", "dual_target"} if declaration.level is not None else set()
    assert {name for name in functions if not name.startswith("_")} == wanted
    assert all(ast.get_docstring(f) for f in functions.values())
    assert [a.arg for a in functions["score"].args.kwonlyargs] == sorted(params)
    assert "0123456789ab" in ast.get_docstring(tree) and "In LaTeX" in source
    imports = {a.name.split(".")[0] for n in tree.body if isinstance(n, ast.Import) for a in n.names}
    assert imports == {"jax"}


def test_values_inside_and_outside(kernel, x64):
    _, oracle, source, params = kernel
    module = load_source(source, "example")
    noisy, clean = np.array([-3.0, -0.2, 0.3, 0.9, 2.6, 40.0]), 0.5
    with np.errstate(divide="ignore"):
        expected = oracle(noisy, clean, **params)
    found = module.log_prob(jnp.asarray(noisy), clean, **params)
    assert np.allclose(found, expected, rtol=1e-10)
    slope = jax.vmap(jax.grad(lambda v: module.log_prob(v, clean, **params)))(jnp.asarray(noisy))
    inside = np.isfinite(expected)
    assert np.isfinite(slope).all()
    assert np.allclose(module.score(jnp.asarray(noisy), clean, **params)[inside], slope[inside], rtol=1e-9)
    assert np.isnan(module.score(jnp.asarray(noisy), clean, **params)[~inside]).all()


def test_shapes_broadcast(kernel):
    _, _, source, params = kernel
    module = load_source(source, "example")
    clean, noisy = jnp.full((3, 1), 0.5), jnp.full(4, 0.6)
    for f in (module.log_prob, module.score):
        assert jax.eval_shape(lambda y, x, f=f: f(y, x, **params), noisy, clean).shape == (3, 4)
    drawn = jax.eval_shape(lambda key, x: module.target(key, x, **params), jax.random.key(0), clean)
    assert [part.shape for part in drawn] == [(3, 1), (3, 1)]


def test_bound_indices_are_written_without_underscores():
    k = sp.Dummy("k", integer=True)
    _, (text, _) = formula(("a", "a"), sp.Sum(1 / k**2, (k, 1, sp.oo)))
    assert text == "Sum(k**(-2), (k, 1, oo))"


def test_targets_and_informations_are_shortened():
    source = scalar_source(von_mises(), "0")
    assert source.count("-kappa * jnp.sin(e)") == 2 and "kappa * (jsp.i1e(kappa) / jsp.i0e(kappa))" in source
    speckle = scalar_source(KERNELS["speckle"][0], "0")
    assert "-L * (e + 1 - L) / (e * x)" in speckle


def test_what_costs_for_each_entry_is_little():
    """Parameters' own terms are added once, and a point inside the support needs no division."""
    speckle = scalar_source(KERNELS["speckle"][0], "0")
    for line in (
        "y = jnp.where(outside, x, y)",
        "constant = jnp.log(L / (2 * jnp.pi)) / 2 - special.stirling_error(L)",
    ):
        assert line in speckle
