"""What is minimised, one clean event and one level at a time.

With D any derivative that may be taken under the integral q(y) = integral p(x) p(y | x) dx,

    D log q(y) = E[D log p(y | x) | y],

so regression on D log p(y | x), which the kernel knows, has the same minimiser as regression on D log q,
which nobody knows (Vincent 2011 for the gradient; Guth, Kadkhodaie & Simoncelli 2025 for the level):

    dsm     1/2 ||s(y, u) - grad log p(y | x; u)||^2 / I_y(u)
    dual    dsm + 1/2 (-dE/du (y, u) - d/du log p(y | x; u))^2 / I_u(u)
    esm     1/2 ||s(y, u) - grad log q(y; u)||^2 / I_y(u)             the true score given: for tests and teaching
    ism     (1/2 ||s||^2 + tr ds/dy) / I_y(u), and sliced             symdsm.learning.implicit
    dae     -log r(x | g(f(y)))                                       symdsm.learning.autoencoding

I_y and I_u are the kernel's Fisher informations **averaged over the data**: the size of the targets. A weight
may depend on the level, never on the clean x: w(x) would move the minimiser to E[w D log p | y] / E[w | y].

A kernel that shrinks to a point makes dsm noisy: at y = x + sigma z its gradient holds psi'(x) z / sigma, of mean
zero and a variance that grows like 1/sigma^2. With t = grad log p(y | x) and m(x) = E[t | x],

    controlled    dsm + beta <psi(x), t - m(x)> / I_y,     beta = 1 - w(u)

has the same mean for every psi and every beta free of the draw, and the mixed term is -(psi(y) - psi(x)) t, which
stays bounded. w, the tail's weight of `symdsm.learning.scaling`, goes from 0 to 1 with the noise, so that nothing is
added where x says little of y. (A control variate; Owen, Monte Carlo theory, methods and examples, 2013, 8.9.)
m = p at the upper end of the support less p at the lower end, per coordinate: zero on the line.

`OBJECTIVES` are the plain ones by name; `esm`, `sliced`, `ism`, `dae` and `controlled` make others. Every objective
has one signature, `objective(potential, key, x, u) -> loss`, unbatched; training maps it over a batch.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import FitError, ShapeError
from symdsm.learning.autoencoding import dae
from symdsm.learning.implicit import ism, sliced
from symdsm.learning.objective import Objective
from symdsm.learning.potentials import EnergyPotential, Potential

__all__ = ["OBJECTIVES", "Objective", "controlled", "dae", "dsm", "dual", "esm", "ism", "objective_named", "sliced"]


def _in_y(potential: Potential, y: Array, target: Array, u: Array) -> Array:
    miss = potential.score(y, u) - target
    return 0.5 * jnp.sum(miss**2) * jnp.exp(-potential.scaling.log_fisher(u))


def _dsm(potential: Potential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
    """Denoising score matching; 1/2 at a network that predicts nothing. Scalar."""
    y, target = potential.noise.target(key, x, u)
    return _in_y(potential, y, target, u)


def _dual(potential: EnergyPotential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
    """Dual score matching: gradient and level derivative of one energy; 1 at a constant energy. Scalar."""
    y, target, level_target = potential.noise.dual_target(key, x, u)
    score, level_score = potential.scores(y, u)
    in_y = jnp.sum((score - target) ** 2) * jnp.exp(-potential.scaling.log_fisher(u))
    in_u = (level_score - level_target) ** 2 * jnp.exp(-potential.scaling.log_level_fisher(u))
    return 0.5 * (in_y + in_u)


dsm = Objective("dsm", _dsm)
dual = Objective("dual", _dual, needs_energy=True)


def esm(score: Callable[[Array, Array], Array]) -> Objective:
    """Explicit score matching: `score(y, level)` is the true grad log q(y; level) of one noisy event.

    It has the gradient of dsm in expectation (Vincent 2011, proposition 1) and no noise of the target. The level is
    None for a kernel without one.
    """

    def loss(potential: Potential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
        y, levels = potential.noise.sample(key, x, u), potential.noise.levels
        return _in_y(potential, y, score(y, None if levels is None else levels.at(u)), u)

    return Objective("esm", loss)


def controlled(mean: Callable[[Array, Array], Array] | None = None) -> Objective:
    """dsm with the control variate; `mean(x, u)` is E[grad log p(y | x) | x], the kernel's own by default.

    The loss raises `ShapeError` for kernels whose noisy and clean values differ in shape.
    """

    def loss(potential: Potential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
        y, target = potential.noise.target(key, x, u)
        if y.shape != x.shape:
            raise ShapeError(
                given=f"clean events of shape {x.shape} and noisy ones of shape {y.shape}",
                expected="equal shapes: the control variate takes the network at the clean value",
                fix='use objective="dsm"',
            )
        centred = target - (potential.noise.mean_score(x, u) if mean is None else mean(x, u))
        share = 1.0 - jnp.exp(potential.scaling.log_weight(u))
        miss = 0.5 * (potential.score(y, u) - target) ** 2 + share * potential.score(x, u) * centred
        return jnp.sum(miss) * jnp.exp(-potential.scaling.log_fisher(u))

    return Objective("controlled", loss, needs_mean=mean is None)


OBJECTIVES: dict[str, Objective] = {o.name: o for o in (controlled(), dae(), dsm, dual, ism(), sliced())}


def objective_named(objective: str | Objective) -> Objective:
    """The plain objective of that name, or the objective itself; `FitError` for anything else."""
    if isinstance(objective, Objective):
        return objective
    if not isinstance(objective, str) or objective not in OBJECTIVES:
        raise FitError(
            given=f"objective={objective!r}",
            expected=f"one of {', '.join(map(repr, sorted(OBJECTIVES)))}, or one that sd.objectives makes",
            fix='use objective="dual"; the true score is given as objective=sd.objectives.esm(score)',
        )
    return OBJECTIVES[objective]
