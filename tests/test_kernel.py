"""Kernel: the contract of names and shapes, reading, replacing, equality, storage."""

import copy
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sympy as sp
import sympy.stats as st

import symdsm as sd

x, y = sp.symbols("x y", real=True)
positive = sp.Symbol("x", positive=True)
sigma, s, a, b, L, t = sp.symbols("sigma s a b L t", positive=True)
bare_x, bare_s, bare_w = sp.symbols("x s w")
i, n = sp.symbols("i n", integer=True)
Y, X = sp.IndexedBase("y"), sp.IndexedBase("x")


def e(*parameters):
    return st.Normal("e", *parameters)


gaussian = sd.Kernel.from_random(st.Normal("y", x, sigma), clean=x, level=sigma)
speckle = sd.Kernel.from_random(positive * st.Gamma("e", L, 1 / L), clean=positive, level=L)
skewed = sd.Kernel.from_random(st.Normal("y", b * x, a * s), clean=x, level=s)


# What can be read


def test_symbols_and_parameters():
    assert (gaussian.noisy, gaussian.clean, gaussian.level) == (y, x, sigma)
    assert skewed.params == (a, b, s)
    assert speckle.noisy.name == "y" and speckle.support == sp.Interval.open(0, sp.oo)
    assert gaussian.normalised is True and gaussian.event_ndim == 0
    assert sp.simplify(gaussian.score - (x - y) / sigma**2) == 0
    assert sp.simplify(gaussian.level_score - ((x - y) ** 2 / sigma**3 - 1 / sigma)) == 0


def test_symbols_without_assumptions_come_back_as_they_were_given():
    kernel = sd.Kernel.from_random(st.Normal("y", bare_x, sp.exp(bare_s)), clean=bare_x, level=bare_s)
    assert (kernel.clean, kernel.level, kernel.params) == (bare_x, bare_s, (bare_s,))
    assert kernel.log_density.free_symbols <= {bare_x, bare_s, kernel.noisy}
    mixed = sd.Kernel.mixture({kernel: bare_w, kernel.subs({bare_s: 2 * bare_s}): 1 - bare_w})
    assert mixed.params == (bare_s, bare_w) and mixed.level == bare_s
    again = pickle.loads(pickle.dumps(mixed))
    assert again == mixed and again.params == mixed.params


def test_sizes_are_no_parameters():
    P = sp.IndexedBase("P")
    j = sp.Symbol("j", integer=True)
    form = sp.Sum(-P[i, j] * (Y[i] - X[i]) * (Y[j] - X[j]) / 2, (i, 0, n - 1), (j, 0, n - 1))
    kernel = sd.Kernel.from_density(form, noisy=Y, clean=X, log=True)
    assert [p.name for p in kernel.params] == ["P"] and kernel.event_ndim == 1
    assert kernel == copy.deepcopy(kernel)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (gaussian, sigma**-2),
        (speckle.subs({L: 4}), 16 / (2 * positive**2)),
        (sd.families.laplace(), sigma**-2),
        (sd.Kernel.product({"u": gaussian, "v": sd.families.laplace()}), 2 / sigma**2),
    ],
)
def test_fisher_information(kernel, expected):
    assert sp.simplify(kernel.fisher_information() - expected) == 0


def test_fisher_information_is_infinite_where_the_check_says_so():
    found = speckle.fisher_information()
    assert found.subs({L: sp.Rational(3, 2), positive: 1}) == sp.oo
    assert found.subs({L: 4, positive: 1}) == 8


def test_an_unknown_fisher_information_leaves_its_reason_in_the_check():
    kernel = sd.families.wrapped_cauchy()
    assert kernel.fisher_information() is None
    assert "Fisher information: no closed form" in str(kernel.check())


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (gaussian, 0),
        (speckle.subs({L: 1}), -1 / positive),
        (sd.Kernel.from_random(abs(st.Normal("e", 0, positive)), clean=positive), -sp.sqrt(2 / sp.pi) / positive),
        (sd.Kernel.from_random(bare_x + st.Exponential("e", a), clean=bare_x), -a),
        (
            sd.Kernel.product({"u": gaussian, "v": speckle.subs({L: 1})}),
            {"u": 0, "v": -1 / sp.Symbol("x_v", positive=True)},
        ),
        (sd.Kernel.product({"u": gaussian, "v": speckle.subs({L: sp.Rational(1, 2)})}), None),
        (sd.families.random_walk(), 0),
    ],
)
def test_mean_of_the_score(kernel, expected):
    assert kernel.mean_score == expected


