"""LearnedPrior under everything that NumPyro does with a distribution, against the normal law that it stands for.

`exact` is a fit that learned N(1, 0.7^2 I) in two dimensions perfectly, so that a LearnedPrior at level s is
dist.Normal(1, hypot(0.7, s)).expand([2]).to_event(1), and any program that holds one has a twin.
"""

import copy
import dataclasses
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.batch_util import vmap_over
from numpyro.distributions.transforms import AffineTransform, ExpTransform
from numpyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, log_likelihood
from numpyro.infer.autoguide import AutoMultivariateNormal
from numpyro.infer.initialization import init_to_mean, init_to_median, init_to_sample
from numpyro.infer.inspect import get_model_relations
from numpyro.infer.reparam import TransformReparam
from numpyro.infer.util import initialize_model, log_density
from scipy import integrate, stats

from symdsm.errors import ParameterError, ShapeError
from symdsm.inference.box import Box
from symdsm.inference.handlers import noise_level
from symdsm.inference.priors import LearnedPrior
from symdsm.learning.coordinates import Bounded, Simplex

from .conftest import mixture
from .stand_ins import GivenContext, InCoordinates

LEAST = 0.05


@pytest.fixture(scope="module")
def exact():
    return mixture([[1.0, 1.0]], [1.0], sd=0.7, least=LEAST, most=5.0)


def ours(fit, level=None):
    return LearnedPrior(fit, level)


def theirs(fit, level=None):
    scale = jnp.hypot(0.7, LEAST if level is None else jnp.asarray(level))
    return dist.Normal(1.0, scale[..., None]).expand([*jnp.shape(scale), 2]).to_event(1)


KEY = jax.random.key(0)
VALUES = jax.random.normal(jax.random.key(1), (4, 3, 2))
LEVELS = jnp.array([0.1, 0.6, 4.0])

# name: what is made of a distribution, and a value of its shape
MADE = {
    "plain": (lambda d: d, VALUES),
    "one": (lambda d: d, VALUES[0, 0]),
    "expand": (lambda d: d.expand([4, 3]), VALUES),
    "expand twice": (lambda d: d.expand([3]).expand([4, 3]), VALUES),
    "expand_by": (lambda d: d.expand_by([3]), VALUES[0]),
    "to_event": (lambda d: d.expand([4, 3]).to_event(1), VALUES),
    "all in one event": (lambda d: d.expand([4, 3]).to_event(2), VALUES),
    "mask": (lambda d: d.mask(jnp.array([True, False, True])), VALUES),
    "mask False": (lambda d: d.mask(False), VALUES),
    "expand, mask, to_event": (lambda d: d.expand([3]).mask(jnp.array([True, False, True])).to_event(1), VALUES),
    "affine": (lambda d: dist.TransformedDistribution(d, AffineTransform(2.0, 0.5)), VALUES),
    "exp": (lambda d: dist.TransformedDistribution(d.expand([3]), ExpTransform()), jnp.exp(VALUES)),
}


@pytest.mark.parametrize("made, value", MADE.values(), ids=MADE)
def test_log_prob_and_shapes_of_what_is_made_of_it(exact, made, value):
    prior, normal = made(ours(exact)), made(theirs(exact))
    assert (prior.batch_shape, prior.event_shape) == (normal.batch_shape, normal.event_shape)
    np.testing.assert_allclose(prior.log_prob(value), normal.log_prob(value), rtol=1e-5, atol=1e-6)
    gradients = [jax.grad(lambda v, d=d: jnp.sum(d.log_prob(v)))(value) for d in (prior, normal)]
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)
    shape = jax.eval_shape(lambda key: prior.sample(key, (5,)), KEY).shape
    assert shape == (5, *normal.batch_shape, *normal.event_shape)
    assert prior.support.event_dim == normal.support.event_dim and bool(jnp.all(prior.support(value)))


