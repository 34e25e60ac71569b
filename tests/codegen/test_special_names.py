"""SymPy's own special functions, as the printer writes them, against mpmath at 50 digits over their whole range.

Each is tried alone and inside 1/f, f**2 and exp(-f), in both precisions. Those of SymPy's special functions that have
no row here are refused by name.
"""

import importlib
import inspect

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from symdsm.codegen import special
from symdsm.codegen.lookup import TABLE
from symdsm.codegen.printer import JaxPrinter
from symdsm.errors import CodegenError
from symdsm.symbolic.nearest import NEAREST
from tests.codegen.test_special import HALF, LINE, grid, inside_others, spaced, worst_error

UNIT = np.concatenate([spaced(1e-15, 0.5, 12), 1 - spaced(1e-3, 0.4, 8)])
GAMMA_X = [1e-15, 1e-5, 0.5, 1, 4, 31, 80]

# SymPy's function with whole-number arguments put in, mpmath's, grid, tolerance in float64 and in float32
ROWS = {
    "erf": (sp.erf, mp.erf, grid(LINE), 1e-15, 4e-7),
    "erfc": (sp.erfc, mp.erfc, grid(np.concatenate([-spaced(1e-15, 30, 10), spaced(1e-15, 25, 30)])), 1e-15, 4e-6),
    "erfinv": (sp.erfinv, mp.erfinv, grid(np.concatenate([UNIT, -UNIT])), 1e-15, 4e-6),
    "erfcinv": (sp.erfcinv, lambda p: mp.erfinv(1 - p), grid(UNIT), 1e-15, 4e-7),
    "gamma": (sp.gamma, mp.gamma, grid(np.concatenate([spaced(1e-15, 170, 40), [-0.5, -1.5, -5.7]])), 4e-13, 1e-5),
    "loggamma": (sp.loggamma, mp.loggamma, grid(HALF), 1e-14, 4e-6),
    "digamma": (sp.digamma, mp.digamma, grid(HALF), 1e-14, 4e-6),
    "trigamma": (sp.trigamma, lambda u: mp.polygamma(1, u), grid(HALF), 1e-14, 4e-6),
    "polygamma": (lambda u: sp.polygamma(3, u), lambda u: mp.polygamma(3, u), grid(spaced(1e-8, 1e8, 30)), 1e-14, 8e-6),
    "beta": (sp.beta, mp.beta, grid(spaced(1e-15, 400, 8), spaced(1e-15, 400, 8)), 1e-12, 4e-4),
    "factorial": (sp.factorial, mp.factorial, grid(spaced(1e-15, 160, 30)), 4e-13, 1e-5),
    "zeta": (sp.zeta, mp.zeta, grid([1.0001, 1.01, 1.5, 2, 3.3, 10, 40, 100]), 1e-15, 4e-7),
    "zeta of Hurwitz": (sp.zeta, mp.zeta, grid([1.01, 2, 3.3, 10], [1e-3, 0.3, 1, 2.5, 30, 1e3]), 1e-13, 4e-5),
    "lowergamma": (
        sp.lowergamma,
        lambda a, u: mp.gammainc(a, 0, u),
        grid([1e-8, 0.1, 0.9, 4.1, 30], GAMMA_X),
        4e-13,
        1e-4,
    ),
    "uppergamma": (sp.uppergamma, mp.gammainc, grid([1e-8, 0.1, 0.9, 4.1, 30], GAMMA_X), 4e-13, 1e-4),
    "betainc_regularized": (
        lambda a, b, u: sp.betainc_regularized(a, b, 0, u),
        lambda a, b, u: mp.betainc(a, b, 0, u, regularized=True),
        grid([0.1, 1.5, 100], [0.5, 4, 400], [1e-8, 0.01, 0.3, 0.9]),
        1e-12,
        1e-4,
    ),
    "besseli": (sp.besseli, mp.besseli, grid([0, 0.3, 2.5, 9.9, 30], [1e-15, 1e-6, 0.3, 2.5, 8, 24, 80]), 4e-13, 1e-4),
    "besselk": (sp.besselk, mp.besselk, grid([0, 0.3, 2.5, 9.9, 30], [1e-10, 0.3, 2.5, 8, 24, 80]), 4e-13, 1e-4),
    "Ei": (sp.Ei, mp.ei, grid(np.concatenate([-spaced(1e-15, 80, 20), spaced(1e-15, 80, 20)])), 1e-14, 1e-4),
}

LOGARITHMS = {"loggamma"}  # an absolute error is a relative one of the function itself
SLOW = {"besseli", "besselk", "betainc_regularized", "lowergamma", "uppergamma", "beta"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in ROWS])
def test_against_mpmath(name):
    function, truth, columns, double, single = ROWS[name]
    symbols = sp.symbols(f"u:{len(columns)}", positive=True)
    text = JaxPrinter().doprint(function(*symbols))
    with mp.workdps(50):
        exact = [truth(*map(mp.mpf, row)) for row in zip(*map(list, columns), strict=True)]
    for dtype, tolerance in ((jnp.float64, double), (jnp.float32, single)):
        with jax.enable_x64(dtype == jnp.float64):
            space = {"jnp": jnp, "jsp": jsp, "special": special}
            space |= {s.name: jnp.asarray(c, dtype) for s, c in zip(symbols, columns, strict=True)}
            values = eval(text, space)
            assert values.dtype == dtype
            assert worst_error(values, exact, name in LOGARITHMS, dtype) < tolerance
            if name not in LOGARITHMS:
                inside_others(values, exact, tolerance, dtype)


def special_functions():
    """Every function class of sympy.functions.special that a user can name."""
    groups = ("error_functions", "gamma_functions", "beta_functions", "zeta_functions", "bessel", "elliptic_integrals")
    for group in (*groups, "hyper", "polynomials", "spherical_harmonics"):
        module = importlib.import_module(f"sympy.functions.special.{group}")
        for name, found in vars(module).items():
            public = inspect.isclass(found) and issubclass(found, sp.Function) and hasattr(sp, name)
            if public and found.__module__ == module.__name__:
                yield found


@pytest.mark.parametrize("function", sorted(set(special_functions()), key=str), ids=str)
def test_correct_or_refused_by_name(function):
    assert (function in TABLE) != (function in NEAREST)
    assert function.__name__ in ROWS or function in NEAREST


@pytest.mark.parametrize("expr", [sp.LambertW, sp.Si, sp.fresnels, sp.airyai, sp.li], ids=str)
def test_refusal_in_print(expr):
    with pytest.raises(CodegenError, match=expr.__name__):
        JaxPrinter().doprint(1 / expr(sp.Symbol("u", positive=True)))
