"""A fit on disk: arrays, and JSON that says how to rebuild the network, the kernel and the levels around
them."""

import os
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from symdsm.errors import FitError
from symdsm.learning import arrays as files
from symdsm.learning import coordinates
from symdsm.learning.curves import Curve
from symdsm.learning.history import History
from symdsm.learning.levels import Levels
from symdsm.learning.networks import Denoiser, Energy, Score, on_circle
from symdsm.learning.noise import Noise
from symdsm.learning.potentials import DenoiserPotential, EnergyPotential, Potential, ScorePotential
from symdsm.learning.protocols import KernelLike
from symdsm.learning.scaling import Scaling

__all__ = ["load", "save"]

_NETWORKS = {"Energy": Energy, "Score": Score, "Denoiser": Denoiser}
_POTENTIALS = {p.__name__: p for p in (EnergyPotential, ScorePotential, DenoiserPotential)}


def save(
    path: str | os.PathLike,
    potential: Potential,
    examples: tuple[Array, Array | None],
    history: History,
    kernel: KernelLike,
    maps: coordinates.Coordinates,
    facts: dict[str, Any],
) -> None:
    """Write the parts of a fit to the folder `path`: `examples` with their contexts, `facts` as JSON values."""
    net, noise = potential.net, potential.noise
    shipped = type(net) is _NETWORKS.get(type(net).__name__)
    clean, contexts = examples
    arrays = files.leaves("potential", potential) | files.leaves("coordinates", maps)
    arrays |= {"examples": np.asarray(clean)} | ({} if contexts is None else {"contexts": np.asarray(contexts)})
    meta = {
        "what": "fit",
        "kernel": kernel.to_json(),
        "kernel_digest": kernel.digest,
        "network": type(net).__name__,
        "architecture": net.architecture.options() if shipped else None,
        "potential": type(potential).__name__,
        "params": sorted(noise.params),
        "level_name": noise.level_name,
        "levels": None if noise.levels is None else [noise.levels.least, noise.levels.most, noise.levels.spacing],
        "coordinates": coordinates.described(maps),
        "dual": potential.scaling.log_level_fisher is not None,
        "facts": facts,
    }
    files.write(path, arrays | {f"history.{k}": v for k, v in history.items()}, meta)


def load(
    path: str | os.PathLike, rebuild: Callable[[str], KernelLike], net: eqx.Module | None
) -> tuple[Potential, dict[str, Any]]:
    """(potential, the other fields of the fit) from `path`; see `symdsm.learning.checkpoint.load_fit`."""
    arrays, meta = files.read(path)
    if meta.get("what") != "fit":
        raise FitError(
            given=f"{path}, a training checkpoint" if "identity" in meta else f"{path}, which holds no fit",
            expected="a folder written by fit.save(path)",
            fix="resume training with sd.fit(..., checkpoint=path, resume=True)",
        )
    if net is None and meta["architecture"] is None:
        raise FitError(
            given=f"{path}, the fit of a network of type {meta['network']}",
            expected="net=, a network of that type, since the file holds arrays and no code",
            fix="build one as for training and pass it as net=",
        )
    if net is None:
        shape = {k: tuple(v) if isinstance(v, list) else v for k, v in meta["architecture"].items()}
        net = _NETWORKS[meta["network"]](key=jax.random.key(0), **shape)
    kernel = rebuild(meta["kernel"])
    levels = None if meta["levels"] is None else Levels(*meta["levels"])
    blank = Curve(jnp.zeros(1))
    noise = Noise.of(kernel, {name: jnp.zeros(()) for name in meta["params"]}, levels)
    point = jnp.zeros(())
    scaling = Scaling(
        point,
        point,
        point,
        *[blank] * 5,
        blank if meta["dual"] else None,
        *[point if "contexts" in arrays else None] * 2,
        period=noise.period,
    )
    extra = {"EnergyPotential": [blank], "ScorePotential": [], "DenoiserPotential": [blank, blank]}
    net = on_circle(net, noise.period is not None, jax.random.key(0))
    template = _POTENTIALS[meta["potential"]](net, noise, scaling, *extra[meta["potential"]])
    potential = files.fill("potential", template, arrays)
    history = History({k[8:]: v for k, v in arrays.items() if k.startswith("history.")})
    contexts = jnp.asarray(arrays["contexts"]) if "contexts" in arrays else None
    return potential, {
        "examples": jnp.asarray(arrays["examples"]),
        "contexts": contexts,
        "history": history,
        "kernel": kernel,
        "coordinates": files.fill("coordinates", coordinates.rebuilt(meta["coordinates"]), arrays),
        **meta["facts"],
    }