def test_a_level_for_each_member_of_the_batch(exact):
    prior, normal = ours(exact, LEVELS), theirs(exact, LEVELS)
    assert prior.batch_shape == (3,) and prior.shape((4,)) == (4, 3, 2)
    np.testing.assert_allclose(prior.log_prob(VALUES), normal.log_prob(VALUES), rtol=1e-5)
    np.testing.assert_allclose(prior.expand([4, 3]).to_event(1).log_prob(VALUES).shape, (4,))
    draws = np.asarray(prior.sample(KEY, (1500,)))
    for k, level in enumerate(LEVELS):
        np.testing.assert_allclose(draws[:, k].std(0), np.hypot(0.7, level), rtol=0.08)
        np.testing.assert_allclose(draws[:, k].mean(0), 1.0, atol=4 * np.hypot(0.7, level) / np.sqrt(1500))


def test_moments_come_from_draws_that_are_kept(exact):
    prior = ours(exact, 0.5)
    scale = np.hypot(0.7, 0.5)
    np.testing.assert_allclose(prior.mean, 1.0, atol=4 * scale / np.sqrt(2000))
    np.testing.assert_allclose(prior.variance, scale**2, rtol=0.15)
    assert prior.mean is prior.mean
    assert prior.expand([3]).to_event(1).mean.shape == (3, 2)
    np.testing.assert_allclose(jax.jit(lambda p: p.mean)(prior), prior.mean, rtol=1e-4)


def test_is_a_pytree(exact):
    prior = ours(exact, LEVELS)
    leaves, structure = jax.tree.flatten(prior)
    again = jax.tree.unflatten(structure, leaves)
    assert (again.batch_shape, again.event_shape, type(again)) == ((3,), (2,), LearnedPrior)
    for other in (again, jax.jit(lambda d: d)(prior), pickle.loads(pickle.dumps(prior)), copy.deepcopy(prior)):
        np.testing.assert_allclose(other.log_prob(VALUES), prior.log_prob(VALUES), rtol=1e-6)
    axes = vmap_over(ours(exact, 0.1), level=0)
    stacked = jax.vmap(lambda s: ours(exact, s), out_axes=axes)(LEVELS)
    mapped = jax.vmap(lambda d, v: d.log_prob(v), in_axes=(axes, 0))(stacked, VALUES[0])
    np.testing.assert_allclose(mapped, prior.log_prob(VALUES[0]), rtol=1e-5)


def hierarchy(make, fit, y=None):
    """Two learned sites, one in a plate; the kernel's level of the other is a site itself."""
    level = numpyro.sample("level", dist.Uniform(0.1, 4.0))
    centre = numpyro.sample("centre", make(fit, level))
    with numpyro.plate("rows", 3):
        shape = numpyro.sample("shape", make(fit))
        numpyro.sample("y", dist.Normal(centre + shape, 0.5).to_event(1), obs=y)


SITES = {"level": jnp.array(0.8), "centre": VALUES[0, 0], "shape": VALUES[1]}
Y = VALUES[2]


def test_joint_density_of_a_hierarchy(exact):
    for sites in (SITES, {**SITES, "level": jnp.array(3.0)}):
        joint = [log_density(hierarchy, (make, exact, Y), {}, sites)[0] for make in (ours, theirs)]
        np.testing.assert_allclose(*joint, rtol=1e-5)

    def by_level(make):
        return jax.grad(lambda s: log_density(hierarchy, (make, exact, Y), {}, {**SITES, "level": s})[0])(0.8)

    np.testing.assert_allclose(by_level(ours), by_level(theirs), rtol=1e-4)


def test_handlers(exact):
    program = handlers.seed(hierarchy, KEY)
    trace = handlers.trace(program).get_trace(ours, exact)
    assert {n: s["value"].shape for n, s in trace.items() if s["type"] == "sample"} == {
        "level": (), "centre": (2,), "shape": (3, 2), "y": (3, 2)
    }  # fmt: skip
    conditioned = handlers.trace(handlers.condition(program, {"centre": VALUES[0, 0]})).get_trace(ours, exact)
    assert conditioned["centre"]["is_observed"] and bool(jnp.all(conditioned["centre"]["value"] == VALUES[0, 0]))
    assert "shape" not in handlers.trace(handlers.block(program, hide=["shape"])).get_trace(ours, exact)

    def scaled(make):
        scaled = handlers.scale(handlers.substitute(program, SITES), 3.0)
        return log_density(scaled, (make, exact, Y), {}, SITES)[0]

    plain = log_density(hierarchy, (ours, exact, Y), {}, SITES)[0]
    np.testing.assert_allclose(scaled(ours), scaled(theirs), rtol=1e-5)
    np.testing.assert_allclose(scaled(ours), 3 * plain, rtol=1e-5)


