"""Chains over devices: the leading axis of each array is laid out over as many of JAX's devices as divide it."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

__all__ = ["spread"]


def spread(arrays: PyTree, options) -> PyTree:
    """The arrays with their chains over devices where options.chain_method is "parallel"; else as they are."""
    if options.chain_method != "parallel":
        return arrays
    count = max(n for n in range(1, len(jax.devices()) + 1) if options.chains % n == 0)
    mesh = Mesh(np.array(jax.devices()[:count]), ("chain",))
    return jax.device_put(arrays, NamedSharding(mesh, PartitionSpec("chain")))
