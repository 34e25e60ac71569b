r"""Was the network good where the draws are?  Checks of the fit itself.

**Score slope.** The score is the regression of the denoising target t = grad_y log p(y | x) on y, so for the true one
E[s.t] = E|s|^2 at every level. The slope b = E[s.t] / E|s|^2 is 1 then; a score with an error e independent of it has
b = |s|^2 / (|s|^2 + |e|^2), a score too small by a factor c has b = 1/c. It is computed on noised examples of the
training data at LEVELS places, with a standard error over examples; on held-out data, where they are given, a network
that memorised its examples shows a slope far below 1, since its score points to examples that are not there.

**Neighbours.** A draw next to one training example and far from all others is a copy. r = (distance to the nearest) /
(distance to the second nearest) is scale-free, so it may be compared between a posterior and data: the share of draws
whose r is below the 5% quantile of r for noised examples, each compared with all others, should be near 0.05 (on
memorising: Kadkhodaie et al. 2024, arXiv:2310.02557).

**Curl.** A score network need not be a gradient. |J - J'| over |J| is 0 for one and 1 for a rotation.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jaxtyping import ArrayLike

from symdsm.diagnostics.checks import Check, distances
from symdsm.inference.line_integral import potential_from_score

__all__ = ["curl", "fit_checks", "neighbour_ratios", "score_slope"]

LEVELS, REPEATS = (0.0, 0.2, 0.5, 0.8), 4
POINTS, CENTRES, PROBED = 400, 1000, 16


def score_slope(fit, clean: ArrayLike, u: float) -> tuple[float, float]:
    """(b, its standard error) on `clean` (n, *event) noised at coordinate u."""
    level = fit.levels.at(u)
    parameters = {**fit.params, fit.kernel.level.name: level}
    program, top, bottom = fit.kernel.compile(), 0.0, 0.0
    for repeat in range(REPEATS):
        y, target = program.target(random.fold_in(random.key(0), repeat), clean, **parameters)
        s = np.asarray(fit.score(y, level), float).reshape(len(clean), -1)
        top = top + (s * np.asarray(target, float).reshape(s.shape)).sum(1)
        bottom = bottom + (s * s).sum(1)
    slope = top.sum() / bottom.sum()
    error = np.sqrt(len(clean)) * np.std(top - slope * bottom) / bottom.sum()
    return float(slope), float(error)


def _worst_slope(fit, clean):
    """The slope furthest from 1, three standard errors on its side, as min(b, 1/b)."""
    worst = 1.0
    for u in LEVELS:
        slope, error = score_slope(fit, clean, u)
        near = np.clip(1.0, slope - 3 * error, slope + 3 * error)
        worst = min(worst, near, 1 / near if near > 0 else 0.0) if np.isfinite(near) else 0.0
    return max(float(worst), 0.0)


def neighbour_ratios(points: np.ndarray, centres: np.ndarray, own: bool = False) -> np.ndarray:
    """Nearest over second nearest distance of points (n, d) to centres (m, d); `own`: point i came from centre i."""
    apart = distances(points, centres)
    if own:
        np.fill_diagonal(apart, np.inf)
    first, second = np.partition(apart, 1, axis=1)[:, :2].T
    return first / np.maximum(second, 1e-30)


def _copied(fit, draws):
    clean = np.asarray(fit.examples[:CENTRES], float)
    noisy = fit.kernel.compile().sample(
        random.key(1), fit.examples[:CENTRES], **{**fit.params, fit.kernel.level.name: fit.levels.least}
    )
    flat, noisy = clean.reshape(len(clean), -1), np.asarray(noisy, float).reshape(len(clean), -1)
    bound = np.quantile(neighbour_ratios(noisy, flat, own=True), 0.05)
    draws = draws.reshape(-1, flat.shape[1])
    some = draws[np.linspace(0, len(draws) - 1, min(len(draws), POINTS)).astype(int)]
    return float(np.mean(neighbour_ratios(np.nan_to_num(some), flat) < bound))


def curl(fit) -> float:
    """Mean share of rotation in the score's Jacobian at noised examples of the lowest level."""
    level = fit.levels.least
    potential = potential_from_score(lambda z: fit.score(z, level), anchor=fit.examples[0])
    clean = fit.examples[:PROBED]
    y = fit.kernel.compile().sample(random.key(2), clean, **{**fit.params, fit.kernel.level.name: level})
    return float(jnp.mean(jax.vmap(potential.curl)(y, random.split(random.key(3), len(y)))))


def fit_checks(name: str, fit, draws: np.ndarray, held_out: ArrayLike | None) -> list[Check]:
    """The checks of the fit behind site `name`; draws (..., *event)."""
    why = "the share of the score that is right; three standard errors are given away"
    checks = [
        Check(
            f"score of {name}",
            _worst_slope(fit, fit.examples),
            0.8,
            0.5,
            why,
            "the network does not fit its own training data: train longer, or a larger one",
            True,
        ),
        Check(
            f"copies in {name}",
            _copied(fit, draws),
            0.25,
            0.5,
            "0.05 for draws as far from the data as the data from each other",
            "draws sit on training examples: the network memorised; more data, fewer steps or a larger lowest level",
        ),
    ]
    if held_out is not None:
        checks.append(
            Check(
                f"score of {name}, held out",
                _worst_slope(fit, jnp.asarray(held_out)),
                0.8,
                0.5,
                why,
                "the network fits its training data only: more data, fewer steps or a larger lowest level",
                True,
            )
        )
    if not fit.is_energy:
        why = "the law of Langevin dynamics is off by about this share"
        advice = "the score is no gradient: train an Energy, or longer"
        checks.append(Check(f"curl of {name}", curl(fit), 0.1, 0.3, why, advice))
    return checks
