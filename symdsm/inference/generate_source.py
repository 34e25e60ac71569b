"""What generation reads of a fit: the score, the noise and the diffusion, at a coordinate u of the level.

u goes from 0, the least noise, to 1, the most, whatever the level's symbol means; lam(u) is the level. Draws move in z,
the coordinate of the kernel's support on the real line (symdsm/inference/line.py), y = T(z). A batch of draws has the
shape (n, *event).

    score(z, u)              d/dz log q_z at lam(u)
    flow(z, u)               dz/du of the probability flow
    reverse(z, u), g(z, u)   -dz/du and the noise per root of u of the diffusion run from u = 1 to u = 0
    information(key, u)      mean square of the kernel's own d/dz log p(y | x), per entry: the natural scale of steps

Inpainting: with `known` = (mask, values) the masked entries of y are replaced, after each step, by a draw of the kernel
at the known clean values, so that the others are pulled towards what goes with them (Song et al., arXiv 2011.13456,
appendix I). That is an approximation of the law given the known values; `sd.sample` of a program is exact.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import DerivationError
from symdsm.inference.line import Line
from symdsm.learning.protocols import ProgramLike

__all__ = ["Source", "diffuses"]

_EXAMPLES = 256


def diffuses(fit) -> bool:
    """Whether noisy values are real numbers, each moved by a diffusion of its own; works in a trace too."""
    program, support = fit.kernel.compile(), getattr(fit.kernel, "support", None)
    plain = hasattr(support, "inf") and Line(support).identity and getattr(fit.kernel, "period", None) is None
    if not plain or not hasattr(program, "reverse") or fit.kernel.event_ndim:
        return False
    one = jax.ShapeDtypeStruct((1,), fit.examples.dtype)
    params = {p.name: one for p in fit.kernel.params}
    try:
        jax.eval_shape(lambda y, params: program.reverse(y, y, **params), one, params)
    except DerivationError:
        return False
    return True


class Source(eqx.Module):
    """A fit, with the context and the known entries of the draws."""

    fit: Any
    context: Array | None
    known: tuple[Array, Array] | None
    line: Line
    program: ProgramLike = eqx.field(static=True)

    @classmethod
    def of(cls, fit, context=None, known=None) -> "Source":
        """The fit in the coordinates in which it was trained."""
        return cls(fit, context, known, Line(getattr(fit.kernel, "support", None)), fit.kernel.compile())

    @property
    def vector(self) -> bool:
        """Whether the components of a vector SDE are on the last axis."""
        return getattr(self.fit.kernel, "moments", None) is not None

    def level(self, u: Array) -> Array:
        """lam(u)."""
        return self.fit.levels.at(u)

    def params(self, u: Array | None) -> dict[str, Any]:
        """All parameters of the kernel at u; those besides the level for u None."""
        if u is None:
            return self.fit.params
        return {**self.fit.params, self.fit.kernel.level.name: self.level(u)}

    def slope(self, u: Array) -> Array:
        """dlam/du."""
        return jax.jvp(self.level, (u,), (jnp.ones_like(u),))[1]

    def examples(self, key: PRNGKeyArray, n: int) -> Array:
        """n clean rows, with replacement."""
        rows = jax.random.randint(key, (n,), 0, len(self.fit.examples))
        return self.fit.examples[rows]

    def start(self, key: PRNGKeyArray, n: int, u: Array) -> Array:
        """n draws z of q at u: examples seen through the kernel."""
        rows, noise = jax.random.split(key)
        return self.line.coordinate(self.program.sample(noise, self.examples(rows, n), **self.params(u)))

    def marginal_score(self, y: Array, u: Array) -> Array:
        """d/dy log q of a batch y, or of one event."""
        if self.context is None:
            return self.fit.score(y, self.level(u))
        return self.fit.score(y, self.level(u), self.context)

    def score(self, z: Array, u: Array) -> Array:
        """d/dz log q_z."""
        y, slope, curve = self.line.slopes(z)
        return slope * self.marginal_score(y, u) + curve / slope

    def flow(self, z: Array, u: Array) -> Array:
        """dz/du of the probability flow."""
        y, slope, _ = self.line.slopes(z)
        velocity = self.program.flow(y, self.marginal_score(y, u), **self.params(u))
        return self.slope(u) * velocity / slope

    def reverse(self, z: Array, u: Array) -> Array:
        """-dz/du of the reverse diffusion, without its noise."""
        y, slope, curve = self.line.slopes(z)
        drift = -self.slope(u) * self.program.reverse(y, self.marginal_score(y, u), **self.params(u))
        if self.line.identity:
            return drift
        return drift / slope - self.diffusion(z, u) ** 2 * (curve / slope) / 2

    def diffusion(self, z: Array, u: Array) -> Array:
        """g in z and per root of u, entry by entry, or for a vector SDE the matrix."""
        y, slope, _ = self.line.slopes(z)
        g = jnp.sqrt(jnp.abs(self.slope(u))) * self.program.diffusion(y, **self.params(u))
        return g if self.vector else g / slope

    def information(self, key: PRNGKeyArray, u: Array) -> Array:
        """E[(d/dz log p(y | x))^2] per entry over the examples; scalar."""
        rows, noise = jax.random.split(key)
        y, target = self.program.target(noise, self.examples(rows, _EXAMPLES), **self.params(u))
        _, slope, curve = self.line.slopes(self.line.coordinate(y))
        return jnp.mean((slope * target + curve / slope) ** 2)

    def held(self, key: PRNGKeyArray, z: Array, u: Array) -> Array:
        """z with its known entries drawn from the kernel at their clean values."""
        if self.known is None:
            return z
        mask, values = self.known
        y = self.program.sample(key, jnp.broadcast_to(values, z.shape), **self.params(u))
        return jnp.where(mask, self.line.coordinate(y), z)

    def clamped(self, x: Array) -> Array:
        """Clean x with its known entries put in."""
        if self.known is None:
            return x
        return jnp.where(self.known[0], self.known[1], x)
