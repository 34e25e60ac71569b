"""Chains over two devices against one: the same draws to rounding, and runs that go on bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import shutil, sys
from pathlib import Path
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
from symdsm.inference import checkpoint, sampling
from symdsm.inference.compiled import Joint
from tests.inference.conftest import conjugate, mixture

assert len(jax.devices()) == 2
checkpoint.SECONDS = 0.0
fit = mixture([[1.0, 1.0]], [1.0], sd=0.7, least=0.05, most=5.0)
call, homes = Joint.__call__, []

def watched(self, *args, **kwargs):
    result = call(self, *args, **kwargs)
    homes.extend(len(leaf.sharding.device_set) for leaf in jax.tree.leaves(result))
    return result

Joint.__call__ = watched

def run(method, chain_method, path=None):
    homes.clear()
    tree = sampling.sample(
        conjugate(fit), jnp.array([0.0, 0.5]), key=jax.random.key(0), chains=2, draws=30, warmup=50, method=method,
        chain_method=chain_method, progress=False, checkpoint=path,
    )
    return np.asarray(tree["posterior"]["z"]), max(homes)

for method in sys.argv[2:]:
    path = Path(sys.argv[1]) / method
    one, home = run(method, "vectorized")
    assert home == 1
    two, home = run(method, "parallel", path)
    assert home == 2
    off = np.abs(one - two).max()
    print(method, "off by", off, flush=True)
    assert off < 1e-6 * np.abs(one).max()
    parts = sorted(path.iterdir())
    for part in parts[len(parts) // 2 :]:
        shutil.rmtree(part)
    np.testing.assert_array_equal(run(method, "parallel", path)[0], two)
print("the same draws on two devices")
"""
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_chains_in_parallel_on_two_devices(tmp_path):
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    methods = "tempered", "smc", "annealed"  # whose chains go on by NUTS
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), *methods],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0 and "the same draws on two devices" in done.stdout, done.stdout + done.stderr[-3000:]
