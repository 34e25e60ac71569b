"""What learning asks of a kernel and of its compiled program.

Learning meets a noise kernel p(y | x; level) only through these two types, so it needs no computer algebra,
and any hand-written object of the same shape trains in the same way. `y` is the noisy variable, `x` the clean
one.

Elementwise programs (`event_ndim` 0) return log densities and level scores with the shape of y; coupled
programs sum them over the event. Scores always have the shape of y.
"""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, PRNGKeyArray

__all__ = [
    "CentredProgram",
    "DenoisingProgram",
    "DiffusionProgram",
    "KernelLike",
    "PosteriorSampler",
    "ProgramLike",
    "Verdict",
]


@runtime_checkable
class ProgramLike(Protocol):
    """A kernel compiled to JAX; every method can be jitted, vmapped and differentiated."""

    def log_prob(self, y: Array, x: Array, /, **params: Any) -> Array:
        """log p(y | x)."""
        ...

    def score(self, y: Array, x: Array, /, **params: Any) -> Array:
        """d/dy log p(y | x)."""
        ...

    def sample(self, key: PRNGKeyArray, x: Array, /, **params: Any) -> Array:
        """y ~ p(y | x)."""
        ...

    def target(self, key: PRNGKeyArray, x: Array, /, **params: Any) -> tuple[Array, Array]:
        """(y, score), the score computed from the noise itself."""
        ...

    def dual_target(self, key: PRNGKeyArray, x: Array, /, **params: Any) -> tuple[Array, Array, Array]:
        """(y, score, level score)."""
        ...


@runtime_checkable
class DenoisingProgram(Protocol):
    """A program that knows the generalised Tweedie formula of its kernel."""

    def denoise(self, y: Array, score: Array, /, **params: Any) -> Array:
        """The clean event, from score = d/dy log q(y)."""
        ...


@runtime_checkable
class CentredProgram(Protocol):
    """A program that knows E[d/dy log p(y | x) | x]."""

    def mean_score(self, x: Array, /, **params: Any) -> Array:
        """Of x's shape."""
        ...


@runtime_checkable
class DiffusionProgram(Protocol):
    """A program that knows the diffusion dy = f dlevel + g dw whose law at each level is the kernel's."""

    def diffusion(self, y: Array, /, **params: Any) -> Array:
        """g of each entry of y; a matrix for vectors."""
        ...


@runtime_checkable
class Verdict(Protocol):
    """What the regularity check says at given parameter values; None means undecided."""

    identity: bool | None
    variance: bool | None
    level: bool | None
    mean: bool | None
    boundary: bool | None
    reason: str
    remedy: str


@runtime_checkable
class _Named(Protocol):
    name: str


@runtime_checkable
class _Regularity(Protocol):
    def judge(self, **values: Any) -> Verdict: ...


@runtime_checkable
class KernelLike(Protocol):
    """A declared kernel: its parameters by name, its check, its compiled program."""

    level: _Named | None
    params: tuple[_Named, ...]
    event_ndim: int
    digest: str

    def compile(self) -> ProgramLike: ...

    def check(self) -> _Regularity: ...

    def to_json(self) -> str: ...


@runtime_checkable
class PosteriorSampler(Protocol):
    """What draws the clean value from a noisy one: an autoencoder with its likelihood, or an exact posterior."""

    def sample(self, key: PRNGKeyArray, y: Array, level: Any = None) -> Array:
        """x ~ p(x | y; level), one draw for each event of y (*batch, *event); a draw, not the mean."""
        ...
