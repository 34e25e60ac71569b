"""A parameter or clean value that breaks its assumption gives NaN under jit, in every function, never a number.

log_prob outside the support is -inf whatever the parameters are; the points here are inside. In an array of a coupled
kernel an entry that does not depend on the parameter keeps its value; some entry is NaN.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.codegen.build import unverified_program
from symdsm.codegen.guards import carries, complement, rules_of
from symdsm.errors import DataError, ParameterError
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


_x, _s, _w = sp.Symbol("x", real=True), *sp.symbols("s w", positive=True)
_x1, _x2, _rho, _b = sp.symbols("x1 x2 rho b", real=True)
_n, _i = sp.Symbol("n", integer=True, positive=True), sp.Symbol("i", integer=True)
_X, _Y = (sp.IndexedBase(name, real=True, shape=(_n,)) for name in "xy")


def _normal(scale):
    return sd.Kernel.from_random(st.Normal("y", _x, scale), clean=_x)


def _correlated():
    clean, root = sp.Matrix([_x1, _x2]), sp.Matrix([[1, _rho], [_rho, 1]])
    return sd.Kernel.from_random(st.MultivariateNormal("y", clean, _s**2 * root), clean=clean, level=_s)


def _array():
    variance = _s**2 * (1 - _rho**2)
    density = -sp.Sum((_Y[_i] - _X[_i]) ** 2, (_i, 0, _n - 1)) / (2 * variance) - _n * sp.log(variance) / 2
    return sd.Kernel.from_density(density, noisy=_Y, clean=_X, level=_s, log=True)


# kernel, admissible x and params, what breaks a condition, its words in the eager error
LIMITED = {
    "mean of a beta law": (sd.families.beta, 0.4, {"nu": 4.0}, {"x": 1.5}, "x < 1"),
    "median on the unit interval": (sd.families.logit_normal, 0.4, {"sigma": 0.5}, {"x": 1.5}, "x < 1"),
    "another median": (sd.families.kumaraswamy, 0.4, {"a": 2.0}, {"x": 1.5}, "x < 1"),
    "order of two scales": (
        sd.families.ve,
        0.4,
        {"sigma_min": 0.1, "sigma_max": 2.0, "t": 0.5},
        {"sigma_min": 3.0},
        "sigma_max > sigma_min",
    ),
    "weight of a mixture": (
        lambda: sd.Kernel.mixture({_normal(_s): 1 - _w, _normal(3 * _s): _w}),
        0.4,
        {"w": 0.3, "s": 0.5},
        {"w": 1.2},
        "w < 1",
    ),
    "correlation": (_correlated, [0.4, 0.1], {"rho": 0.3, "s": 0.5}, {"rho": -1.2}, "rho[*][*]2 < 1"),
    "correlation in an array": (_array, [0.4, 0.1], {"rho": 0.3, "s": 0.5}, {"rho": 1.2}, "rho[*][*]2 < 1"),
    "ends of a support": (
        lambda: sd.Kernel.from_random(st.Uniform("y", _x, _b), clean=_x),
        0.1,
        {"b": 0.9},
        {"b": -0.2},
        "b > x",
    ),
    "scale that depends on x": (
        lambda: sd.Kernel.from_random(st.Normal("y", _x, _s * _x + 1), clean=_x),
        0.1,
        {"s": 0.9},
        {"x": -4.0},
        "s[*]x [+] 1 > 0|s[*]x > -1",
    ),
}


LIMITED_FAST = ("mean of a beta law", "order of two scales", "correlation in an array")


@pytest.mark.parametrize(
    "row", [pytest.param(r, id=n, marks=[pytest.mark.slow] * (n not in LIMITED_FAST)) for n, r in LIMITED.items()]
)
def test_broken_conditions_give_nan_and_words(row):
    make, x, params, broken, words = row
    kernel = make()
    program = unverified_program(kernel._declaration, kernel.digest)
    module, x = program._module, jnp.asarray(x)
    y, bad = 0.5 * jnp.ones_like(x), {"x": x, **params} | broken
    names = [n for n in FUNCTIONS if hasattr(module, n)]

    @jax.jit
    def call(x, params):
        key = jax.random.key(0)
        arguments = {n: (y, x) if "sc" in n or n == "log_prob" else (x,) if n == "fisher" else (key, x) for n in names}
        return {n: getattr(module, n)(*arguments[n], **params) for n in names}

    assert not [n for n, v in parts(call(x, params)).items() if np.isnan(v).any()]
    assert not [n for n, v in parts(call(bad.pop("x"), bad)).items() if not np.isnan(v).all()]
    bad = {"x": x, **params} | broken
    with pytest.raises(DataError if "x" in words.replace("max", "") else ParameterError, match=words):
        program.score(y, jnp.asarray(bad.pop("x")), **bad)


def _unsound(kernel, calls, good, bad):
    """The calls that give a number under jit though a parameter breaks its assumption; all must be refused outside."""
    program = unverified_program(kernel._declaration, kernel.digest)

    @jax.jit
    def traced(params):
        return {name: getattr(program, name)(*arguments, **params) for name, arguments in calls.items()}

    assert not [n for n, v in parts(traced(good)).items() if np.isnan(v).any()]
    for name, arguments in calls.items():
        with pytest.raises(ParameterError):
            getattr(program, name)(*arguments, **good | bad)
    return [n for n, v in parts(traced(good | bad)).items() if not np.isnan(v).all()]


@pytest.mark.slow
def test_what_is_written_later_is_guarded_too():
    """sigma_min > sigma_max: the diffusion of the VE kernel would be imaginary, its mean is free of both."""
    calls = {
        **dict.fromkeys(("posterior_mean", "flow"), (0.3, 0.2)),
        **dict.fromkeys(("drift", "mean_score"), (0.3,)),
        "bridge": (0.3, 0.2, 0.1),
    }
    good = {"sigma_min": 0.1, "sigma_max": 2.0, "t": 0.5}
    assert _unsound(sd.families.ve(), calls, good, {"sigma_min": 3.0}) == []


@pytest.mark.slow
def test_the_noise_of_a_vector_sde_is_guarded():
    """A correlation beyond 1, in an SDE whose other parameters share names with the template's own."""
    a, t = sp.symbols("a t", positive=True)
    noise = sp.Matrix([[1, 0], [_rho, sp.sqrt(1 - _rho**2)]])
    kernel = sd.Kernel.from_sde(-a * sp.Matrix([_x1, _x2]), noise, sp.Matrix([_x1, _x2]), t)
    key, y, x = jax.random.key(0), jnp.array([0.1, 0.2]), jnp.array([0.3, -0.2])
    calls = {
        **dict.fromkeys(("log_prob", "score", "level_score", "posterior_mean", "flow"), (y, x)),
        **dict.fromkeys(("sample", "target"), (key, x)),
        **dict.fromkeys(("fisher", "level_fisher", "drift", "diffusion"), (x,)),
    }
    assert _unsound(kernel, calls, {"a": 0.5, "rho": 0.3, "t": 1.0}, {"rho": 1.3}) == []


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