w = sp.Symbol("w", positive=True)
OUTLIERS = {
    "normal": (e(0, b), scipy.stats.norm(0, 5)),
    "uniform": (st.Uniform("e", -b, b), scipy.stats.uniform(-5, 10)),
    "half-line": (st.Gamma("e", 2, b), scipy.stats.gamma(2, scale=5)),
    "laplace": (st.Laplace("e", 0, b), scipy.stats.laplace(0, 5)),
}


@pytest.mark.parametrize("name", OUTLIERS)
def test_a_background_of_outliers_is_a_part(name, x64):
    law, known = OUTLIERS[name]
    kernel = sd.Kernel.mixture({law: w, gaussian: 1 - w})
    assert (kernel.clean, kernel.level, kernel.params, kernel.mean_score) == (x, sigma, (b, sigma, w), 0)
    found = kernel.check()
    assert found.holds == found.level_holds == sp.true
    assert "part 1: it does not depend on sigma" in str(found)
    program, values = kernel.compile(), {"sigma": 0.6, "b": 5.0, "w": 0.3}
    at, near = np.array([-7.3, -3, -0.5, 0.2, 1.0, 4.0, 8.0]), scipy.stats.norm(0.5, 0.6)
    density = 0.3 * known.pdf(at) + 0.7 * near.pdf(at)
    np.testing.assert_allclose(program.log_prob(at, 0.5, **values), np.log(density), rtol=1e-12)
    slope = 0.3 * (known.pdf(at + 1e-6) - known.pdf(at - 1e-6)) / 2e-6 - 0.7 * near.pdf(at) * (at - 0.5) / 0.36
    np.testing.assert_allclose(program.score(at, 0.5, **values), slope / density, rtol=1e-6, atol=1e-8)
    drawn = program.sample(jax.random.key(0), jnp.full(4000, 0.5), **values)
    assert scipy.stats.kstest(drawn, lambda v: 0.3 * known.cdf(v) + 0.7 * near.cdf(v)).pvalue > 1e-3
    assert pickle.loads(pickle.dumps(kernel)) == kernel and kernel.subs({b: 2}).params == (sigma, w)


def test_a_background_may_come_to_depend_on_the_clean_value():
    box = sd.Kernel.mixture({gaussian: 1 - w, st.Uniform("e", -b, b): w})
    assert box.subs({b: 1 + abs(x)}).check().identity_holds == sp.false


def test_the_first_part_does_not_decide_the_sign_of_the_others(x64):
    parts = {speckle.subs({L: 4}): 1 - w, st.Laplace("e", 0, b): w}
    at = np.array([-2.0, -0.3, 0.4, 3.0])
    density = 0.7 * scipy.stats.gamma(4, scale=0.125).pdf(at) + 0.3 * scipy.stats.laplace(0, 5).pdf(at)
    for order in (parts, dict(reversed(parts.items()))):
        program = sd.Kernel.mixture(order).compile()
        np.testing.assert_allclose(program.log_prob(at, 0.5, b=5.0, w=0.3), np.log(density), rtol=1e-12)


def test_a_part_without_level_that_depends_on_it_is_checked_for_it():
    moving = sd.Kernel.from_random(x + sigma * st.Beta("e", 3, 1), clean=x)
    found = sd.Kernel.mixture({gaussian: 1 - w, moving: w}).check()
    assert found.level == sigma and found.level_holds == sp.false


def test_repr_and_latex():
    assert repr(gaussian) == "Kernel(log p(y | x) = -log(sigma) - log(2*pi)/2 - (-x + y)**2/(2*sigma**2), level=sigma)"
    blocks = sd.Kernel.product({"size": speckle.subs({L: 1 / sigma**2}), "place": gaussian})
    assert repr(blocks).startswith("Kernel.product(\n  place: Kernel(log p(y | x) = ")
    assert "{" not in repr(blocks)
    assert r"\log p_{\text{place}}(y\mid x)" in blocks._repr_latex_()
    vector = sd.families.critically_damped()
    assert repr(vector).startswith("Kernel(log p(x_t, v_t | X) = log N([") and r"\mathcal{N}" in vector._repr_latex_()


# What runs


