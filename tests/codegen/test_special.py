"""The special functions against mpmath at 50 digits, over their whole range, alone and inside larger expressions.

Inputs are float32 numbers, so that one reference serves both precisions. An error is relative, with a floor of 1
under a logarithm (there an absolute error is a relative error of the function itself).
"""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from symdsm.codegen import special
from symdsm.codegen.lookup import TABLE
from symdsm.symbolic import nodes as N


def spaced(least, most, count):
    return np.exp(np.linspace(np.log(least), np.log(most), count))


def grid(*axes):
    mesh = np.meshgrid(*[np.asarray(a, float) for a in axes], indexing="ij")
    return [m.ravel().astype(np.float32).astype(np.float64) for m in mesh]


LINE = np.concatenate([-spaced(1e-15, 1e15, 16), spaced(1e-15, 1e15, 16), -spaced(0.1, 30, 10), spaced(0.1, 30, 10)])
HALF = np.concatenate([spaced(1e-15, 1e15, 20), spaced(0.05, 50, 20)])
ORDERS = [0, 1e-6, 0.3, 2.5, 9.9, 30, 400]
NEGATIVE_ORDERS = [-0.9, -0.4, *ORDERS]
ARGUMENTS = [1e-15, 1e-6, 0.3, 0.49, 0.51, 2.5, 8.01, 12.01, 24, 400]
SHAPES = [1e-8, 0.1, 0.9, 1.1, 4.1, 30, 400]
GAMMA_X = [1e-15, 1e-5, 0.5, 0.99, 1, 4.01, 31, 390, 410]
ANGLES = [0.01, 1, 3.14, 10, -50]
WIDTHS = [1e-3, 0.1, 1.9, 2, 5, 1e3]
KUMMER = grid([0.5, 4, 400], [0.5, 4, 400], [1e-15, 0.1, 3, 90, 2000])
KUMMER = [c[KUMMER[0] >= KUMMER[1]] for c in KUMMER]
BETA = ([0.1, 1.5, 100], [0.5, 4, 400], [1e-8, 0.01, 0.3, 0.9])

LOG_GAMMAS = [-30, -1, 0.7, 6.2, 40]

