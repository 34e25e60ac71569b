"""Chains over devices: the leading axis of each array is laid out over as many of JAX's devices as divide it."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

__all__ = ["axes", "lay", "spread"]


def spread(arrays: PyTree, options) -> PyTree:
    """The arrays with their chains over devices where options.chain_method is "parallel"; else as they are."""
    if options.chain_method != "parallel":
        return arrays
    return jax.device_put(arrays, NamedSharding(_mesh(options.chains), PartitionSpec("chain")))


def axes(array: Array) -> list | None:
    """How an array lies over a mesh of devices, as JSON; None for one that does not."""
    return list(array.sharding.spec) if isinstance(array.sharding, NamedSharding) else None


def lay(array: Array, spec: list | None, chains: int) -> Array:
    """The array over devices again, with the `axes` that another had among `chains` chains."""
    return array if spec is None else jax.device_put(array, NamedSharding(_mesh(chains), PartitionSpec(*spec)))


def _mesh(chains):
    count = max(n for n in range(1, len(jax.devices()) + 1) if chains % n == 0)
    return Mesh(np.array(jax.devices()[:count]), ("chain",))