def test_values_in_both_precisions(dtype):
    program = gaussian.compile()
    noisy, clean = np.linspace(-1, 2, 6, dtype=dtype).reshape(2, 3), np.float32(0.5).astype(dtype)
    value, slope = program.log_prob(noisy, clean, sigma=0.7), program.score(noisy, clean, sigma=0.7)
    assert value.dtype == slope.dtype == dtype and value.shape == (2, 3)
    exact = scipy.stats.norm.logpdf(noisy.astype(float), float(clean), 0.7)
    assert np.allclose(value, exact, rtol=20 * np.finfo(dtype).eps)
    draw, score = program.target(jax.random.key(0), jnp.full(4, clean), sigma=0.7)
    assert draw.dtype == score.dtype == dtype
    assert np.allclose(score, -(draw - clean) / 0.49, rtol=200 * np.finfo(dtype).eps)
    assert program.dual_target(jax.random.key(0), jnp.full(4, clean), sigma=0.7)[2].shape == (4,)


def test_jit_vmap_and_grad(x64):
    program = gaussian.compile()
    at = jnp.linspace(-1.0, 1.0, 5)

    def value(v, s):
        return program.log_prob(v, 0.3, sigma=s)

    assert np.allclose(jax.jit(jax.vmap(jax.grad(value), (0, None)))(at, 0.7), program.score(at, 0.3, sigma=0.7))
    by_level = jax.vmap(jax.grad(value, argnums=1), (0, None))(at, 0.7)
    assert np.allclose(by_level, program.level_score(at, 0.3, sigma=0.7))


def test_values_are_positional_and_parameters_are_named():
    program = gaussian.compile()
    with pytest.raises(TypeError):
        program.log_prob(y=0.0, x=0.0, sigma=1.0)
    kinds = [p.kind for p in inspect.signature(program.sample).parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_ONLY] * 2 + [inspect.Parameter.VAR_KEYWORD]


def test_one_program_for_equal_declarations():
    assert gaussian.compile() is copy.deepcopy(gaussian).compile()


# Replacing, comparing, storing


def test_subs_with_numbers_and_expressions():
    four = speckle.subs({L: 4})
    assert four.params == () and four.level is None
    fixed = four.log_density.subs({four.noisy: 2, positive: 3})
    assert float(fixed) == pytest.approx(scipy.stats.gamma.logpdf(2.0, 4.0, 0, 0.75), rel=1e-12)
    noisier = speckle.subs({L: 1 / s**2})
    assert noisier.level == s and noisier.params == (s,)
    relative = gaussian.subs({sigma: a * sp.Abs(x) + b})
    assert relative.level is None and relative.params == (a, b)
    assert gaussian.subs({"sigma": 2.0}) == gaussian.subs({sigma: sp.Float(2.0)})
    swapped = skewed.subs({a: b, b: a})
    assert swapped == sd.Kernel.from_random(st.Normal("y", a * x, b * s), clean=x, level=s)


def test_subs_reaches_into_composed_kernels():
    mixed = sd.Kernel.mixture({gaussian: a / (1 + a), sd.families.laplace(): 1 / (1 + a)}).subs({a: 1})
    half = sp.Rational(1, 2)
    assert mixed == sd.Kernel.mixture({gaussian: half, sd.families.laplace(): half})
    both = sd.Kernel.product({"u": gaussian, "v": sd.families.cauchy()}).subs({sigma: s})
    assert both.level == s and both.params == (s,)
    logarithm = speckle.change(sp.log).subs({L: a})
    assert logarithm.level == a
    assert logarithm == sd.Kernel.from_random(positive * st.Gamma("e", a, 1 / a), clean=positive, level=a).change(
        sp.log
    )


def test_equality_is_by_meaning():
    by_noise = sd.Kernel.from_random(x + sigma * e(0, 1), clean=x, level=sigma)
    formula = sp.exp(-((y - x) ** 2) / (2 * sigma**2)) / (sigma * sp.sqrt(2 * sp.pi))
    by_density = sd.Kernel.from_density(formula, noisy=y, clean=x, level=sigma)
    assert gaussian == by_noise == by_density == sd.families.gaussian()
    assert len({gaussian, by_noise, by_density}) == 1
    assert gaussian != sd.Kernel.from_random(st.Normal("y", x, sigma), clean=x)
    assert gaussian != gaussian.subs({sigma: 2 * sigma}) and gaussian != sd.families.laplace()
    assert gaussian != "gaussian"


