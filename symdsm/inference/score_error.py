r"""How wrong is a learned score, level by level, and what does it cost?

With y ~ q_l, the data seen through the kernel, and s* = d/dy log q_l,

    against a known score s*        F(l) = E |s(y, l) - s*(y, l)|^2          the Fisher divergence (twice Hyvarinen's)
    against held-out data           H(l) = E |s(y, l) - d/dy log p(y | x; l)|^2 = F(l) + C(l)

where C(l) = E |s* - d/dy log p(y | x)|^2 does not depend on s (Vincent 2011), so that H ranks fits and F tells how good
they are. Both are given with their standard error, and as a share of the mean square of what was to be predicted: 1 for
a score that is zero.

Its use: the reverse diffusion with s instead of s* draws from a law that is off by at most (Girsanov; Song et al. 2021,
theorem 1)

    KL <= 1/2 integral g(l)^2 F(l) dl                                                                       [nats]

which adds the levels up with the weights that matter. It is given for kernels whose diffusion does not depend on y.

Sources: Vincent, Neural Computation 23 (2011); Song, Durkan, Murray and Ermon, arXiv 2101.09258 (2021).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import ParameterError, SamplingError, ShapeError
from symdsm.inference.generate import lacks_diffusion, trained_in
from symdsm.inference.generate_source import Source

__all__ = ["ScoreError", "score_error"]


class ScoreError(NamedTuple):
    """Arrays with one number for each level, from least to most noise; see the module."""

    level: Array
    error: Array
    standard_error: Array
    share: Array
    kl_bound: float | None


def score_error(fit, reference: Any, key: PRNGKeyArray, *, levels: int = 8, draws: int = 2000) -> ScoreError:
    """E |s - reference|^2 at `levels` noise levels, from `draws` noised rows at each.

    **Arguments**: `reference`, a fit or any object with score(y, level), or held-out clean rows (n, *event). Scores are
    those in the coordinates in which the fit was trained; noised rows come from the held-out data, else from the
    fit's examples.

    **Raises** `SamplingError` for a fit without levels, `ShapeError` for rows of another shape, `ParameterError`.
    """
    for name, value, least in (("levels", levels, 2), ("draws", draws, 2)):
        if value < least:
            raise ParameterError(given=f"{name}={value}", expected=f"at least {least}", fix=f"pass {name}={least * 10}")
    if fit.levels is None:
        raise SamplingError(
            given="a fit without noise levels",
            expected="a range of levels to look at",
            fix="compare fit.score(y) with the reference by hand",
        )
    inner, exact = trained_in(fit), hasattr(reference, "score")
    if not exact:
        rows = jnp.asarray(reference, inner.examples.dtype)
        if rows.shape[1:] != fit.examples.shape[1:]:
            raise ShapeError(
                given=f"held-out rows of shape {rows.shape}",
                expected=f"(n, {', '.join(map(str, fit.examples.shape[1:]))})",
                fix="pass clean rows like those of training, or an object with score(y, level)",
            )
        clean = rows if inner is fit else jax.vmap(fit.coordinates.forward)(rows)
    else:
        clean, reference = inner.examples, trained_in(reference)
    source = Source.of(inner)
    u = jnp.linspace(0.0, 1.0, levels, dtype=clean.dtype)
    keys = jax.random.split(key, levels)
    square, spread, size = _errors(source, reference.score if exact else None, clean, keys, u, draws)
    bound = None
    if exact and not lacks_diffusion(inner) and not source.vector:
        rates = jax.vmap(lambda t: source.diffusion(jnp.array([0.0, 1.0], t.dtype), t) ** 2)(u)
        if source.line.identity and bool(jnp.allclose(rates[:, 0], rates[:, 1])):
            bound = float(jnp.trapezoid(0.5 * rates[:, 0] * square, u))
    return ScoreError(inner.levels.at(u), square, spread / jnp.sqrt(draws), square / size, bound)


@eqx.filter_jit
def _errors(source: Source, score, clean: Array, keys: Array, u: Array, draws: int) -> tuple[Array, Array, Array]:
    """Mean and sd of the squared error, and the mean square of what was to be predicted, at each u."""

    def at(args):
        key, u = args
        pick, noise = jax.random.split(key)
        x = clean[jax.random.randint(pick, (draws,), 0, len(clean))]
        y, target = source.program.target(noise, x, **source.params(u))
        wanted = target if score is None else score(y, source.level(u))
        gap = jnp.sum((source.marginal_score(y, u) - wanted).reshape(draws, -1) ** 2, axis=1)
        return jnp.mean(gap), jnp.std(gap), jnp.mean(jnp.sum(wanted.reshape(draws, -1) ** 2, axis=1))

    return jax.lax.map(at, (keys, u))