# node, whole-number arguments, grid, floor under the error, tolerance in float64 and in float32
CASES = [
    (N.Softplus, (), grid(LINE), 0, 1e-15, 4e-7),
    (N.Sigmoid, (), grid(LINE), 0, 1e-15, 4e-7),
    (N.LogCosh, (), grid(LINE), 0, 1e-15, 4e-7),
    (N.LogSinh, (), grid(HALF), 1, 1e-15, 4e-7),
    (N.LogExpm1, (), grid(HALF), 1, 1e-15, 4e-7),
    (N.Log1mExp, (), grid(-HALF), 0, 1e-15, 4e-7),
    (N.LogAbs, (), grid(LINE), 1, 1e-15, 4e-7),
    (N.AbsPower, (), grid([-1.004, -0.3, 0.997, 2.5], [0.4, 1.6, 40, 400]), 0, 1e-13, 6e-5),
    (N.Blend, (), grid(LINE, [1e-9, 0.3], [4e5]), 0, 1e-15, 4e-7),
    (N.SignedLSE, (), grid([0.7], [-300, 0, 200], [-0.4, 0.3], [-310, 150]), 1, 1e-14, 4e-6),
    (N.SignedWeight, (1,), grid([0.7], [-300, 0, 200], [-0.4, 0.3], [-310, 150]), 0, 1e-14, 1e-5),
    (N.ExpGap, (), grid(LINE[np.abs(LINE) < 80]), 0, 1e-15, 4e-7),
    (N.LogGap, (), grid(HALF), 1, 1e-15, 4e-7),
    (N.LogNdtr, (), grid(LINE), 0, 2e-15, 8e-7),
    (N.Mills, (), grid(LINE), 0, 2e-15, 8e-7),
    (N.MillsGap, (), grid(LINE), 0, 2e-15, 8e-7),
    (N.Erfcx, (), grid(LINE), 0, 2e-15, 8e-7),
    (N.StirlingError, (), grid(HALF), 0, 4e-15, 2e-6),
    (N.StirlingSlope, (), grid(HALF), 0, 1e-14, 5e-6),
    (N.LogWrappedNormal, (), grid(ANGLES, WIDTHS), 1, 2e-15, 8e-7),
    (N.WrappedNormalMoment, (1,), grid(ANGLES, WIDTHS), 0, 1e-13, 4e-5),
    (N.WrappedNormalMoment, (2,), grid(ANGLES, WIDTHS), 0, 1e-13, 4e-5),
    (N.LogBesselI, (), grid(NEGATIVE_ORDERS, ARGUMENTS), 1, 1e-14, 4e-6),
    (N.LogBesselIe, (), grid(NEGATIVE_ORDERS, ARGUMENTS), 1, 1e-14, 4e-6),
    (N.BesselIRatio, (), grid(NEGATIVE_ORDERS, ARGUMENTS), 0, 5e-15, 1e-6),
    (N.BesselIGap, (), grid(NEGATIVE_ORDERS[1:], ARGUMENTS), 0, 1e-13, 4e-5),
    (N.LogBesselK, (), grid([-0.6, -0.3, 0, 1e-6, 2.5, 5.4, 30], ARGUMENTS), 1, 2e-15, 8e-7),
    (N.LogBesselKe, (), grid([-0.6, -0.3, 0, 1e-6, 2.5, 5.4, 30], ARGUMENTS), 1, 2e-15, 8e-7),
    (N.BesselKRatio, (), grid([-7.3, -0.6, -0.3, 0, 2.5, 5.4, 30], ARGUMENTS), 0, 1e-14, 6e-6),
    (N.LogBesselIOrder, (), grid([-0.4, 0.3, 2.5, 30], [1e-3, 3, 13, 200]), 1, 1e-13, 2e-6),
    (N.LogBesselKOrder, (), grid([0.3, 2.5, 30], [1e-3, 0.6, 3, 200]), 1, 1e-13, 2e-6),
    (N.ErlangCdf, (2,), grid(np.minimum(HALF, 1e10)), 0, 2e-15, 8e-7),
    (N.ErlangCdf, (3,), grid(np.minimum(HALF, 1e10)), 0, 4e-15, 2e-6),
    (N.LogGammaP, (), grid(SHAPES, GAMMA_X), 0, 4e-13, 3e-5),
    (N.LogGammaQ, (), grid(SHAPES, GAMMA_X), 0, 4e-13, 3e-5),
    (N.GammaHazardP, (), grid(SHAPES, GAMMA_X), 0, 4e-13, 3e-5),
    (N.GammaHazardQ, (), grid(SHAPES, GAMMA_X), 0, 4e-13, 3e-5),
    (N.LogGammaPShape, (), grid([0.1, 1.1, 30], [1e-3, 3, 30]), 0, 1e-12, 3e-5),
    (N.LogGammaQShape, (), grid([0.1, 1.1, 30], [1e-3, 3, 30]), 0, 1e-12, 3e-5),
    (N.LogBetaInc, (), grid(*BETA), 1, 1e-12, 3e-5),
    (N.BetaHazard, (), grid(*BETA), 0, 1e-11, 1e-3),
    (N.LogBetaIncShape, (1,), grid([0.3, 20], [1.5, 20], [0.01, 0.6]), 0, 1e-12, 3e-5),
    (N.LogBetaIncShape, (2,), grid([0.3, 20], [1.5, 20], [0.01, 0.6]), 0, 1e-12, 3e-5),
    (N.Log1pSquare, (), grid(LINE), 0, 1e-15, 4e-7),
    (N.Hump, (), grid(LINE), 0, 1e-15, 4e-7),
    (N.SoftSign, (), grid(LINE), 0, 1e-15, 4e-7),
    (N.Square, (), grid(LINE), 0, 1e-15, 4e-7),
    (N.Hypot, (), grid(HALF, [-1e12, -0.3, 1e-9, 2.5, 1e15]), 0, 1e-15, 4e-7),
    (N.LogHyp1F1, (), KUMMER, 0, 1e-12, 2e-4),
    (N.Hyp1F1Ratio, (), KUMMER, 0, 1e-12, 2e-4),
    (N.LogGammaMixture, (), grid([0.5, 4, 400], [0.1, 0.6], LOG_GAMMAS, LOG_GAMMAS), 1, 1e-13, 1e-5),
    (N.Hyp0FGap, (2,), grid([0.5, 4, 400], [-30, -1, 6, 50], LOG_GAMMAS), 1, 1e-13, 1e-5),
]


def name_of(case):
    return case[0].__name__ + "".join(str(k) for k in case[1])


# compiled in seconds each; their building blocks are in the fast cases
SLOW = {
    *(N.LogBesselIe, N.LogBesselKe, N.BesselIRatio, N.LogBesselIOrder, N.LogBesselKOrder, N.BesselKRatio),
    *(N.LogGammaPShape, N.LogGammaQShape, N.GammaHazardP, N.LogBetaIncShape, N.BetaHazard, N.Hyp1F1Ratio),
    *(N.LogGammaMixture, N.Hyp0FGap),
}