@pytest.mark.parametrize(
    "kernel",
    [
        gaussian,
        speckle.change(sp.log),
        speckle.change(sp.log, clean=True),
        sd.Kernel.mixture({gaussian: a / (1 + a), sd.families.laplace(): 1 / (1 + a)}),
        sd.Kernel.product({"u": gaussian, "v": sd.families.laplace()}),
        sd.Kernel.from_density(sp.exp(sp.cos(y - x) / s**2), noisy=y, clean=x, level=s, period=2 * sp.pi),
    ],
    ids=["random", "change", "change both", "mixture", "product", "angle"],
)
def test_json_pickle_and_deepcopy(kernel):
    for other in (sd.Kernel.from_json(kernel.to_json()), pickle.loads(pickle.dumps(kernel)), copy.deepcopy(kernel)):
        assert other == kernel and other.digest == kernel.digest and other.params == kernel.params
        assert other.log_density == kernel.log_density


def test_a_density_with_a_period_is_normalised_over_it(x64):
    kernel = sd.Kernel.from_density(sp.exp(a * sp.cos(y - x)), noisy=y, clean=x, level=a, period=2 * sp.pi)
    assert kernel.normalised is True
    value = kernel.compile().log_prob(jnp.array([0.3, 5.0]), 0.9, a=2.0)
    assert np.allclose(value, scipy.stats.vonmises.logpdf([0.3, 5.0], 2.0, 0.9), rtol=1e-10)


def test_plot_shows_density_draws_and_score():
    figure = sd.Kernel.product({"size": speckle.subs({L: 1 / sigma**2}), "place": gaussian}).plot(
        x={"size": [1.0, 2.0], "place": 0.0}, sigma=0.5
    )
    place, slope, size, _ = figure.axes
    (line,) = place.get_lines()
    at, height = line.get_data()
    assert np.allclose(height, scipy.stats.norm.pdf(at, 0.0, 0.5))
    assert sum(bar.get_height() * bar.get_width() for bar in place.patches) == pytest.approx(1.0, abs=0.02)
    at, height = slope.get_lines()[0].get_data()
    assert np.allclose(height, -at / 0.25)
    assert [text.get_text() for text in size.get_legend().get_texts()] == ["x = 1", "x = 2"]


@pytest.mark.slow
def test_a_mixture_of_arrays(x64):
    """Held against the parts' own log densities."""
    walk, w, h = sd.families.random_walk(), sp.Symbol("w", positive=True), 1e-5
    other = walk.change(sp.sinh)
    mixture = sd.Kernel.mixture({walk: w, other: 1 - w})
    assert mixture.normalised is True and mixture.level == walk.level and pickle.loads(pickle.dumps(mixture)) == mixture
    program, parts = mixture.compile(), [walk.compile(), other.compile()]
    v, at = jnp.array([1.0, 2.0, 4.0]), jnp.zeros(3)

    def expected(sigma):
        return scipy.special.logsumexp([f.log_prob(v, at, sigma=sigma) for f in parts], b=(0.3, 0.7))

    np.testing.assert_allclose(program.log_prob(v, at, sigma=0.5, w=0.3), expected(0.5), rtol=1e-12)
    slope = (expected(0.5 + h) - expected(0.5 - h)) / (2 * h)
    np.testing.assert_allclose(program.level_score(v, at, sigma=0.5, w=0.3), slope, rtol=1e-8)
    wide = walk.subs({walk.level: 5 * walk.level})
    assert sd.Kernel.mixture({walk: w, wide: 1 - w}).check().holds == sp.true


@pytest.mark.slow
@pytest.mark.parametrize(("name", "clean"), [("random_walk", False), ("random_walk", True), ("pair", False)])
def test_a_coordinate_of_arrays(name, clean, x64):
    """log p(u | x) = log p(log u | x) - sum log u, and of log u given log v where the clean value moves too."""
    x1, x2 = sp.symbols("x1 x2", real=True)
    law = st.Normal("y", [x1, x2], [[sigma**2, sigma / 2], [sigma / 2, 1]])
    kernel = sd.Kernel.from_random(law, clean=[x1, x2], level=sigma) if name == "pair" else sd.families.random_walk()
    moved = kernel.change(sp.exp, clean=clean)
    assert moved.normalised is True and pickle.loads(pickle.dumps(moved)) == moved
    u, at = jnp.array([0.5, 2.5]), jnp.array([1.3, 0.4])
    found = moved.compile().log_prob(u, at, sigma=0.7)
    before = kernel.compile().log_prob(jnp.log(u), jnp.log(at) if clean else at, sigma=0.7)
    np.testing.assert_allclose(found, before - jnp.log(u).sum(), rtol=1e-12)
    assert moved.compile().log_prob(-u, at, sigma=0.7) == -np.inf
    assert clean or moved.change(sp.log).compile().log_prob(u, at, sigma=0.7) == pytest.approx(
        float(kernel.compile().log_prob(u, at, sigma=0.7)), rel=1e-12
    )
