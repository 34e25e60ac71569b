"""Networks: what they return, smoothness, symmetry, coercivity of the energies made of them, other libraries'."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from symdsm.errors import ParameterError, ShapeError
from symdsm.learning.checkpoint import load_fit
from symdsm.learning.fit import fit, prepared
from symdsm.learning.levels import geometric
from symdsm.learning.networks import AbstractEnergy, Denoiser, Energy, Score
from symdsm.learning.objectives import objective_named
from tests.learning.doubles import GaussianKernel

KEY = jax.random.key(0)
SMALL = dict(key=KEY, width=8, depth=2)
SHAPES = {"residual": (2, 3), "mlp": (2, 3), "unet": (8, 4, 3), "set": (5, 3)}


@pytest.mark.parametrize(
    ("backbone", "context_shape"),
    [("residual", None), ("mlp", (2,)), ("unet", None), ("unet", (2, 2)), ("set", (2, 2))],
)
def test_energies_are_scalars_and_smooth_in_event_and_level(backbone, context_shape):
    event = SHAPES[backbone]
    net = Energy(event, **SMALL, backbone=backbone, context_shape=context_shape)
    v = jax.random.normal(jax.random.key(1), event)
    context = () if context_shape is None else (jax.random.normal(jax.random.key(2), context_shape),)
    assert jax.eval_shape(net, v, jnp.asarray(0.3), *context).shape == ()
    for along in (lambda u: jax.grad(net, argnums=1)(v, u, *context), lambda u: net(v * u, 0.3 * u**0, *context)):
        curve = np.asarray(jax.jit(jax.vmap(along))(jnp.linspace(0, 1, 1001)))
        assert np.abs(np.diff(curve, 2)).max() < 1e-3 * max(1.0, np.ptp(curve)), "a kink"
    if context:
        one = eqx.filter_jit(net)
        assert abs(float(one(v, jnp.asarray(0.3), context[0] + 1.0) - one(v, jnp.asarray(0.3), *context))) > 1e-6


@pytest.mark.parametrize("backbone", SHAPES)
@pytest.mark.parametrize("kind", [Score, Denoiser])
def test_fields_have_the_event_shape(kind, backbone):
    net = kind(SHAPES[backbone], **SMALL, backbone=backbone)
    assert jax.eval_shape(net, jnp.ones(SHAPES[backbone]), jnp.asarray(0.3)).shape == SHAPES[backbone]


def test_a_grey_image_needs_no_channel():
    for shape in ((12, 8), (7, 7)):
        net = eqx.filter_jit(Score(shape, **SMALL, backbone="unet"))
        out = net(jax.random.normal(KEY, shape), jnp.asarray(0.3))
        assert out.shape == shape and np.ptp(out) > 0


@pytest.mark.slow
def test_the_unet_sees_the_whole_image_and_shifts_with_it(x64):
    net = eqx.filter_jit(Score((32, 32), key=KEY, width=8, depth=2, backbone="unet"))
    v, u = jax.random.normal(KEY, (32, 32)), jnp.asarray(0.3)
    reach = jax.jit(lambda v: jax.grad(lambda v: net(v, u)[16, 16])(v))(v)
    assert (np.abs(reach[10:23, 10:23]) > 0).all(), "through the coarse level one output sees its whole neighbourhood"
    unpadded = jnp.zeros((32, 32)).at[12:16, 12:16].set(v[:4, :4])
    moved = jnp.roll(unpadded, (4, 4), (0, 1))  # by a multiple of the coarsest cell
    inner = np.s_[12:24, 12:24]
    there, here = net(moved, u)[inner], jnp.roll(net(unpadded, u), (4, 4), (0, 1))[inner]
    far = net(jnp.roll(unpadded, (1, 3), (0, 1)), u)[inner]
    assert np.abs(there - here).max() < 0.2 * np.abs(far - here).max()


def test_sets_have_no_order(dtype):
    v, u = jax.random.normal(jax.random.key(1), (6, 2)), jnp.asarray(0.4)
    order = jnp.asarray([3, 0, 5, 1, 2, 4])
    energy = eqx.filter_jit(Energy((6, 2), **SMALL, backbone="set"))
    score = eqx.filter_jit(Score((6, 2), **SMALL, backbone="set"))
    slope = jax.jit(lambda v, u: jax.grad(energy)(v, u))
    assert abs(float(energy(v[order], u) - energy(v, u))) < 1e-5 * max(1, abs(float(energy(v, u))))
    np.testing.assert_allclose(score(v[order], u), score(v, u)[order], atol=1e-5)
    np.testing.assert_allclose(slope(v[order], u), slope(v, u)[order], atol=1e-5)
    alone = jnp.zeros((6, 2)).at[0].set(1.0)
    assert np.abs(score(alone, u)[1] - score(jnp.zeros((6, 2)), u)[1]).max() > 1e-3, "members see each other"


def untrained(net, data, kernel, objective="dual"):
    levels = geometric(0.2, 5.0)
    objective, keys = objective_named(objective), jax.random.split(KEY)
    options = dict(levels=levels, objective=objective, params=None, unchecked=False)
    return prepared(net, jnp.asarray(data), kernel, keys, **options)[0]


@pytest.mark.slow
def test_a_fit_of_sets_has_no_order_either():
    data = np.random.default_rng(0).normal(size=(300, 4, 2)).astype(np.float32) * [1.0, 3.0]
    order = jnp.asarray([2, 0, 3, 1])
    y, u = jnp.asarray(2 * data[7]), jnp.asarray(0.3)
    for kind in (Energy, Denoiser):
        potential = untrained(kind((4, 2), **SMALL, backbone="set"), data, GaussianKernel(), "dsm")
        score = jax.jit(lambda y, u, p=potential: p.score(y, u))
        np.testing.assert_allclose(score(y[order], u), score(y, u)[order], rtol=1e-4, atol=1e-4)


RAYS = {
    "gaussian": (GaussianKernel(), lambda r: r**2),
    "student_t": (sd.families.student_t().subs({"nu": 5.0}), jnp.log),
    "laplace": (sd.families.laplace(), lambda r: r),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "backbone"), [("gaussian", "set"), ("student_t", "residual"), ("laplace", "residual")]
)
def test_energies_grow_along_every_ray_as_the_kernel_s_tail_does(name, backbone):
    kernel, growth = RAYS[name]
    data = np.random.default_rng(0).normal(size=(300, 3, 2)).astype(np.float32)
    net = Energy((3, 2), **SMALL, backbone=backbone)
    wild = jax.tree.map(lambda a: 3.0 * a if eqx.is_inexact_array(a) else a, net)  # weights that nobody trained
    potential = untrained(wild, data, kernel, "dsm")
    sign, size = jax.random.split(jax.random.key(3))
    rays = jax.random.rademacher(sign, (20, 3, 2)) * jax.random.uniform(size, (20, 3, 2), minval=0.3)
    energies = jax.jit(lambda y, u: jax.vmap(potential.energy, (0, None))(y, u))
    for u in (0.0, 0.5, 1.0):
        far = [energies(r * rays, jnp.asarray(u)) for r in (1e4, 1e5, 1e6)]
        one, two = np.asarray(far[1] - far[0]), np.asarray(far[2] - far[1])
        assert (one > 0).all() and (two > 0).all()
        expected = (growth(1e6) - growth(1e5)) / (growth(1e5) - growth(1e4))
        np.testing.assert_allclose(two / one, expected, rtol=0.05)


class Quadratic(AbstractEnergy):
    """Somebody's own module: it need not know symdsm beyond its base class."""

    weights: jax.Array
    event_shape: tuple[int, ...] = (2,)

    def __call__(self, x, level):
        return jnp.sum(self.weights * x**2) * level


