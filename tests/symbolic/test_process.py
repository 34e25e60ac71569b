"""The derived diffusion against Kolmogorov's forward equation, and the bridge against Bayes' rule."""

import itertools

import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.errors import DerivationError
from symdsm.symbolic.process import bridge

x, s, t = sp.Symbol("x", real=True), sp.Symbol("s", positive=True), sp.Symbol("t", positive=True)
a, theta, mu = sp.Symbol("a", positive=True), sp.Symbol("theta", positive=True), sp.Symbol("mu", real=True)
p = sp.Symbol("p", positive=True)

# clean values that the kernel admits, noisy values inside the support, the other parameters
CASES = {
    "gaussian": (sd.families.gaussian, (0.4,), (-1.0, 0.7), {}),
    "precision": (lambda: sd.Kernel.from_random(st.Normal("y", x, 1 / p), clean=x, level=p), (0.4,), (0.7,), {}),
    "scaled": (lambda: sd.Kernel.from_random(st.Normal("y", x / (1 + s), s), clean=x, level=s), (0.4,), (0.7,), {}),
    "log_normal": (sd.families.log_normal, (0.8,), (0.5, 1.4), {}),
    "logit_normal": (sd.families.logit_normal, (0.3,), (0.2, 0.6), {}),
    "seen as a hyperbolic sine": (
        lambda: sd.Kernel.from_random(st.Normal("y", x, s), clean=x, level=s).change(sp.sinh),
        (0.4,),
        (-1.0, 0.7),
        {},
    ),
    "relative and added": (
        lambda: sd.Kernel.from_random(st.Normal("y", p, sp.sqrt(a * p + s**2)), clean=p, level=s),
        (0.4,),
        (0.1, 0.9),
        {"a": 0.3},
    ),
    "vp": (sd.families.vp, (0.4,), (-1.0, 0.7), {"beta_min": 0.1, "beta_max": 4.0}),
    "sub_vp": (sd.families.sub_vp, (0.4,), (0.7,), {"beta_min": 0.1, "beta_max": 4.0}),
    "ou": (sd.families.ou, (0.4,), (0.7,), {"theta": 0.7, "mu": 0.3, "sigma": 1.1}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_solves_the_forward_equation_of_its_diffusion(name):
    declare, clean, noisy, params = CASES[name]
    kernel = declare()
    found, y = kernel.process, kernel.noisy
    density = sp.exp(kernel.log_density)
    right = -sp.diff(found.drift * density, y) + sp.diff(found.rate * density, y, 2) / 2
    right = right.replace(sp.DiracDelta, lambda *_: sp.S.Zero)  # from |y - 1|, away from the edge
    gap = sp.lambdify([kernel.clean, y, *kernel.params], [sp.diff(density, kernel.level), right], "mpmath")
    for c, v in itertools.product(clean, noisy):
        values = [params.get(q.name, 0.8) for q in kernel.params]
        left, right_value = gap(c, v, *values)
        assert abs(left - right_value) < 1e-9 * (1 + abs(left)), (c, v)


def test_a_declared_equation_is_the_one_that_its_law_gives():
    """The transition of an OU process, given as a density, leads back to the drift and the diffusion."""
    declared = sd.Kernel.from_sde(-theta * (x - mu), a, state=x, time=t).process
    sd_t = a * sp.sqrt((1 - sp.exp(-2 * theta * t)) / (2 * theta))
    law = st.Normal("y", mu + (x - mu) * sp.exp(-theta * t), sd_t)
    derived = sd.Kernel.from_random(law, clean=x, level=t).process
    assert sp.simplify(declared.drift - derived.drift) == 0
    assert sp.simplify(declared.rate - derived.rate) == 0


def test_the_noise_of_a_precision_grows_downwards():
    kernel = sd.Kernel.from_random(st.Normal("y", x, 1 / p), clean=x, level=p)
    assert sp.simplify(kernel.process.rate + 2 / p**3) == 0


def test_the_drift_of_a_vector_equation_is_its_declaration():
    found = sd.families.critically_damped().process
    place, speed = found.noisy
    beta, mass = sp.symbols("beta M", positive=True)
    assert sp.simplify(found.drift[0] - beta * speed / mass) == 0
    assert sp.simplify(found.drift[1] + beta * (place + 2 * speed / sp.sqrt(mass))) == 0
    assert found.rate == sp.Matrix([[0, 0], [0, 4 * sp.sqrt(mass) * beta]])


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (sd.families.laplace, "not determined by the score"),
        (sd.families.student_t, "not determined by the score"),
        (sd.families.speckle, "whose own law changes with L"),
        (sd.families.von_mises, "without a declared"),
        (sd.families.multivariate_t, "kernel of arrays"),
        (lambda: sd.Kernel.from_random(st.Normal("y", x, 1), clean=x), "without a level"),
        (lambda: sd.Kernel.from_random(x + s + a * st.Normal("e", 0, 1), clean=x, level=s), "not determined"),
    ],
)
def test_kernels_without_a_diffusion_say_why(declare, words):
    with pytest.raises(DerivationError, match=words):
        _ = declare().process


def _integral(time, v):
    """int_0^time beta of the VP equation."""
    return v["beta_min"] * time + (v["beta_max"] - v["beta_min"]) * time**2 / 2


@pytest.mark.parametrize(
    ("declare", "slope"),
    [
        (sd.families.gaussian, lambda k, _: 1.0),
        (sd.families.ou, lambda k, v: sp.exp(-v["theta"] * (v["t"] - k))),
        (sd.families.vp, lambda k, v: sp.exp((_integral(k, v) - _integral(v["t"], v)) / 2)),
        (CASES["scaled"][0], lambda k, v: (1 + k) / (1 + v["s"])),
    ],
)
def test_the_bridge_is_bayes_rule(declare, slope):
    """Normal z with N(A z + c, W) observed: the textbook posterior, with A known in closed form."""
    kernel = declare()
    found = bridge(kernel._declaration)
    values = {q.name: 0.9 - 0.1 * n for n, q in enumerate(kernel.params)} | {"beta_max": 3.0, "beta_min": 0.2}
    level, earlier = kernel.level.name, 0.5 * values[kernel.level.name]
    law = kernel._declaration.noise
    mean, scale = law.map.subs(law.variable, 0), sp.diff(law.map, law.variable)

    def at(expr, lam, clean=0.7, noisy=-0.4):
        put = {q: values[q.name] for q in kernel._declaration.params} | {kernel._declaration.level: lam}
        put |= {kernel._declaration.clean: clean, kernel._declaration.noisy: noisy, found.before: earlier}
        return float(expr.subs(put))

    A = float(slope(earlier, values))
    prior, variance = at(mean, earlier), at(scale, earlier) ** 2
    step = at(scale, values[level]) ** 2 - A**2 * variance
    offset = at(mean, values[level]) - A * prior
    kept = 1 / (1 / variance + A**2 / step)
    expected = kept * (prior / variance + A * (-0.4 - offset) / step)
    assert at(found.mean, values[level]) == pytest.approx(expected, rel=1e-9)
    assert at(found.variance, values[level]) == pytest.approx(kept, rel=1e-9)


@pytest.mark.parametrize("declare", [sd.families.laplace, sd.families.log_normal, sd.families.critically_damped])
def test_there_is_no_normal_bridge_for_other_noise(declare):
    with pytest.raises(DerivationError, match="annealed-langevin"):
        bridge(declare()._declaration)
