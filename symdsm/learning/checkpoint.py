"""Reading a saved fit back."""

import os
from collections.abc import Callable

import equinox as eqx

from symdsm.learning import storage
from symdsm.learning.fitted import Fit
from symdsm.learning.protocols import KernelLike

__all__ = ["load_fit"]


def load_fit(path: str | os.PathLike, rebuild: Callable[[str], KernelLike], net: eqx.Module | None = None) -> Fit:
    """The fit that `Fit.save` wrote to the folder `path`.

    `rebuild` makes the kernel from its JSON; `net` is a network of the saved type and size, needed only for
    types that symdsm does not ship. Raises `FitError` for a folder that holds no fit, or another network's.
    """
    potential, fields = storage.load(path, rebuild, net)
    return Fit(potential=potential, **fields)
