"""The noise level as an effect handler.

A program names no noise level. `noise_level` sets it from outside, on every `LearnedPrior` it meets, also inside
`Independent`, `Expanded` and `Masked` distributions and under plates:

    with sd.noise_level(0.5):
        ...            # the program, or any NumPyro utility that runs it

Outside every handler a learned prior stands at its lowest trained level. Of two nested handlers the inner one wins.
"""

import copy
from collections.abc import Callable, Mapping

from jaxtyping import ArrayLike
from numpyro.distributions import Distribution
from numpyro.primitives import Messenger

from symdsm.inference.priors import LearnedPrior

__all__ = ["find_learned", "noise_level"]


def find_learned(fn) -> LearnedPrior | None:
    """The `LearnedPrior` at the core of a distribution, through any chain of `base_dist`; None without one."""
    while fn is not None and not isinstance(fn, LearnedPrior):
        fn = getattr(fn, "base_dist", None)
    return fn


def _rebuilt(fn: Distribution, level: ArrayLike) -> Distribution:
    if isinstance(fn, LearnedPrior):
        return fn if fn.level is not None else fn.at_level(level)
    outer = copy.copy(fn)
    outer.base_dist = _rebuilt(fn.base_dist, level)
    return outer


class noise_level(Messenger):
    """Set the noise level of the learned priors inside.

    `level` is one level for all of them, or a mapping from site names to levels (the other sites are left alone).
    `fn` is an optional program: `noise_level(0.5, program)(y)` runs it under the handler.

    Raises `ParameterError` for a level outside the range that the prior was trained on.
    """

    def __init__(self, level: ArrayLike | Mapping[str, ArrayLike], fn: Callable | None = None):
        self.level = level
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] != "sample" or find_learned(msg["fn"]) is None:
            return
        if not isinstance(self.level, Mapping):
            msg["fn"] = _rebuilt(msg["fn"], self.level)
        elif msg["name"] in self.level:
            msg["fn"] = _rebuilt(msg["fn"], self.level[msg["name"]])
