"""Eight devices, and two processes, against one device: the same gradients and the same training, to rounding."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
process, count, address = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if count > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, count, process)
import jax.numpy as jnp
import numpy as np
from symdsm.learning.fit import fit, prepared
from symdsm.learning.levels import geometric
from symdsm.learning.networks import Score
from symdsm.learning.objectives import objective_named
from symdsm.learning.sources import Table
from symdsm.learning.steps import Settings, Steps, mesh_of
from tests.learning.doubles import GaussianKernel

wanted = int(sys.argv[4])
assert len(jax.devices()) == wanted and jax.process_count() == count, (jax.devices(), jax.process_count())
data = np.random.default_rng(0).normal(size=(200, 2))
net = Score((2,), key=jax.random.key(0), width=8, depth=0)
levels, dsm = geometric(0.1, 5.0), objective_named("dsm")
potential, _ = prepared(net, jnp.asarray(data), GaussianKernel(), jax.random.split(jax.random.key(1)), levels=levels,
                        objective=dsm, params=None, unchecked=False)
settings = Settings("dsm", "fisher", False, 30, 16, 1e-2, 0.1, 0.9, 1.0, 0.0, None)


def slopes(devices):
    steps = Steps(potential, dsm, settings, None, mesh_of(devices))
    state, table, key = steps.everywhere(
        (steps.start(), Table((jnp.asarray(data), None), jnp.arange(len(data))), jax.random.key(2))
    )
    slope, seen = jax.jit(steps.slope)(state.params, state.step, key, table, np.int32(0))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(slope)], np.asarray(seen.loss)


one, many = slopes(None), slopes(jax.devices())
size = max(np.abs(leaf).max() for leaf in one[0])
for a, b in zip(one[0], many[0], strict=True):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 * size)
np.testing.assert_allclose(one[1], many[1], rtol=1e-13)


def trained(devices):
    found = fit(net, data, GaussianKernel(), key=jax.random.key(3), levels=levels, objective="dsm", steps=30,
                batch_size=16, devices=devices, progress=False, patience=5)
    return np.asarray(found.score(jnp.ones(2), 0.5)), found.history["loss"]


alone, together = trained(None), trained(jax.devices())
for a, b in zip(alone, together, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9)
print("the same on", len(jax.devices()), "devices of", count, "process(es)", float(together[0][0]).hex())
"""
ROOT = Path(__file__).parents[2]


def started(process, count, address, devices):
    here = devices // count
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={here}",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    arguments = [sys.executable, "-c", RUN, str(process), str(count), address, str(devices)]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "devices"), [(1, 8), (2, 2)])
def test_the_same_numbers_as_on_one_device(count, devices):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    running = [started(process, count, address, devices) for process in range(count)]
    told = []
    for process in running:
        out, err = process.communicate(timeout=400)
        assert process.returncode == 0, err[-3000:]
        told.append(out)
    assert all("the same on" in out for out in told)
    assert len({out.split()[-1] for out in told}) == 1, "the processes disagree"