def marked(cases):
    return [pytest.param(c, id=name_of(c), marks=[pytest.mark.slow] if c[0] in SLOW else []) for c in cases]


def jax_form(node, whole):
    module, _, name = TABLE[node].partition(".")
    f = getattr({"special": special, "jnp": jnp}[module], name)
    return lambda *args: f(*whole, *args)


def reference(node, whole, columns):
    with mpmath.workdps(50):
        return [node.numeric(*whole, *map(mpmath.mpf, row)) for row in zip(*map(list, columns), strict=True)]


def worst_error(values, exact, floor, dtype):
    """The largest error over the points whose true value is a normal number of this type."""
    limits = np.finfo(dtype)
    worst = 0.0
    for value, truth in zip(np.asarray(values, float), exact, strict=True):
        if truth != 0 and limits.tiny < abs(truth) < limits.max:
            assert np.isfinite(value)
            worst = max(worst, float(abs(mpmath.mpf(value) - truth) / max(abs(truth), floor)))
    return worst


@pytest.mark.parametrize("case", marked(CASES))
def test_against_mpmath(case):
    node, whole, columns, floor, double, single = case
    exact = reference(node, whole, columns)
    with jax.enable_x64(True):
        for dtype, tolerance in ((jnp.float64, double), (jnp.float32, single)):
            values = jax.jit(jax_form(node, whole))(*[jnp.asarray(c, dtype) for c in columns])
            assert values.dtype == dtype
            assert worst_error(values, exact, floor, dtype) < tolerance
            if not floor:
                inside_others(values, exact, tolerance, dtype)


def inside_others(f, exact, tolerance, dtype):
    """1/f, f**2 and exp(-f) are as good as f: exp(-f) where f is not so large that its rounding shows."""
    known = [e if e else mpmath.mpf(1) for e in exact]
    assert worst_error(1 / f, [1 / e for e in known], 0, dtype) < 2 * tolerance
    assert worst_error(f**2, [e**2 for e in exact], 0, dtype) < 3 * tolerance
    small = [k for k, e in enumerate(exact) if abs(e) < 8]
    if small:
        powers = jnp.exp(-f[np.asarray(small)])
        assert worst_error(powers, [mpmath.exp(-exact[k]) for k in small], 0, dtype) < 10 * tolerance


