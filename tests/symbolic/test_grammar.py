"""The grammar of kernels: what it reads, and that it refuses everything else, quickly."""

import time

import pytest
import sympy as sp
import sympy.stats as st
from sympy.stats import crv_types, drv_types, frv_types
from sympy.stats.rv import random_symbols

import symdsm as sd
from symdsm.errors import DeclarationError
from symdsm.symbolic.grammar import DISTRIBUTIONS, parse_expression, parse_kernel
from symdsm.symbolic.stand_ins import DISCRETE_STAND_INS

x, y = sp.symbols("x y", real=True)
a, b, s, L, gamma = sp.symbols("a b s L gamma", positive=True)

READS = {
    "1 + 2*3": sp.Integer(7),
    "0.1": sp.Rational(1, 10),
    "1e-3*a": a / 1000,
    ".5*a": a / 2,
    "2^3^2": sp.Integer(512),
    "-x^2": -(x**2),
    "-x**2*y": -(x**2) * y,
    "2**-1": sp.Rational(1, 2),
    "a - b - s": a - b - s,
    "a/b/s": a / (b * s),
    "a/b*s": a * s / b,
    "--x": x,
    "+x": x,
    "(a + b)*s": (a + b) * s,
    "exp(-(y-x)^2/(2*s^2))": sp.exp(-((y - x) ** 2) / (2 * s**2)),
    "log(1 + abs(x))": sp.log(1 + sp.Abs(x)),
    "gamma + gamma(a)": gamma + sp.gamma(a),
    "besseli(0, a)": sp.besseli(0, a),
    "erf(x)*pi": sp.pi * sp.erf(x),
    "beta(a, b)": sp.beta(a, b),
    "log1p(a)": sp.log(1 + a),
    "a where a real": sp.Symbol("a", real=True),
    "x*a where x > 0, a <= 0": sp.Symbol("x", positive=True) * sp.Symbol("a", nonpositive=True),
    "x*I where I > 0": x * sp.Symbol("I", positive=True),
    "sqrt(x^2) where x > 0": sp.Symbol("x", positive=True),
    "a where a nonzero, a integer": sp.Symbol("a", nonzero=True, integer=True, real=True),
}


@pytest.mark.parametrize("text", READS)
def test_reads(text):
    assert parse_expression(text) == READS[text]


def test_given_symbols_are_used():
    own = sp.Symbol("theta", negative=True)
    assert parse_expression("theta*a", {"theta": own}) == own * a
    with pytest.raises(DeclarationError, match="theta"):
        parse_expression("theta where theta > 0", {"theta": own})


def test_kernels():
    expr, clean, level = parse_kernel("Normal(x, s)", level="s")
    assert expr == st.Normal("y", x, s) and (clean, level) == (x, s)
    expr, clean, level = parse_kernel("x*Gamma(L, 1/L) where x > 0")
    positive = sp.Symbol("x", positive=True)
    assert clean == positive and level is None
    (noise,) = random_symbols(expr)
    assert noise.pspace.distribution.args == (L, 1 / L) and expr == positive * noise
    kernel = sd.Kernel.from_random(*parse_kernel("x*log(Gamma(2, 1))"))  # x occurs, though log(1) = 0
    assert kernel.clean == x
    expr, clean, _ = parse_kernel("noise*theta + StudentT(nu)", clean="theta")
    assert clean == sp.Symbol("theta", real=True) and random_symbols(expr)[0].name != "noise"


def test_every_continuous_family_of_sympy_stats_is_listed():
    assert set(DISTRIBUTIONS) == set(crv_types.__all__) - {"ContinuousRV"}
    assert {n for n in (*drv_types.__all__, *frv_types.__all__) if n[0].isupper()} <= set(DISCRETE_STAND_INS)


