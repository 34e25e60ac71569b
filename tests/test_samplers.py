"""Every sampler against its kernel: a test of goodness of fit for each, at one corrected level for all.

One dimension: Kolmogorov-Smirnov against the distribution function of the case's own law (SciPy, closed forms), for
each row of tests.registry and each clean value, and for each ready family against the integral of a hand-written
density. Arrays: a Gaussian kernel's draws are whitened by mean and precision read off the hand-written log density;
elliptical ones are held against the law of their quadratic form; Markov chains are held against Stein's identities.

`LEVEL` is 0.001 over the number of p-values, so that the whole file fails by chance once in a thousand seeds; the seeds
are fixed. The planted wrong samplers show that the tests can fail. The fast suite tries a handful.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats as st

import symdsm as sd
from symdsm.errors import SamplingError
from tests.codegen.test_arrays_families import LAWS as ARRAYS
from tests.codegen.test_arrays_families import SCALE
from tests.coupled_cases import CASES as COUPLED
from tests.coupled_cases import arrays
from tests.kernels import goodness
from tests.kernels.goodness import DRAWS, gaussian_p_values, moment_p_values
from tests.registry import CASES, find
from tests.test_families import CIRCLE
from tests.test_families import ROWS as FAMILIES

pytestmark = pytest.mark.usefixtures("unoptimised")

CHAIN_DRAWS = 1000
QUICK = ("sympy.stats:Normal", "sympy.stats:Triangular", "sympy.stats:VonMises")
GAUSSIAN = ("precision", "neighbours", "blur of x", "four neighbours")
BY_CHAINS = (
    "linear operator, t",
    "log of a sum",
    "Laplace walk",
    "inner sum over pairs",
    "reverse",
    "log of a product",
    "Huber",
    "ring",
    "triangular",
    "lagged products",
)
IN_MODES = ("three-index tensor",)  # far apart at the arrays drawn: the chains do not mix, and say so
# The others are not densities (their integral is infinite at the arrays drawn), or no array but y has their size.
NOT_DRAWN = {
    *("stride", "blur of y", "short stencil", "transposed"),
    *("anchor", "total variation", "Potts-like", "repulsion", "Coulomb", "capture", "volume"),
}
ELLIPTICAL = ("multivariate_t", "multivariate_laplace")
TIME, PLACE = 0.6, 0.8
COUNT = (
    sum(len(case.clean) for case in CASES)
    + len(FAMILIES)
    + 4
    + 2 * (1 + len(GAUSSIAN) + len(ARRAYS))
    + 9 * (1 + len(BY_CHAINS))
)
LEVEL = 0.001 / COUNT


def column(kernel):
    return goodness.sampler(*goodness.module_sample(kernel))


def key(case):
    return f"{case.group}:{case.name}"


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=key(c), marks=() if key(c) in QUICK else pytest.mark.slow) for c in CASES]
)
def test_registry(case):
    assert min(goodness.case_p_values(case, column(find(key(case)).declare()))) > LEVEL


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "wrapped_cauchy" else pytest.mark.slow) for n in FAMILIES]
)
def test_ready_families(name):
    x, params, density = FAMILIES[name]
    kernel = getattr(sd.families, name)()
    y = column(kernel)(x, params)
    low, high = -np.inf if kernel.support.inf.is_infinite else float(kernel.support.inf), np.inf
    if name in CIRCLE:
        low = x - np.pi
        y = low + np.mod(y - low, 2 * np.pi)
    assert goodness.density_p_value(y, lambda v: density(v, x, params), low, high) > LEVEL


B = 0.1 * TIME + (20.0 - 0.1) * TIME**2 / 2
DECAY = np.exp(-1.3 * TIME)
SDES = {
    "ve": ({"sigma_min": 0.05, "sigma_max": 4.0}, PLACE, np.sqrt(0.05**2 * (80.0 ** (2 * TIME) - 1))),
    "vp": ({"beta_min": 0.1, "beta_max": 20.0}, PLACE * np.exp(-B / 2), np.sqrt(-np.expm1(-B))),
    "sub_vp": ({"beta_min": 0.1, "beta_max": 20.0}, PLACE * np.exp(-B / 2), -np.expm1(-B)),
    "ou": (
        {"theta": 1.3, "mu": -2.0, "sigma": 0.7},
        -2.0 + (PLACE + 2.0) * DECAY,
        0.7 * np.sqrt((1 - DECAY**2) / 2.6),
    ),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) for n in SDES])
def test_diffusions(name):
    params, mean, deviation = SDES[name]
    y = column(getattr(sd.families, name)())(PLACE, {**params, "t": TIME})
    assert st.kstest(y, st.norm(mean, deviation).cdf).pvalue > LEVEL


@pytest.mark.slow
def test_critically_damped(x64):
    """Mean and covariance by the exponential of one block matrix (Van Loan 1978), from the equation as published."""
    beta, mass, gamma = 1.5, 0.25, 0.04
    friction = 2 * np.sqrt(mass)
    drift = np.array([[0, beta / mass], [-beta, -beta * friction / mass]])
    block = np.block([[-drift, np.diag([0, 2 * friction * beta])], [np.zeros((2, 2)), drift.T]])
    turned = scipy.linalg.expm(block * TIME)
    flow = turned[2:, 2:].T
    covariance = flow @ (turned[:2, 2:] + np.diag([0, gamma * mass]) @ flow.T)
    kernel = sd.families.critically_damped()
    y = array_draws(kernel, np.array(PLACE), dict(beta=beta, M=mass, gamma=gamma, t=TIME))
    found = gaussian_p_values(y, flow @ [PLACE, 0], np.linalg.inv(covariance))
    assert min(found) > LEVEL


def array_draws(kernel, x, params, count=DRAWS):
    """(count, *event) draws at one clean array; by one run of the chains where there is no exact sampler."""
    sample, _ = goodness.module_sample(kernel)
    params = {name: jnp.asarray(v, float) for name, v in params.items()}
    keys = jax.random.split(jax.random.key(2026), count)
    return np.asarray(jax.jit(jax.vmap(lambda k: sample(k, jnp.asarray(x, float), **params)))(keys))


def coupled(name):
    """A kernel of tests.coupled_cases, its clean array and parameters, and its log density by hand."""
    case = COUPLED[name]
    y, x, params = arrays(case)
    if name == "precision":
        params["P"] = params["P"] @ params["P"].T + np.eye(len(y))
    kernel = sd.Kernel.from_density(case.log_density, noisy=case.noisy, clean=case.clean, log=True)
    return kernel, x, params, y.shape, lambda v: case.by_hand(v, x, **params)


def test_every_coupled_case_is_tried():
    assert set(GAUSSIAN) | set(BY_CHAINS) | set(IN_MODES) | NOT_DRAWN == set(COUPLED)


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_MODES)
def test_chains_that_do_not_mix_are_refused(name, x64):
    kernel, x, params, _, _ = coupled(name)
    with pytest.raises(SamplingError, match="R-hat"):
        kernel.compile().draws(jax.random.key(2026), x, CHAIN_DRAWS, **params)


@pytest.mark.parametrize(
    "name", [n if n == "neighbours" else pytest.param(n, marks=pytest.mark.slow) for n in GAUSSIAN]
)
def test_coupled_gaussian_kernels(name, x64):
    kernel, x, params, shape, log_density = coupled(name)
    y = array_draws(kernel, x, params)
    assert min(gaussian_p_values(y, *goodness.quadratic(log_density, shape))) > LEVEL


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ARRAYS if n not in ELLIPTICAL])
def test_gaussian_families_of_arrays(name, x64):
    params, shape, clean, law = ARRAYS[name]
    x = np.random.default_rng(5).normal(size=clean)
    y = array_draws(getattr(sd.families, name)(), x, {**params, "sigma": SCALE})
    assert min(gaussian_p_values(y, *goodness.quadratic(lambda v: law(v, x), shape))) > LEVEL


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_CHAINS)
def test_coupled_kernels_by_chains(name, x64):
    kernel, x, params, _, log_density = coupled(name)
    y = kernel.compile().draws(jax.random.key(2026), x, CHAIN_DRAWS, **params)
    assert min(moment_p_values(np.asarray(y), log_density, 4)) > LEVEL


WRONG = {
    "a recipe": ("sympy.stats:Gamma", lambda y, x: y * 1.1),
    "an inverse": ("sympy.stats:Trapezoidal", lambda y, x: y + 0.1),
    "a law on the circle": ("sympy.stats:VonMises", lambda y, x: x + 1.15 * (y - x)),
}


@pytest.mark.parametrize("name", ["a recipe", *(pytest.param(n, marks=pytest.mark.slow) for n in list(WRONG)[1:])])
def test_a_wrong_sampler_is_found(name):
    row, change = WRONG[name]
    right = column(find(row).declare())
    assert min(goodness.case_p_values(find(row), lambda x, *rest: change(right(x, *rest), x))) < LEVEL


def test_a_wrong_spread_of_a_coupled_kernel_is_found():
    """Normal draws 8 % too wide, and t draws in place of normal ones, are seen by each test of arrays."""
    rng, precision = np.random.default_rng(0), np.eye(6)
    right, z = rng.normal(size=(2, DRAWS, 6))
    assert min(gaussian_p_values(right, np.zeros(6), precision)) > LEVEL
    assert min(gaussian_p_values(1.08 * z, np.zeros(6), precision)) < LEVEL
    normal = lambda y: -jnp.sum(y**2) / 2  # noqa: E731
    assert min(moment_p_values(right[:CHAIN_DRAWS], normal, 4)) > LEVEL
    assert min(moment_p_values(1.2 * z[:CHAIN_DRAWS], normal, 4)) < LEVEL
    assert min(moment_p_values(z[:CHAIN_DRAWS] + 0.3, normal, 4)) < LEVEL
