"""Every node: its derivatives against numeric differentiation of its value, its plain form against its value."""

import itertools

import mpmath
import pytest
import sympy as sp

from symdsm.symbolic import nodes as N
from symdsm.symbolic import nodes_bessel

x, z = sp.symbols("x z", real=True)
R = sp.Rational
POINT = {
    N.LogExpm1: (R(3, 7),),
    N.LogSinh: (R(3, 7),),
    N.Log1mExp: (-R(3, 7),),
    N.LogGap: (R(7, 3),),
    N.LSE: (R(1, 3), -R(2, 5), R(1, 7)),
    N.Softmax: (sp.Integer(1), R(1, 3), -R(2, 5), R(1, 7)),
    N.Blend: (R(1, 3), -R(2, 5), R(1, 7)),
    N.SignedLSE: (R(4, 3), R(1, 3), -R(1, 5), -R(2, 5)),
    N.SignedWeight: (sp.Integer(1), R(4, 3), R(1, 3), -R(1, 5), -R(2, 5)),
    N.LogWrappedNormal: (R(9, 7), R(5, 6)),
    N.WrappedNormalMoment: (sp.Integer(2), R(9, 7), R(5, 6)),
    N.LogBetaInc: (R(4, 3), R(5, 2), R(1, 3)),
    N.BetaHazard: (R(4, 3), R(5, 2), R(2, 3)),
    N.LogBetaIncShape: (sp.Integer(1), R(4, 3), R(5, 2), R(1, 3)),
    N.LogHyp1F1: (R(7, 3), R(5, 4), R(4, 5)),
    N.Hyp1F1Ratio: (R(7, 3), R(5, 4), R(4, 5)),
    N.LogHyp1F1Shape: (sp.Integer(2), R(7, 3), R(5, 4), R(4, 5)),
    N.StirlingError: (R(7, 3),),
    N.StirlingSlope: (R(7, 3),),
    N.LogGammaMixture: (R(7, 3), R(2, 5), R(4, 5), -R(1, 3)),
    N.Hyp0FGap: (sp.Integer(2), R(7, 3), R(4, 5), R(1, 3)),
    N.Hyp0FMean: (sp.Integer(2), R(7, 3), R(4, 5)),
    N.Hyp0FShape: (sp.Integer(2), R(7, 3), R(4, 5)),
    N.ErlangCdf: (sp.Integer(3), R(9, 7)),
}
ONE = (-R(4, 7),)
TWO = (R(7, 3), R(9, 5))


def point(node):
    return POINT.get(node, ONE if node.nargs == {1} or 1 in (node.nargs or ()) else TWO)


@pytest.mark.parametrize("node", N.NODES, ids=lambda n: n.__name__)
def test_derivative_in_every_argument(node):
    values = point(node)
    for i, value in enumerate(values):
        if value.is_Integer:
            continue
        symbols = [sp.Symbol(f"a{j}", real=True) if j == i else v for j, v in enumerate(values)]
        derivative = node(*symbols).diff(symbols[i]).subs(symbols[i], value)
        if derivative.has(sp.Subs, sp.Derivative):  # a second derivative in the order has no node
            continue
        with mpmath.workdps(30):

            def along(t, i=i):
                return node.numeric(*[t if j == i else mpmath.mpf(v.p) / v.q for j, v in enumerate(values)])

            expected = mpmath.diff(along, mpmath.mpf(value.p) / value.q)
        assert abs(sp.Float(derivative.evalf(25), 25) - sp.Float(expected, 25)) < 1e-12 * (1 + abs(expected))


@pytest.mark.parametrize("node", N.NODES, ids=lambda n: n.__name__)
def test_plain_form_has_no_node_and_the_same_value(node):
    values = point(node)
    written = N.plain(node(*values))
    assert not written.has(N.Node)
    if written.has(sp.Subs, sp.Sum):
        return
    assert abs(node(*values).evalf(30) / written.evalf(30) - 1) < 1e-25


def test_wrapped_normal_is_its_sum():
    d, s = R(9, 7), R(5, 6)
    total = sum(sp.exp(-((d + 2 * sp.pi * k) ** 2) / (2 * s**2)) for k in range(-9, 10)) / (s * sp.sqrt(2 * sp.pi))
    assert abs(N.LogWrappedNormal(d, s).evalf(40) - sp.log(total).evalf(40)) < 1e-38
    wide = R(26, 10)  # the other representation
    total = sum(sp.exp(-((d + 2 * sp.pi * k) ** 2) / (2 * wide**2)) for k in range(-20, 21))
    assert (
        abs(sp.exp(N.LogWrappedNormal(d, wide)).evalf(40) * wide * sp.sqrt(2 * sp.pi).evalf(45) / total.evalf(45) - 1)
        < 1e-38
    )