@pytest.mark.parametrize("name", ["Laplace", "VonMises", "Gumbel", "Weibull", "Beta", "Uniform", "Trapezoidal"])
def test_families_take_sympys_argument_order(name):
    args = [sp.Symbol(f"p{k}", positive=True) for k in range(len(DISTRIBUTIONS[name]))]
    args[0] = x if name in ("Laplace", "VonMises") else args[0]
    text = f"{name}({', '.join(map(str, args))}) + x"
    (noise,) = random_symbols(parse_kernel(text)[0])
    assert noise.pspace.distribution.args[: len(args)] == tuple(args)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Poisson(x)", r"Normal\(x, sqrt\(a\*x \+ b\)\)"),
        ("x + Binomial(n, p)", "Normal"),
        ("Geometric(p)*x", "Exponential"),
        ("x + s", "no distribution"),
        ("Normal(x, s) + Normal(0, s)", "2 distributions"),
        ("Normal(Gamma(a, b), s) + x", "inside another"),
        ("Normal(0, s)", "clean symbol x"),
        ("Normal(x, 0 - 1)", "Standard deviation"),
        ("Normal(x)", r"Normal\(mean, std\)"),
        ("Normal", "without arguments"),
        ("Normal(x, y)", "called y"),
        ("x + foo(s)", "a call of foo"),
        ("normal(x, s)", r"write Normal\(..\)"),
        ("oo + Normal(x, s)", "finite numbers"),
        ("Normal(x, s*E)", r"(?s)number in SymPy.*write exp\(1\)"),
        ("Normal(I*x, s)", "(?s)number in SymPy.*where I > 0"),
        ("Normal(x, 1/0)", "division of 1 by zero"),
        ("exp(exp(exp(exp(exp(Normal(x, s))))))", "5 exponentials in each other"),
        ("Normal(x, s) where q > 0", "about q"),
        ("Normal(x, s) where s > 1", "goes wrong at 's'"),
        ("Normal(x, s) where s > 0, s < 0", "contradict"),
        ("Normal(x, s) where", "its end"),
        ("Normal(x, s) where s > 0 x", "comma"),
    ],
)
def test_kernels_refused(text, words):
    with pytest.raises(DeclarationError, match=words):
        parse_kernel(text)


def test_missing_level_and_bad_names():
    with pytest.raises(DeclarationError, match="level t"):
        parse_kernel("Normal(x, s)", level="t")
    with pytest.raises(DeclarationError, match="one name"):
        parse_kernel("Normal(x, s)", clean="x + 1")


ATTACKS = [
    "__import__('os').system('true')", "().__class__.__bases__[0]", "x.__class__", "x.subs(x, 1)", "lambda: 0",
    "lambda x: x", "import os", "exec(x)", "eval(x)", "open(x)", "getattr(x, y)", "S(x)", "sympify(x)", "Symbol(x)",
    "x if x else y", "[x for x in y]", "{x}", "x[0]", "x; y", "x = 1", "x := 1", "x == 1", "x @ y", "x | y", "x & y",
    "~x", "x % 2", "x // 2", "x << 9", "'x'", '"x"', "f'{x}'", "{0.__class__}", "%s", "%(x)s", "$x", "`x`", "x # y",
    "x\\ny", "x\x00y", "\x00", "x\u200by", "\u0445 + 1", "\u03c3", "\uff11 + 1", "x\u00b2", "x \u2212 y", "1_000",
    "_x", "__x__", "x__y", "x_", "0x10", "1j", "1e", "1.2.3", "1..2", "1e999999999999", "9" * 5000, "9" * 50,
    "9**9**9", "9^9^9^9", "x**9**9", "10**100000", "(9**999)**999", "2**(2**100)", "x**10**30", "2**0.5**99999**2",
    "gamma(10**9)", "loggamma(10**12)", "digamma(99999999)", "besseli(10**9, x)", "1/0", "0/0", "log(0)", "sqrt(-1)",
    "(-8)**(1/3)", "log(-2)", "loggamma(-1)", "(" * 1500, "(" * 900 + "x" + ")" * 900, "-" * 1900 + "x",
    "x^" * 900 + "x", "exp(" * 400 + "x" + ")" * 400, "x" * 1999, "x " * 900, "", " ", "()", "exp()", "exp(x", "exp",
    "exp x", "2x", "x(2)", "x y", ",", "x,", "x +", "* x", "x ** ** y", "exp(x, y)", "exp(,)", "None.x", "True", "def",
    "x where x.real", "x where where", "x where x > 9**9**9", "where x > 0", "x where x > 0 where x < 0", "!x", "x!",
    "normal(x, 1)", "Normal(x, 1)", "ContinuousRV(x, x)", "x\ty()", "\ufeffx", "x" + "+x" * 100_000, "a.b", "...",
]  # fmt: skip


@pytest.mark.parametrize("text", [t for t in ATTACKS if t != "exp"], ids=range(len(ATTACKS) - 1))
def test_attacks_are_refused_quickly(text):
    began = time.perf_counter()
    with pytest.raises(DeclarationError):
        parse_expression(text)
    if text != "Normal(x, 1)":
        with pytest.raises(DeclarationError):
            parse_kernel(text)
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize("thing", [None, 3, b"x", x, ["x"]])
def test_only_text_is_parsed(thing):
    with pytest.raises((DeclarationError, TypeError)):
        parse_expression(thing)