@pytest.mark.slow
def test_anybody_s_equinox_module_trains_and_is_read_back(tmp_path):
    data = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    options = dict(levels=geometric(0.3, 3.0), objective="dsm", steps=60, batch_size=32, progress=False)
    found = fit(Quadratic(jnp.zeros(2)), data, GaussianKernel(), key=KEY, **options)
    assert found.history["loss"][-1] < 0.6 and np.abs(found.model.weights).max() > 0
    found.save(tmp_path)
    again = load_fit(tmp_path, lambda text: GaussianKernel(), Quadratic(jnp.ones(2)))
    np.testing.assert_array_equal(again.energy(data[:3], 0.5), found.energy(data[:3], 0.5))


def test_a_flax_module_trains_as_its_equinox_twin_does(tmp_path):
    nnx = pytest.importorskip("flax.nnx")
    linear = eqx.nn.Linear(2, 2, key=KEY)

    class Flax(nnx.Module):
        def __init__(self):
            self.linear = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
            self.linear.kernel[...], self.linear.bias[...] = linear.weight.T, linear.bias

        def __call__(self, v, u):
            return self.linear(v) * u

    class Equinox(sd.learning.networks.AbstractScore):
        linear: eqx.nn.Linear
        event_shape: tuple[int, ...] = (2,)

        def __call__(self, v, u):
            return self.linear(v) * u

    data = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    options = dict(levels=geometric(0.3, 3.0), objective="dsm", steps=60, batch_size=32, progress=False)
    nets = sd.from_flax(Flax(), (2,), kind="score"), Equinox(linear)
    ours, twin = (fit(net, data, GaussianKernel(), key=KEY, **options) for net in nets)
    np.testing.assert_allclose(ours.score(data[:5], 0.5), twin.score(data[:5], 0.5), rtol=1e-4, atol=1e-5)
    ours.save(tmp_path)
    again = load_fit(tmp_path, lambda text: GaussianKernel(), sd.from_flax(Flax(), (2,), kind="score"))
    np.testing.assert_array_equal(again.score(data[:5], 0.5), ours.score(data[:5], 0.5))
    with pytest.raises(ParameterError, match="nnx.Module"):
        sd.from_flax(linear, (2,))


@pytest.mark.parametrize(
    ("event", "backbone", "error", "words"),
    [
        ((2,), "transformer", ParameterError, "residual"),
        ((2,), "unet", ShapeError, "height, width"),
        ((), "set", ShapeError, "members"),
    ],
)
def test_backbones_that_do_not_fit(event, backbone, error, words):
    with pytest.raises(error, match=words):
        Energy(event, key=KEY, backbone=backbone)


def test_a_denoiser_of_angles_is_refused():
    with pytest.raises(ParameterError, match="no circle has its angles' mean"):
        sd.Denoiser((2,), key=KEY, angles=True)
