"""jit, vmap, grad, jvp and shard_map on every program, in y, the clean value and the parameters.

Laws, at one random direction d: the Jacobian times d is the five-point difference along d, and w'(J d) = (J' w)'d; what
is mapped over a batch, or sharded over two devices, is what each event gives on its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.codegen.points import NAMES, kernel, point, program

pytestmark = pytest.mark.usefixtures("unoptimised")

FAST = ("speckle", "random_walk")
STEP = 1e-5
ROOT = Path(__file__).parents[2]


def rows(fast):
    return [pytest.param(n, marks=[pytest.mark.slow] * (n not in fast)) for n in NAMES]


def values(name):
    """log_prob, score and level_score as one function of (y, x, params), all leaves floating."""
    chosen = program(name)
    names = ["log_prob", "score"] + ["level_score"] * chosen.has_level_score
    return lambda y, x, params: {n: getattr(chosen, n)(y, x, **params) for n in names}


def direction(name, at):
    """A random step; none off the manifold, and for matrices one that keeps them symmetric."""
    rng = np.random.default_rng(11)
    manifold = getattr(kernel(name).support, "manifold", None)

    def step(value):
        d = rng.normal(size=jnp.shape(value)) * 0.3
        return jnp.asarray(d + d.T if d.ndim == 2 and d.shape[0] == d.shape[1] else d)

    y, x, params = jax.tree.map(step, at)
    return (jnp.zeros_like(y), jnp.zeros_like(x), params) if manifold is not None else (y, x, params)


def dot(one, two):
    return sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True))


@pytest.mark.parametrize("name", rows(FAST))
def test_derivatives(name, x64):
    at = point(name)
    d, function = direction(name, at), values(name)
    w = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), jax.eval_shape(function, *at))

    @jax.jit
    def derivatives(at):
        value, forward = jax.jvp(function, at, d)
        backward = jax.grad(lambda *args: dot(w, function(*args)), argnums=(0, 1, 2))(*at)
        return value, forward, dot(w, forward), dot(backward, d)

    _, forward, once, twice = derivatives(at)
    shifted = jax.jit(lambda h: function(*jax.tree.map(lambda a, b: a + h * b, at, d)))
    near, far = ([shifted(k * STEP) for k in pair] for pair in ((1.0, -1.0), (2.0, -2.0)))
    for n in forward:
        for own, up, down, up2, down2 in zip(*(jax.tree.leaves(v[n]) for v in (forward, *near, *far)), strict=True):
            assert np.isfinite(own).all(), n
            slope = (8 * (up - down) - (up2 - down2)) / (12 * STEP)
            assert (np.abs(own - slope) < 2e-6 * (1 + np.abs(own) + np.abs(up))).all(), (n, own, slope)
    assert abs(once - twice) < 1e-9 * (1 + abs(once))


@pytest.mark.parametrize("name", rows(FAST))
def test_mapped_is_each_on_its_own(name, x64):
    """vmap over y, x, every parameter and the key."""
    at, chosen = point(name), program(name)
    factors = jnp.asarray([1.0, 1.05])
    keeps = getattr(kernel(name).support, "manifold", None) is not None

    def stacked(leaf):
        return leaf * factors.reshape(-1, *[1] * jnp.ndim(leaf))

    y, x, params = at
    batch = (
        (*(jax.tree.map(lambda a: jnp.stack([a, a]), (y, x))), jax.tree.map(stacked, params))
        if keeps
        else (jax.tree.map(stacked, at))
    )
    exact = hasattr(chosen._module, "sample")

    def everything(key, y, x, params):
        drawn = chosen.target(key, x, **params) if exact else ()
        return values(name)(y, x, params), drawn

    keys = jax.random.split(jax.random.key(3), 2)
    mapped = jax.jit(jax.vmap(everything))(keys, *batch)
    once = jax.jit(everything)
    for k in range(2):
        alone = once(keys[k], *jax.tree.map(lambda leaf, k=k: leaf[k], batch))
        for own, other in zip(
            jax.tree.leaves(jax.tree.map(lambda a, k=k: a[k], mapped)), jax.tree.leaves(alone), strict=True
        ):
            assert np.allclose(own, other, rtol=1e-7, atol=1e-9), k


SHARD = """
import sys
import jax, jax.numpy as jnp, numpy as np
from functools import partial
from jax.sharding import Mesh, PartitionSpec as P
from tests.codegen.points import NAMES, kernel, point, program

assert jax.device_count() == 2
mesh = Mesh(np.array(jax.devices()), ("batch",))
for name in sys.argv[1:] or NAMES:
    with jax.enable_x64(True):
        y, x, params = point(name)
        chosen = program(name)
        if not hasattr(kernel(name)._declaration, "density"):
            y, x = jax.tree.map(lambda a: a[:1], (y, x))
        y, x = jax.tree.map(lambda a: jnp.stack([a, a, a, a]), (y, x))

        def both(y, x, params):
            return chosen.log_prob(y, x, **params), chosen.score(y, x, **params)

        sharded = jax.shard_map(both, mesh=mesh, in_specs=(P("batch"), P("batch"), P()), out_specs=P("batch"))
        for own, other in zip(jax.tree.leaves(jax.jit(sharded)(y, x, params)), jax.tree.leaves(both(y, x, params))):
            assert len(own.sharding.device_set) == 2, name
            np.testing.assert_allclose(own, other, rtol=1e-12, err_msg=name)
    print(name)
"""


def shards(*names):
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    env["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", SHARD, *names], env=env, capture_output=True, text=True, timeout=1200, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.mark.slow
def test_sharded_over_two_devices():
    assert shards() == list(NAMES)