SMOOTH = [
    (N.LogNdtr, (), grid([-40, -3, -0.1, 0.2, 3])),
    (N.Mills, (), grid([-40, -3, -0.1, 0.2, 3])),
    (N.LogBesselI, (), grid([-0.3, 0.4, 3, 30], [0.01, 3, 13, 40])),
    (N.BesselIRatio, (), grid([-0.3, 0.4, 3, 30], [0.01, 3, 13, 40])),
    (N.LogBesselK, (), grid([0.4, 3, 30], [0.01, 3, 40])),
    (N.LogWrappedNormal, (), grid([0.1, 3, -2], [0.5, 1.9, 2.5])),
    (N.LogGammaQ, (), grid([0.4, 3, 30], [0.2, 3.5, 33])),
    (N.LogGammaMixture, (), grid([0.4, 30], [0.1, 0.6], [-1, 3], [0.7])),
    (N.Hyp0FGap, (2,), grid([0.4, 30], [-1, 6], [0.7])),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", SMOOTH, ids=name_of)
def test_gradients_in_every_argument(case):
    node, whole, columns = case
    f = jax_form(node, whole)
    with jax.enable_x64(True):
        every = tuple(range(len(columns)))
        found = jax.jit(jax.grad(lambda *a: f(*a).sum(), every))(*map(jnp.asarray, columns))
        for i in every:
            for j, row in enumerate(zip(*map(list, columns), strict=True)):

                def along(t, i=i, row=row):
                    return node.numeric(*whole, *[t if k == i else mpmath.mpf(v) for k, v in enumerate(row)])

                with mpmath.workdps(30):
                    truth = mpmath.diff(along, mpmath.mpf(row[i]))
                assert float(found[i][j]) == pytest.approx(float(truth), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_log_gap_errs_as_if_its_argument_were_one_unit_away(dtype):
    near = spaced(1e-6, 0.4, 100)
    with jax.enable_x64(True), mpmath.workdps(40):
        r = jnp.asarray(1 + np.concatenate([-near, near]), dtype)
        eps = float(jnp.finfo(dtype).eps)
        for value, at in zip(np.asarray(special.log_gap(r), float), map(mpmath.mpf, np.asarray(r, float)), strict=True):
            exact = N.LogGap.numeric(at)
            assert abs(value - exact) <= eps * (abs(at - 1) + exact)


def test_log_gap_where_its_argument_overflows():
    """r - 1 - log r and its slope 1 - 1/r as r -> inf; NaN stays NaN."""
    r = jnp.float32([np.inf, 1e38, np.nan])
    assert np.array_equal(special.log_gap(r)[:2], jnp.float32([np.inf, 1e38])) and np.isnan(special.log_gap(r)[2])
    assert np.array_equal(jax.vmap(jax.grad(special.log_gap))(r)[:2], [1, 1])


def test_gradient_of_the_normal_tail():
    u = jnp.float32([-40, -3, -0.1, 0.2, 3])
    truth = [float(N.Mills.numeric(mpmath.mpf(float(v)))) for v in u]
    assert np.allclose(jax.vmap(jax.grad(special.log_ndtr))(u), truth, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("log_bessel_i", (-0.3, 1e-15)),
        ("log_bessel_i", (1e5, 1e-15)),
        ("log_bessel_i", (0.0, 1e15)),
        ("log_bessel_k", (0.0, 1e-15)),
        ("log_bessel_k", (400.0, 1e15)),
        ("log_gamma_q", (1e-6, 1e15)),
        ("log_gamma_p", (400.0, 1e-15)),
        ("log_wrapped_normal", (0.0, 1e-3)),
        ("log_beta_inc", (0.5, 50.0, 1e-5)),
    ],
)
def test_gradients_are_finite_at_the_ends(name, arguments):
    f = getattr(special, name)
    gradients = jax.jit(jax.grad(f, tuple(range(len(arguments)))))(*map(jnp.float32, arguments))
    assert all(np.isfinite(g) for g in gradients)


def test_log_gamma_slopes_overflow_to_the_right_side():
    """v + e**(u/2) - e**a in float32, beyond its largest number."""
    slopes = special.hyp0f_gap(
        1, jnp.float32(2.5), jnp.float32([230, 230, 180, 180]), jnp.float32([38, 191, 89.5, 90.5])
    )
    assert slopes.tolist() == [np.inf, -np.inf, np.inf, -np.inf]


def test_lse_and_softmax_survive_empty_mixtures():
    minus = jnp.float32(-jnp.inf)
    assert special.lse(minus, minus) == minus
    assert jax.grad(special.lse)(minus, minus) == 0
    assert special.softmax(0, minus, minus) == 0
    assert special.lse(jnp.float32(1e4), jnp.float32(1e4)) == pytest.approx(1e4 + np.log(2))


def test_powers_of_the_absolute_value_are_smooth_at_zero():
    in_u, in_b = jax.grad(special.abs_power, (0, 1))(jnp.float32(0), jnp.float32(400))
    assert in_u == in_b == 0


def test_huge_orders_agree_with_the_leading_expansion():
    nu, z = 1e8, 3e7
    w = np.hypot(nu, z)
    with jax.enable_x64(True):
        leading = w - nu * np.arcsinh(nu / z)
        assert special.log_bessel_i(nu, z) == pytest.approx(leading - 0.5 * np.log(2 * np.pi * w), rel=1e-14)
        assert special.log_bessel_k(nu, z) == pytest.approx(-leading + 0.5 * np.log(np.pi / 2 / w), rel=1e-14)


def test_source_is_one_standalone_module():
    text = special.source(["log_bessel_k", "lse"])
    assert text == special.source(["lse", "log_bessel_k"])
    imports = [line for line in text.splitlines() if line.startswith(("import", "from"))]
    assert imports and all(line.split()[1].startswith("jax") for line in imports)
    assert "incomplete" not in text
    space = {}
    exec(compile(text, "helper", "exec"), space)
    assert float(space["log_bessel_k"](0.3, 2.5)) == float(special.log_bessel_k(0.3, 2.5))
    with pytest.raises(KeyError):
        special.source(["no_such_function"])


@pytest.mark.parametrize(
    ("a", "b", "z"), [(3.0, 2.0, -4.0), (2.5, 2.5, -4.0), (1.5, 2.5, -4.0), (3.0, 2.0, -0.05), (3.0, 2.0, 4.0)]
)
def test_kummer_is_right_or_refused(a, b, z, x64):
    """1F1(a; b; z) with a > b is negative at some z < 0: no logarithm, and no wrong one either."""
    exact, found = mpmath.hyp1f1(a, b, z), special.log_hyp1f1(a, b, jnp.asarray(z))
    assert np.isnan(found) if exact < 0 else np.isclose(float(found), float(mpmath.log(exact)), rtol=1e-12)
