"""What an objective is: a loss of one clean event at one level, and what it asks of network and kernel.

Every objective is called as `objective(potential, key, x, u) -> loss`, unbatched, and training maps it over a batch
once. Its loss is of the size 1 at every level, whatever the level's units: for the score objectives it is divided by
the kernel's Fisher information I_y(u), averaged over the data. `symdsm.learning.weightings` multiplies it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.potentials import Potential

__all__ = ["Objective", "log_information"]

Loss = Callable[[Potential, PRNGKeyArray, Array, Array], Array]


def log_information(potential: Potential, u: Array) -> Array:
    """log I_y(u), the kernel's Fisher information averaged over the data."""
    return potential.scaling.log_fisher(u)


@dataclass(frozen=True)
class Objective:
    """A loss with its name; `sd.fit(..., objective=)` takes one, or the name of a plain one.

    - `log_size`: the logarithm of what the loss was divided by, a function of the potential and the level.
    - `needs_energy`: the loss takes the level derivative of an energy (dual).
    - `needs_mean`: it uses E[grad log p(y | x) | x] (controlled).
    - `by_parts`: it rests on integration by parts in y (implicit objectives), so on Hyvarinen's boundary condition.
    - `reconstructs`: it trains a denoiser's reconstruction itself, from which a score follows for some kernels only.
    - `likelihood`: log r(x | m), the law that it reconstructs by; None for a normal one.
    """

    name: str
    loss: Loss
    log_size: Callable[[Potential, Array], Array] = log_information
    needs_energy: bool = False
    needs_mean: bool = False
    by_parts: bool = False
    reconstructs: bool = False
    likelihood: Callable[[Array, Array], Array] | None = None

    def __call__(self, potential: Potential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
        """The loss of one clean event x at the level coordinate u; scalar."""
        return self.loss(potential, key, x, u)