def shifted(make, fit):
    numpyro.sample("x", dist.TransformedDistribution(make(fit), AffineTransform(2.0, 0.5)))


def test_reparametrised(exact):
    program = handlers.reparam(shifted, config={"x": TransformReparam()})
    trace = handlers.trace(handlers.seed(program, KEY)).get_trace(ours, exact)
    assert trace["x"]["type"] == "deterministic" and isinstance(trace["x_base"]["fn"], LearnedPrior)
    base = {"x_base": VALUES[0, 0]}
    for level in (0.05, 2.0):
        with noise_level(level):
            ours_at = log_density(program, (ours, exact), {}, base)[0]
        np.testing.assert_allclose(ours_at, theirs(exact, level).log_prob(VALUES[0, 0]), rtol=1e-5)


@pytest.mark.parametrize("strategy", [init_to_sample, init_to_mean, init_to_median])
def test_starts(exact, strategy):
    """Every start is within 6 standard deviations of the prior's mean."""
    start = initialize_model(KEY, hierarchy, init_strategy=strategy(), model_args=(ours, exact, Y))[0]
    assert jnp.abs(start.z["shape"] - 1.0).max() < 6 * 0.7 and jnp.isfinite(start.potential_energy)


def test_prior_and_posterior_predictive(exact):
    prior = Predictive(hierarchy, num_samples=400)(KEY, ours, exact)
    assert prior["shape"].shape == (400, 3, 2)
    error = np.hypot(0.7, LEAST) / np.sqrt(400 * 3)
    np.testing.assert_allclose(prior["shape"].mean((0, 1)), 1.0, atol=4 * error)
    np.testing.assert_allclose(prior["y"] - prior["centre"][:, None] - prior["shape"], 0.0, atol=0.5 * 5)
    sites = jax.tree.map(lambda v: jnp.stack([v, v + 0.1]), SITES)
    posterior = Predictive(hierarchy, sites)(KEY, ours, exact)
    assert posterior["y"].shape == (2, 3, 2)
    each = log_likelihood(hierarchy, sites, ours, exact, Y)["y"]
    mean = sites["centre"][:, None] + sites["shape"]
    np.testing.assert_allclose(each, stats.norm(mean, 0.5).logpdf(Y).sum(-1), rtol=1e-4)


def test_the_model_can_be_drawn(exact):
    relations = get_model_relations(hierarchy, (ours, exact, Y))
    assert relations["sample_dist"]["shape"] == "LearnedPrior"
    assert relations["sample_sample"]["centre"] == ["level"] and set(relations["sample_sample"]["y"]) >= {"shape"}
    assert relations["plate_sample"] == {"rows": ["shape", "y"]}


def test_rendered(exact):
    graph = numpyro.render_model(hierarchy, (ours, exact, Y), render_distributions=True)
    assert "LearnedPrior" in graph.source