@pytest.mark.parametrize(
    "made, expected",
    [
        (N.Softplus(0), sp.log(2)),
        (N.Softplus(sp.oo), sp.oo),
        (N.Softplus(-sp.oo), 0),
        (N.Sigmoid(0), R(1, 2)),
        (N.Sigmoid(sp.oo), 1),
        (N.Sigmoid(-sp.oo), 0),
        (N.LogCosh(-x), N.LogCosh(x)),
        (N.LogAbs(-x), N.LogAbs(x)),
        (N.LogAbs(sp.exp(x)), x),
        (N.LogExpm1(N.Softplus(x)), x),
        (N.LSE(x), x),
        (N.AbsPower(-x, z), N.AbsPower(x, z)),
        (N.AbsPower(x, 3), sp.Abs(x) ** 3),
        (N.LogNdtr(0), -sp.log(2)),
        (N.BesselIRatio(-R(1, 2), z), sp.tanh(z)),
        (N.BesselKRatio(-R(1, 2), z), 1),
        (N.LogBesselK(-2, z), N.LogBesselK(2, z)),
        (N.LogBesselK(R(1, 2), z), sp.log(sp.pi / (2 * z)) / 2 - z),
        (N.WrappedNormalMoment(0, x, z), 1),
        (N.WrappedNormalMoment(1, -x, z), -N.WrappedNormalMoment(1, x, z)),
        (N.LogHyp1F1(x, x, z), z),
    ],
)
def test_exact_cases_evaluate_themselves(made, expected):
    assert made == expected


def test_left_tail_keeps_its_digits_at_any_precision():
    u = sp.Integer(-(10**15))
    series = 1 / u**2 - 3 / u**4 + 15 / u**6  # log(1 - 1/u^2 + 3/u^4 ..) = -1/u^2 + ..
    expected = -(u**2) / 2 - sp.log(-u * sp.sqrt(2 * sp.pi)) + sp.log(1 - series)
    assert abs(N.LogNdtr(u).evalf(50) / expected.evalf(50) - 1) < 1e-48
    assert abs(N.MillsGap(u).evalf(30) * 10**15 - 1) < 1e-28


def test_numeric_face_by_lambdify():
    f = sp.lambdify([x, z], N.LogBesselI(x, z) + N.Mills(x), [N.NUMERIC, "mpmath"])
    assert abs(f(0.5, 2.0) - mpmath.log(mpmath.besseli(0.5, 2)) - mpmath.npdf(0.5) / mpmath.ncdf(0.5)) < 1e-14


def test_signs_are_known():
    assert N.Mills(x).is_positive and N.LogNdtr(x).is_negative and N.LogAbs(x).is_real
    assert N.LogBesselI(x, z).is_positive is None


@pytest.mark.parametrize("bad", [lambda: N.Softmax(3, x, z), lambda: N.WrappedNormalMoment(-1, x, z)])
def test_indices_are_checked(bad):
    with pytest.raises(ValueError, match="is not"):
        bad()


def test_kummers_function_without_a_logarithm_is_refused():
    with pytest.raises(ValueError, match="changes its sign"):
        N.LogHyp1F1(R(5, 2), R(3, 2), -sp.Symbol("z", positive=True))
    N.LogHyp1F1(R(3, 2), R(5, 2), -sp.Symbol("z", positive=True))


def test_latex():
    assert sp.latex(N.LogNdtr(x) ** 2) == r"\left(\log\Phi\left(x\right)\right)^{2}"
    assert r"I_{0}" in sp.latex(N.LogBesselI(0, z))


@pytest.mark.parametrize("digits", [15, 40])
def test_scaled_bessel_k_has_every_digit(digits):
    """At integer and other orders, near zero and far out, against mpmath with more digits."""
    with mpmath.workdps(digits):
        for nu, z in itertools.product((0, 1, 0.3, 7, 40.25, 400), ("1e-12", "0.3", "7.7", "60", "1e6")):
            z = mpmath.mpf(z)
            with mpmath.workdps(digits + 30):
                exact = mpmath.log(mpmath.besselk(nu, z)) + z
            assert abs(N.LogBesselKe.numeric(nu, z) - exact) < mpmath.mpf(10) ** (1 - digits) * max(1, abs(exact))
    assert mpmath.almosteq(nodes_bessel.besselk(1.5, mpmath.mpf(2)), mpmath.besselk(1.5, 2), 1e-14)
