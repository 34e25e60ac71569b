"""Which objective goes with which kernel and which network: refused pairs, and what the message says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.errors import DerivationError, EnergyRequired, FitError, ParameterError, ValidityError
from symdsm.learning.autoencoding import aims_at_mean
from symdsm.learning.checks import check_pair, check_validity
from symdsm.learning.fit import prepared
from symdsm.learning.objectives import OBJECTIVES, dae, objective_named
from tests.learning.doubles import GaussianKernel

KEY = jax.random.key(0)
NETWORKS = {kind: getattr(sd, kind)((1,), key=KEY, width=8, depth=1) for kind in ("Energy", "Score", "Denoiser")}
LINE = np.random.default_rng(0).normal(size=(400, 1)).astype(np.float32)
POSITIVE = np.exp(0.4 * LINE)
X, POS = sp.Symbol("x", real=True), sp.Symbol("x", positive=True)


def one_look():
    return sd.families.speckle().subs({"L": 1})


def two_looks():
    return sd.Kernel.from_random(POS * st.Gamma("e", 2, sp.Rational(1, 2)), clean=POS)


BAD = {
    "score for dual": ("dual", GaussianKernel, "Score", LINE, EnergyRequired, "one scalar; dsm takes any"),
    "denoiser for dual": ("dual", GaussianKernel, "Denoiser", LINE, EnergyRequired, "sd.Energy"),
    "energy for dae": ("dae", GaussianKernel, "Energy", LINE, FitError, "sd.Denoiser"),
    "score for dae": ("dae", GaussianKernel, "Score", LINE, FitError, "sd.Autoencoder"),
    "no level for dual": ("dual", two_looks, "Energy", POSITIVE, DerivationError, "without a level"),
    "denoiser of speckle": ("dsm", sd.families.speckle, "Denoiser", POSITIVE, DerivationError, "objective=\"dae\""),
    "kinks by parts": ("ism", sd.families.laplace, "Score", LINE, ValidityError, "standard errors at level 3"),
    "kinks sliced": ("sliced", sd.families.laplace, "Energy", LINE, ValidityError, "without jumps"),
    "half-line by parts": ("ism", two_looks, "Score", POSITIVE, ValidityError, "Hyvarinen's boundary condition"),
    "unknown name": ("esm", GaussianKernel, "Score", LINE, FitError, r"sd.objectives.esm\(score\)"),
}  # fmt: skip
LEVELS = {"speckle": sd.geometric(100.0, 4.0), "two_looks": None}


def start(objective, declare, network, data):
    levels = LEVELS.get(declare.__name__, sd.geometric(0.1, 3.0))
    keys, objective = jax.random.split(KEY), objective_named(objective)
    net = NETWORKS[network]
    return prepared(
        net, jnp.asarray(data), declare(), keys, levels=levels, objective=objective, params={}, unchecked=False
    )


SLOW = {"kinks by parts", "kinks sliced", "denoiser of speckle"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in BAD])
def test_bad_pairs(name):
    objective, declare, network, data, error, words = BAD[name]
    with pytest.raises(error, match=words):
        start(objective, declare, network, data)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_its_objectives(network):
    kernel = GaussianKernel()
    allowed = set()
    for name, objective in OBJECTIVES.items():
        try:
            check_pair(NETWORKS[network], objective, kernel)
            allowed.add(name)
        except (EnergyRequired, FitError):
            pass
    anyone = {"dsm", "controlled", "ism", "sliced"}
    assert allowed == anyone | {"Energy": {"dual"}, "Score": set(), "Denoiser": {"dae"}}[network]


def test_the_control_variate_takes_the_mean_that_the_kernel_derives():
    """One look: E[score | x] = -1/x; below one it is infinite, and a folded normal's is -2 phi(x)."""
    program = one_look().compile()
    x = jnp.asarray([0.5, 2.0])
    np.testing.assert_allclose(program.mean_score(x), -1 / x, rtol=1e-6)
    speckle = sd.families.speckle()
    np.testing.assert_allclose(speckle.compile().mean_score(x, L=1.0), -1 / x, rtol=1e-6)
    np.testing.assert_allclose(speckle.compile().mean_score(x, L=4.0), 0.0)
    folded = sd.Kernel.from_random(sp.Abs(st.Normal("y", POS, 1)), clean=POS)
    np.testing.assert_allclose(folded.compile().mean_score(x), -2 * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), rtol=1e-5)


def test_the_control_variate_needs_a_finite_mean():
    rough = sd.families.speckle()
    with pytest.raises(ValidityError, match="not known to be finite at L=0.8"):
        check_validity(rough, {}, sd.geometric(4.0, 0.5), False, objective=OBJECTIVES["controlled"])
    with pytest.raises(ValidityError, match="not known to be finite"):
        check_validity(GaussianKernel(mean=None), {}, sd.geometric(0.1, 1.0), False, objective=OBJECTIVES["controlled"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sd.objectives.ism(0), "probes of at least 1"),
        (lambda: sd.objectives.sliced(0), "projections of at least 1"),
        (lambda: sd.objectives.dae("laplace"), "a function of"),
        (lambda: sd.Autoencoder((2,), 0, key=KEY), "latent=0"),
    ],
)
def test_bad_options(make, words):
    with pytest.raises(ParameterError, match=words):
        make()


def test_which_likelihoods_reconstruct_the_mean():
    positive = jnp.asarray(np.random.default_rng(1).exponential(size=(300, 2)))
    laws = {
        "normal": lambda x, m: -2.0 * jnp.sum((x - m) ** 2),
        "poisson": lambda x, m: jnp.sum(x * jnp.log(m) - m),
        "exponential": lambda x, m: jnp.sum(-x / m - jnp.log(m)),
        "laplace": lambda x, m: -jnp.sum(jnp.abs(x - m)),
        "t": lambda x, m: -jnp.sum(jnp.log1p((x - m) ** 2)),
        "wrong mean": lambda x, m: -jnp.sum((x - 2 * m) ** 2),
    }
    found = {name: aims_at_mean(dae(law), positive) for name, law in laws.items()}
    assert [name for name, true in found.items() if true] == ["normal", "poisson", "exponential"]


@pytest.fixture(scope="module")
def speckled():
    """An autoencoder of speckled values, whose score no reconstruction gives."""
    net = sd.Autoencoder((1,), 1, key=KEY, width=24, depth=1)
    levels = {"levels": sd.geometric(50.0, 4.0), "steps": 1500, "learning_rate": 5e-3, "progress": False}
    data = np.exp(0.4 * np.random.default_rng(0).normal(size=(4000, 1))).astype(np.float32)
    return sd.fit(net, data, sd.families.speckle(), key=jax.random.key(1), objective="dae", **levels), data


@pytest.mark.slow
def test_an_autoencoder_reconstructs_the_posterior_mean_under_any_noise(speckled):
    fit, data = speckled
    y, looks = jnp.asarray([[0.6], [1.0], [1.8]]), 8.0
    log_weight = -looks * (jnp.log(data[:, 0]) + y / data[:, 0])
    weight = jax.nn.softmax(log_weight, axis=1)
    exact = weight @ data[:, 0]
    np.testing.assert_allclose(fit.denoise(y, looks)[:, 0], exact, rtol=0.04)


@pytest.mark.slow
def test_it_has_no_score_there(speckled):
    with pytest.raises(DerivationError, match=r"fit.denoise"):
        speckled[0].score(jnp.ones((1, 1)), 8.0)