def labelled(make, fit, y):
    """A discrete site beside the learned one: the label says which way y is moved."""
    label = numpyro.sample("label", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
    x = numpyro.sample("x", make(fit))
    numpyro.sample("y", dist.Normal(x.sum(-1) + label, 0.5), obs=y)


@pytest.mark.slow
def test_a_discrete_site_is_summed_out(exact):
    """NUTS sees the potential of the twin with a normal law in the learned one's place, up to one constant."""
    energies = []
    for make in (ours, theirs):
        potential = initialize_model(KEY, labelled, model_args=(make, exact, 2.5)).potential_fn
        energies.append(jax.vmap(lambda v, f=potential: f({"x": v}))(VALUES[:, 0]))
    np.testing.assert_allclose(energies[0] - energies[0][0], energies[1] - energies[1][0], rtol=1e-4, atol=1e-4)
    mcmc = MCMC(NUTS(labelled), num_warmup=300, num_samples=1000, progress_bar=False)
    mcmc.run(KEY, ours, exact, 2.5)
    total = np.asarray(mcmc.get_samples()["x"].sum(-1))
    prior = 2 * np.hypot(0.7, LEAST) ** 2
    weight = np.array([0.7, 0.3]) * stats.norm(2.0 + np.arange(2), np.sqrt(prior + 0.25)).pdf(2.5)
    each = 2.0 + prior / (prior + 0.25) * (0.5 - np.arange(2))
    mean, ess = weight @ each / weight.sum(), numpyro.diagnostics.effective_sample_size(total[None])
    assert ess > 100
    assert abs(total.mean() - mean) < 4 * total.std() / np.sqrt(ess)


def test_under_a_guide(exact):
    guide = AutoMultivariateNormal(program := lambda y: hierarchy(ours, exact, y))
    svi = SVI(program, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    state = svi.init(KEY, Y)
    assert bool(jnp.isfinite(svi.evaluate(state, Y)))


@pytest.mark.slow
def test_the_posterior_of_a_latent_level(exact):
    """One observation of the learned site: p(level | x) is a curve, and NUTS has its mean and sd."""
    x = jnp.array([4.0, -2.0])

    def program(x):
        numpyro.sample("x", ours(exact, numpyro.sample("level", dist.HalfNormal(4.0))), obs=x)

    def joint(s):
        return np.exp(stats.norm(1, np.hypot(0.7, s)).logpdf(np.asarray(x)).sum() - s**2 / 32)

    moments = [integrate.quad(lambda s, k=k: s**k * joint(s), LEAST, 5.0)[0] for k in range(3)]
    mean = moments[1] / moments[0]
    spread = np.sqrt(moments[2] / moments[0] - mean**2)
    mcmc = MCMC(NUTS(program), num_warmup=500, num_samples=3000, progress_bar=False)
    mcmc.run(KEY, x)
    level = mcmc.get_samples()["level"]
    assert level.max() <= 5.0 * 1.01
    ess = numpyro.diagnostics.effective_sample_size(np.asarray(level)[None])
    assert ess > 400
    assert abs(level.mean() - mean) < 4 * spread / np.sqrt(ess)
    np.testing.assert_allclose(level.std(), spread, rtol=0.1)


@pytest.mark.parametrize(
    "wrong, error, words",
    [
        (lambda fit: ours(fit, jnp.array([0.1, 9.0])), ParameterError, "between 0.05 and 5"),
        (lambda fit: ours(fit).log_prob(jnp.zeros((4, 3))), ShapeError, r"\(\*batch, 2\)"),
        (lambda fit: log_density(shifted, (ours, fit), {}, {"x": jnp.zeros(3)}), ValueError, "disagree at site: 'x'"),
        (lambda fit: ours(fit, LEVELS).expand([2]), ValueError, "Cannot broadcast"),
    ],
)
def test_bad_input(exact, wrong, error, words):
    with pytest.raises(error, match=words):
        wrong(exact)


def test_a_traced_level_outside_the_range_is_impossible(exact):
    at = jax.jit(lambda s: ours(exact, s).log_prob(jnp.zeros(2)))
    assert at(6.0) == -jnp.inf and at(0.04) == -jnp.inf and jnp.isfinite(at(5.0)) and jnp.isfinite(at(0.05))
    assert jnp.isfinite(jax.grad(lambda s: jnp.where(s < 5, at(s), 0.0))(6.0))


# name: the map of a fit's coordinates, NumPyro's constraint, values
CONSTRAINED = {
    "positive": (Bounded(0.0, math.inf), constraints.independent(constraints.positive, 1), jnp.exp(VALUES)),
    "above": (Bounded(-1.0, math.inf), constraints.independent(constraints.greater_than(-1.0), 1), jnp.exp(VALUES) - 1),
    "below": (Bounded(-math.inf, 2.0), constraints.independent(constraints.less_than(2.0), 1), 2 - jnp.exp(VALUES)),
    "interval": (
        Bounded(-1.0, 3.0),
        constraints.independent(constraints.interval(-1.0, 3.0), 1),
        4 * jax.nn.sigmoid(VALUES) - 1,
    ),
    "box": (Bounded((0.0, -math.inf), (1.0, math.inf)), Box((0.0, -math.inf), (1.0, math.inf), 1), VALUES),
    "simplex": (Simplex(), constraints.simplex, jax.nn.softmax(jnp.pad(VALUES, [(0, 0), (0, 0), (0, 1)]))),
}


@pytest.mark.parametrize("name", CONSTRAINED)
def test_of_constrained_data(exact, name):
    """Support, density with the Jacobian, draws inside, and the same potential energy whichever map NumPyro takes."""
    coordinates, constraint, values = CONSTRAINED[name]
    values = values.at[..., 0].set(jax.nn.sigmoid(values[..., 0])) if name == "box" else values
    prior = LearnedPrior(InCoordinates(exact, coordinates))
    assert prior.support == constraint and prior.event_shape == values.shape[-1:]
    each = jax.vmap(jax.vmap(coordinates.forward))(values), jax.vmap(jax.vmap(coordinates.log_slope))(values)
    np.testing.assert_allclose(prior.log_prob(values), theirs(exact).log_prob(each[0]) + each[1], rtol=1e-4, atol=1e-4)
    assert bool(jnp.all(prior.support(prior.sample(KEY, (50,)))))

    transform = biject_to(prior.support)
    free = transform.inv(values)
    np.testing.assert_allclose(transform(free), values, rtol=1e-4, atol=1e-5)
    slope = transform.log_abs_det_jacobian(free, values)
    one = free[0, 0]
    jacobian = jax.jacobian(lambda z: transform(z)[: one.size])(one)
    np.testing.assert_allclose(np.sum(slope[0, 0]), np.linalg.slogdet(jacobian)[1], rtol=1e-4)


def test_a_box_is_numpyros_constraint():
    box = Box((0.0, -math.inf), (1.0, math.inf), 1)
    again = jax.tree.unflatten(*jax.tree.flatten(box)[::-1])
    assert again == box and box != Box((0.0, -math.inf), (2.0, math.inf), 1) and box.event_dim == 1
    assert bool(box(box.feasible_like(jnp.zeros((3, 2)))).all()) and not bool(box(jnp.array([1.5, 0.0])))


@pytest.fixture(scope="module")
def conditional(exact):
    fields = {f.name: getattr(exact, f.name) for f in dataclasses.fields(exact)}
    return GivenContext(**fields, context_shape=(2,))


def test_given_a_context(conditional, exact):
    context = jnp.array([[2.0, -1.0], [0.0, 0.0], [5.0, 1.0]])
    prior = LearnedPrior(conditional, context=context)
    assert prior.batch_shape == (3,) and prior.event_shape == (2,)
    truth = theirs(exact).log_prob(VALUES - context)
    np.testing.assert_allclose(prior.log_prob(VALUES), truth, rtol=1e-4)
    np.testing.assert_allclose(jax.jit(lambda d: d.log_prob(VALUES))(prior), truth, rtol=1e-4)
    draws = prior.sample(KEY, (1500,))
    np.testing.assert_allclose(draws.mean(0), 1.0 + context, atol=4 * 0.71 / np.sqrt(1500))
    both = LearnedPrior(conditional, LEVELS, context=context)
    at_levels = theirs(exact, LEVELS).log_prob(VALUES - context)
    np.testing.assert_allclose(both.log_prob(VALUES), at_levels, rtol=1e-4)

    def program():
        place = numpyro.sample("place", dist.Normal(0.0, 3.0).expand([2]).to_event(1))
        numpyro.sample("x", LearnedPrior(conditional, context=place))

    sites = {"place": context[0], "x": VALUES[0, 0]}
    with noise_level(0.6):
        joint, slope = jax.value_and_grad(lambda s: log_density(program, (), {}, s)[0])(sites)
    by_hand = jax.value_and_grad(
        lambda s: dist.Normal(0.0, 3.0).log_prob(s["place"]).sum() + theirs(exact, 0.6).log_prob(s["x"] - s["place"])
    )(sites)
    np.testing.assert_allclose(joint, by_hand[0], rtol=1e-4)
    np.testing.assert_allclose(slope["place"], by_hand[1]["place"], rtol=1e-4)


def test_contexts_that_do_not_fit(conditional, exact):
    with pytest.raises(ParameterError, match=r"a context of shape \(2,\)"):
        LearnedPrior(conditional)
    with pytest.raises(ParameterError, match="leave the context out"):
        LearnedPrior(exact, context=jnp.zeros(2))
    with pytest.raises(ShapeError, match=r"\(\*batch, 2\)"):
        LearnedPrior(conditional, context=jnp.zeros((2, 3)))
