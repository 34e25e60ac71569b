"""Programs on the simplex and the sphere against SciPy, closed forms, quadrature and their own draws."""

import importlib.util
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special as sc
import scipy.stats as st
import sympy as sp

import symdsm as sd
from symdsm.errors import DataError, ParameterError, ShapeError

Y, X = sp.IndexedBase("y", real=True), sp.IndexedBase("x", real=True)
i = sp.Symbol("i", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
kappa = sp.Symbol("kappa", positive=True)

MIX = {4: np.array([0.1, 0.4, 0.2, 0.3]), 3: np.array([0.25, 0.45, 0.3]), 2: np.array([0.35, 0.65])}
LEVEL = {"dirichlet": 30.0, "logistic_normal": 0.4, "von_mises_fisher": 5.0}
FAMILIES = sorted(LEVEL)
slow = pytest.mark.slow


def rows(*fast):
    """Every family; those that are not named here are for the full suite, since each compiles for seconds."""
    return [pytest.param(name, marks=() if name in fast else slow) for name in FAMILIES]


DRAWS = 4000


def helmert(size):
    rows = np.array([[1.0] * q + [-q] + [0.0] * (size - q - 1) for q in range(1, size)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def logistic_normal(y, x, sigma):
    """A normal law in orthonormal log-ratio coordinates, times the Jacobian of these."""
    basis = helmert(len(x))
    law = st.multivariate_normal(basis @ np.log(x), sigma**2 * np.eye(len(x) - 1))
    return law.logpdf(basis @ np.log(y)) - np.log(y).sum() - np.log(len(x)) / 2


ORACLES = {
    "dirichlet": lambda y, x, kappa: st.dirichlet.logpdf(y / y.sum(), kappa * x),
    "logistic_normal": logistic_normal,
    "von_mises_fisher": lambda y, x, kappa: st.vonmises_fisher(x, kappa).logpdf(y / np.linalg.norm(y)),
}


def program(name):
    return getattr(sd.families, name)().compile()


def place(name, size):
    x = MIX[size]
    return x / np.linalg.norm(x) if name == "von_mises_fisher" else x


def points(name, size, count=3):
    rng = np.random.default_rng(size)
    y = rng.uniform(0.05, 1.0, (count, size))
    if name != "von_mises_fisher":
        return y / y.sum(1, keepdims=True)
    y *= rng.choice([-1, 1], y.shape)
    return y / np.linalg.norm(y, axis=1, keepdims=True)


def normal_of(name, y):
    return y if name == "von_mises_fisher" else np.ones_like(y)


def onto(name, y):
    return y / np.linalg.norm(y) if name == "von_mises_fisher" else y


def parameters(name, value=None):
    level = getattr(sd.families, name)().level.name
    return {level: LEVEL[name] if value is None else value}


@pytest.mark.parametrize("name", rows("dirichlet", "logistic_normal"))
def test_density_tangent_score_and_level_score(name, x64):
    x, y = place(name, 4), points(name, 4)
    given, oracle = parameters(name), ORACLES[name]
    compiled, (value,) = program(name), given.values()
    log_prob, score, slope = (np.asarray(f(y, x, **given)) for f in
                              (compiled.log_prob, compiled.score, compiled.level_score))  # fmt: skip
    automatic = jax.vmap(jax.grad(lambda y: compiled.log_prob(y, x, **given)))(jnp.asarray(y))
    np.testing.assert_allclose(score, automatic, rtol=1e-9, atol=1e-9)
    for row in range(len(y)):
        assert log_prob[row] == pytest.approx(oracle(y[row], x, value), rel=1e-9)
        normal, step = normal_of(name, y[row]), 1e-6
        assert abs(score[row] @ normal) < 1e-11 * np.abs(score[row]).max()
        for tangent in np.random.default_rng(row).normal(size=(2, 4)):
            tangent = tangent - normal * (tangent @ normal) / (normal @ normal)
            ends = [oracle(onto(name, y[row] + sign * step * tangent), x, value) for sign in (1, -1)]
            assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(score[row] @ tangent, rel=2e-6, abs=1e-6)
        ends = [oracle(y[row], x, value * (1 + sign * 1e-6)) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / (2e-6 * value) == pytest.approx(slope[row], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", rows())
def test_mass_one_for_two_and_three_entries(name, x64):
    """Quadrature over the angle, the sphere's two angles, or the first n - 1 coordinates."""
    given, compiled = parameters(name), program(name)
    density = jax.jit(lambda y, x: jnp.exp(compiled.log_prob(y, x, **given)))
    for size in (2, 3):
        x = jnp.asarray(place(name, size))
        nodes, weights = np.polynomial.legendre.leggauss(160)
        t, w = (nodes + 1) / 2, weights / 2
        if name == "von_mises_fisher" and size == 2:
            turn = 2 * np.pi * t
            y, w = np.stack([np.cos(turn), np.sin(turn)], -1), w * 2 * np.pi
        elif name == "von_mises_fisher":
            height, turn = np.meshgrid(2 * t - 1, 2 * np.pi * t, indexing="ij")
            around = np.sqrt(1 - height**2)
            y = np.stack([around * np.cos(turn), around * np.sin(turn), height], -1).reshape(-1, 3)
            w = 4 * np.pi * np.outer(w, w).ravel()
        elif size == 2:
            y = np.stack([t, 1 - t], -1)
        else:
            a, b = np.meshgrid(t, t, indexing="ij")
            y = np.stack([a, b * (1 - a), (1 - a) * (1 - b)], -1).reshape(-1, 3)
            w = (np.outer(w, w) * (1 - a)).ravel()
        assert float(jnp.asarray(w) @ density(jnp.asarray(y), x)) == pytest.approx(1.0, abs=1e-6)


def resultant(size, value):
    return sc.ive(size / 2, value) / sc.ive(size / 2 - 1, value)


@pytest.mark.parametrize("name", rows("logistic_normal"))
def test_draws_scores_and_information_agree(name, x64):
    """4000 draws: moments of y, E score, E |score|^2 and E level score, each within 4 standard errors."""
    x, given = place(name, 4), parameters(name)
    compiled, (value,) = program(name), given.values()
    y, score, slope = (np.asarray(a) for a in compiled.dual_target(jax.random.key(1), np.tile(x, (DRAWS, 1)), **given))
    assert np.isfinite(np.asarray(compiled.log_prob(y, x, **given))).all()

    def agrees(samples, exact):
        error = np.abs(samples.mean(0) - exact) / (samples.std(0) / np.sqrt(DRAWS))
        assert np.max(error) < 4

    if name == "dirichlet":
        agrees(y, x)
        agrees((y - x) ** 2, x * (1 - x) / (value + 1))
    elif name == "logistic_normal":
        ratios = np.log(y) @ helmert(4).T
        agrees(ratios, helmert(4) @ np.log(x))
        agrees((ratios - helmert(4) @ np.log(x)) ** 2, value**2 * np.ones(3))
    else:
        mean = resultant(4, value)
        agrees(y, mean * x)
        agrees((y @ x) ** 2, 1 - 3 / value * mean)
    agrees(score, 3 * resultant(4, value) * x if name == "von_mises_fisher" else np.zeros(4))
    agrees(slope, 0.0)
    agrees((score**2).sum(1), float(compiled.fisher(x, **given)))


@slow
def test_the_law_of_the_height_on_a_sphere(x64):
    """n = 3: t = x'y has the density kappa exp(kappa t)/(2 sinh kappa); a planted concentration is caught."""
    compiled, x = program("von_mises_fisher"), np.array([0.6, 0.0, 0.8])
    for value in (0.5, 8.0, 3000.0):
        y = np.asarray(compiled.sample(jax.random.key(2), np.tile(x, (DRAWS, 1)), kappa=value))
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1.0, rtol=1e-12)
        u = -np.expm1(-value * (1 - y @ x)) / -np.expm1(-2 * value)
        assert st.kstest(u, "uniform").pvalue > 1e-3
    assert st.kstest(-np.expm1(-1.1 * value * (1 - y @ x)), "uniform").pvalue < 1e-3


@slow
def test_the_circle_is_von_mises(x64):
    compiled, angle = program("von_mises_fisher"), 0.7
    x = np.array([np.cos(angle), np.sin(angle)])
    y = np.asarray(compiled.sample(jax.random.key(2), np.tile(x, (DRAWS, 1)), kappa=2.5))
    turn = np.arctan2(y[:, 1], y[:, 0])
    assert st.kstest(turn, st.vonmises(2.5, loc=angle).cdf).pvalue > 1e-3
    np.testing.assert_allclose(compiled.log_prob(y, x, kappa=2.5), st.vonmises.logpdf(turn, 2.5, angle), rtol=1e-9)
    assert float(compiled.fisher(x, kappa=2.5)) == pytest.approx(2.5 * resultant(2, 2.5), rel=1e-9)


@slow
def test_two_entries_are_a_beta_law(x64):
    compiled, other = program("dirichlet"), sd.families.beta().compile()
    y, x = np.array([[0.2, 0.8], [0.7, 0.3]]), MIX[2]
    ours = compiled.log_prob(y, x, kappa=9.0)
    np.testing.assert_allclose(ours, other.log_prob(y[:, 0], x[0], nu=9.0), rtol=1e-9)
    along = np.asarray(compiled.score(y, x, kappa=9.0)) @ [1.0, -1.0]
    np.testing.assert_allclose(along, other.score(y[:, 0], x[0], nu=9.0), rtol=1e-9)


def test_where_the_information_is_infinite_or_flat(x64):
    """Dirichlet: infinite when some a_j <= 2 is not 1; a_j = 1 for all is the uniform law, whose score is 0."""
    compiled = program("dirichlet")
    x = np.array([[0.1, 0.4, 0.2, 0.3], [0.25] * 4, [1.0, 1.0, 3.0, 3.0]])
    found = np.asarray(compiled.fisher(x, kappa=jnp.array([19.0, 4.0, 1.0])))
    assert found[0] == np.inf and found[1] == 0.0
    # 1 and 1 are not pulled: A = 8, J has two entries, (7)(6)[(3/4)(1 + 1) + 2 * 2/4]
    assert found[2] == pytest.approx(42 * 2.5)


@pytest.mark.parametrize("name", rows("dirichlet"))
def test_off_the_manifold(name, dtype):
    compiled, given = program(name), parameters(name)
    x, y = place(name, 4).astype(dtype), points(name, 4)[0]
    near = np.stack([y, y * (1 + 5e-7)]).astype(dtype)
    far = np.stack([y * 1.001, y * np.nan, y * 0, y + [0, 1, -1, 0], np.full(4, np.inf)]).astype(dtype)
    value, score = compiled.log_prob(near, x, **given), compiled.score(near, x, **given)
    assert np.isfinite(value).all() and np.isfinite(score).all() and value.dtype == score.dtype == dtype
    far = jnp.asarray(np.concatenate([far, near]))
    assert np.array_equal(np.asarray(compiled.log_prob(far, x, **given)) == -np.inf, [True] * 5 + [False] * 2)
    assert np.array_equal(np.isnan(compiled.score(far, x, **given)).all(1), [True] * 5 + [False] * 2)
    assert np.array_equal(np.isnan(compiled.level_score(far, x, **given)), [True] * 5 + [False] * 2)
    assert compiled.manifold == ("sphere" if name == "von_mises_fisher" else "simplex")


@pytest.mark.parametrize("name", rows("dirichlet"))
def test_draws_in_single_precision_stay_on_the_manifold(name):
    """Also where nearly all mass is at one vertex, or the noise is tiny; the target is finite there."""
    compiled = program(name)
    values = jnp.array({"logistic_normal": [1e-3, 8.0]}.get(name, [0.05, 1e5]), jnp.float32)
    x = jnp.asarray(place(name, 4), jnp.float32)
    for value in values:
        y, score = compiled.target(jax.random.key(0), jnp.broadcast_to(x, (500, 4)), **parameters(name, value))
        assert np.isfinite(np.asarray(compiled.log_prob(y, x, **parameters(name, value)))).all()
        assert np.isfinite(np.asarray(score)).all()


def test_single_precision_at_large_concentrations():
    """Within the change that two units in the last place of one input make, plus 1e-6 of the value."""
    compiled = program("dirichlet")
    x = np.asarray(MIX[4], np.float32)
    for value in (1.0, 400.0, 1e4, 1e6):
        y = np.asarray(compiled.sample(jax.random.key(0), x, kappa=value))
        exact = lambda y, x, value=value: dirichlet_at(y, x, value)  # noqa: E731
        middle = exact(y, x)
        shifts = 1 + 2 * np.finfo(np.float32).eps * np.eye(4)
        moved = max(abs(exact(y * shift, x) - middle) for shift in shifts)
        moved = max(moved, *(abs(exact(y, x * shift) - middle) for shift in shifts))
        assert abs(float(compiled.log_prob(y, x, kappa=value)) - middle) < moved + 1e-6 * (1 + abs(middle))


def dirichlet_at(y, x, value):
    import mpmath

    with mpmath.workdps(30):
        a = [mpmath.mpf(value) * mpmath.mpf(float(q)) for q in x]
        total = mpmath.loggamma(mpmath.fsum(a)) - mpmath.fsum(map(mpmath.loggamma, a))
        return float(total + mpmath.fsum((p - 1) * mpmath.log(mpmath.mpf(float(q))) for p, q in zip(a, y, strict=True)))


FOUR = np.full(4, 0.25)
UNIT = np.full(4, 0.5)
BAD = [
    ("dirichlet", FOUR, np.array([0.5, -0.1, 0.3, 0.3]), DataError, "x > 0"),
    ("dirichlet", FOUR, np.zeros(4), DataError, "x > 0"),
    ("logistic_normal", FOUR, np.array([0.0, 0.4, 0.3, 0.3]), DataError, "x > 0"),
    ("dirichlet", FOUR, np.array([0.5, 0.5]), ShapeError, r"x needs shape \(n,\)"),
    ("dirichlet", np.ones(1), np.ones(1), ShapeError, "at least two entries"),
    ("von_mises_fisher", np.ones(1), np.ones(1), ShapeError, "at least two entries"),
    ("von_mises_fisher", UNIT, np.ones(3), ShapeError, r"x needs shape \(n,\)"),
    ("von_mises_fisher", 0.5, UNIT, ShapeError, "at least two entries"),
    ("dirichlet", np.ones(4, int), FOUR, DataError, "floating"),
]


@pytest.mark.parametrize(("name", "y", "x", "error", "words"), BAD)
def test_bad_input(name, y, x, error, words):
    with pytest.raises(error, match=words):
        program(name).log_prob(y, x, **parameters(name))


def test_bad_parameters():
    with pytest.raises(ParameterError, match="kappa > 0"):
        program("dirichlet").log_prob(FOUR, FOUR, kappa=-1.0)
    with pytest.raises(DataError, match="x > 0"):
        program("dirichlet").sample(jax.random.key(0), np.zeros(4), kappa=1.0)
    with pytest.raises(ShapeError, match="at least two entries"):
        program("dirichlet").sample(jax.random.key(0), np.ones(1), kappa=1.0)


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("dirichlet", [0.5, -0.1, 0.3, 0.3]),
        pytest.param("logistic_normal", [0.5, np.nan, 0.3, 0.3], marks=slow),
        pytest.param("von_mises_fisher", [0.0] * 4, marks=slow),
    ],
)
def test_where_nothing_can_be_raised_nothing_plausible_is_returned(name, x):
    compiled, y = program(name), jnp.asarray(points(name, 4)[0])
    assert np.isnan(jax.jit(lambda x: compiled.log_prob(y, x, **parameters(name)))(jnp.array(x)))


@slow
def test_a_direction_need_not_be_scaled(x64):
    """The law at (kappa, c x) is that at (c kappa, x), normaliser included; log-ratios forget the scale."""
    for name in FAMILIES:
        x, y, compiled = place(name, 4), points(name, 4), program(name)
        scaled = 1.0 if name == "logistic_normal" else 3.0
        one = compiled.log_prob(y, 3.0 * x, **parameters(name))
        np.testing.assert_allclose(one, compiled.log_prob(y, x, **parameters(name, scaled * LEVEL[name])), rtol=1e-10)


@pytest.mark.parametrize(
    ("support", "inside", "outside"),
    [
        (sp.Interval(0, sp.oo), [0.0, 2.0], [1.0, -1e-9]),
        pytest.param(sp.Interval.open(-1, 2), [1.9, -0.9], [2.0, 0.0], marks=slow),
        pytest.param(sp.Interval(-sp.oo, 1), [1.0, -7.0], [1.1, 0.0], marks=slow),
    ],
)
def test_entries_of_an_interval(support, inside, outside, x64):
    f = -sp.Sum((Y[i] - X[i]) ** 2, (i, 0, n - 1)) - Y[0] * Y[1]
    compiled = sd.Kernel.from_density(f, noisy=Y, clean=X, support=support, log=True).compile()
    y, x = np.array([inside, outside]), np.array([0.3, 0.4])
    value, score = compiled.log_prob(y, x), np.asarray(compiled.score(y, x))
    assert float(value[0]) == pytest.approx(-((y[0] - x) ** 2).sum() - y[0, 0] * y[0, 1])
    np.testing.assert_allclose(score[0], -2 * (y[0] - x) - y[0, ::-1])
    assert value[1] == -np.inf and np.isnan(score[1]).all()
    assert compiled.manifold is None and compiled.needs_chains


def test_an_unknown_law_on_the_sphere(x64):
    """Bipolar: its score against autodiff along tangents; mapped over a batch, differentiable in x."""
    f = kappa * sp.Sum(X[i] * Y[i], (i, 0, n - 1)) ** 2
    compiled = sd.Kernel.from_density(f, noisy=Y, clean=X, support=sd.Sphere(), level=kappa, log=True).compile()
    x, y = place("von_mises_fisher", 3), points("von_mises_fisher", 3)
    score = np.asarray(compiled.score(y, x, kappa=2.0))
    raw = 4.0 * (y @ x)[:, None] * x
    np.testing.assert_allclose(score, raw - y * (raw * y).sum(1, keepdims=True), rtol=1e-12, atol=1e-14)
    slope = jax.grad(lambda x: compiled.log_prob(y[0], x, kappa=2.0))(jnp.asarray(x))
    np.testing.assert_allclose(slope, 4.0 * (y[0] @ x) * y[0], rtol=1e-12)


@slow
def test_the_written_module_runs_alone(tmp_path):
    kernel = sd.families.dirichlet()
    kernel.write(tmp_path / "mixture.py")
    specification = importlib.util.spec_from_file_location("mixture", tmp_path / "mixture.py")
    sys.path.insert(0, str(tmp_path))
    try:
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    finally:
        sys.path.remove(str(tmp_path))
    text = (tmp_path / "mixture.py").read_text()
    assert "import symdsm" not in text and "sympy" not in text and module.MANIFOLD == "simplex"
    y = module.sample(jax.random.key(0), jnp.asarray(MIX[4]), kappa=30.0)
    expected = kernel.compile().log_prob(y, jnp.asarray(MIX[4]), kappa=30.0)
    assert float(module.log_prob(y, jnp.asarray(MIX[4]), kappa=30.0)) == pytest.approx(float(expected), rel=1e-5)
