r"""J_ESM = J_DSM + C on numbers: is the identity true for this kernel, on these data?

    J_ESM = E 1/2 ||psi(y) - d log q(y)||^2     J_DSM = E 1/2 ||psi(y) - d log p(y | x)||^2
    C = E 1/2 ||d log q(y)||^2 - E 1/2 ||d log p(y | x)||^2

The clean law is n points x_j of equal weight, so that q(y) = mean_j p(y | x_j) is exact. All three are means over the
same draws (x, y), and

    J_ESM - J_DSM - C = E <psi(y), d log p(y | x) - d log q(y)>,

a mean of paired differences with its standard error. It is zero for every psi exactly where the identity holds; psi
runs through five random networks. The best combination theta of the networks solves A theta = b, A = E psi_j psi_k,
under either objective, with b = E psi_j d log q or E psi_j d log p; the two solutions differ by A^-1 g, g being the
five means above, and N g' S^-1 g is chi-square with five degrees of freedom when the identity holds (S: covariance of
the differences).

The derivative of log q must not come from that of p, or an edge that moves with x would go unseen: for one noisy value
it is the slope of log q between draws that hold 2 m of N draws between them, and several x_j; for events without edges
(coupled kernels have none) it is autodiff of log q. Angles are taken within one period, where q is their density.

Source: Vincent, Neural Computation 23 (2011), proposition 1. The chi-square form is Wald's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from symdsm.errors import DataError, DerivationError
from symdsm.learning.protocols import KernelLike

__all__ = ["IdentityCheck", "check_identity"]

_POINTS, _EVENTS, _WINDOW, _BATCH, _NETWORKS, _UNITS = 2048, 512, 0.001, 128, 5, 16
_DOUBT = 1e-4


@dataclass(frozen=True)
class IdentityCheck:
    """What was measured, one entry for each network; printing it gives a table.

    `excess` is J_ESM - J_DSM - C with its standard error `error`; `variance_esm` and `variance_dsm` are those of one
    draw's loss. `distance` is the rms distance of the two minimisers among combinations of the networks, `noise` what
    to expect of it when they are the same, `p_value` that of the chi-square statistic. `holds` is p_value > 1e-4.
    """

    esm: np.ndarray
    dsm: np.ndarray
    constant: float
    excess: np.ndarray
    error: np.ndarray
    variance_esm: np.ndarray
    variance_dsm: np.ndarray
    distance: float
    noise: float
    p_value: float
    draws: int

    @property
    def gap(self) -> np.ndarray:
        """J_ESM - J_DSM of each network."""
        return self.esm - self.dsm

    @property
    def holds(self) -> bool:
        """Do the gaps agree with C within Monte Carlo error?"""
        return bool(self.p_value > _DOUBT)

    def __str__(self) -> str:
        names = ("network", "J_ESM", "J_DSM", "gap", "gap - C", "error", "var ESM", "var DSM")
        columns = (self.esm, self.dsm, self.gap, self.excess, self.error, self.variance_esm, self.variance_dsm)
        rows = ["".join(f"{name:>10}" for name in names)]
        for k, row in enumerate(zip(*columns, strict=True), 1):
            rows.append(f"{k:>10}" + "".join(f"{value:>10.4g}" for value in row))
        verdict = "The gap is C within Monte Carlo error" if self.holds else "The gap is not C: the identity fails"
        return "\n".join(
            [
                f"J_ESM = J_DSM + C, C = {self.constant:.4g}, {self.draws} draws",
                *rows,
                f"{verdict} (p = {self.p_value:.2g}). The minimisers are {self.distance:.3g} apart; "
                f"{self.noise:.3g} is expected of equal ones.",
            ]
        )

    __repr__ = __str__


def check_identity(
    kernel: KernelLike,
    mixture_data: Mapping[str, Any] | Any,
    *,
    key: PRNGKeyArray,
    params: Mapping[str, Any] | None = None,
    networks: Sequence[Callable] | None = None,
    draws: int = 16_384,
) -> IdentityCheck:
    """Measure J_ESM, J_DSM and C of a kernel on Gaussian-mixture data.

    **Arguments**

    - `mixture_data`: {"weights": (k,), "means": (k, *event), "scales": (k,)}, or an array (n, *event) of clean values,
      n at least 200, for data that must be positive or angles.
    - `params`: every parameter of the kernel by name, the level included.
    - `networks`: functions psi of one noisy event with its shape; five random ones by default.

    **Raises** `DataError` for data that the kernel cannot take, `DerivationError` for a product of kernels or a
    kernel without a sampler, `ParameterError` for wrong parameters.
    """
    params, program = dict(params or {}), kernel.compile()
    if getattr(kernel, "blocks", None):
        raise DerivationError(
            given="a product of kernels",
            expected="one kernel: the objectives of independent blocks add up",
            fix="check each of kernel.blocks",
        )
    points_key, draws_key, networks_key = jax.random.split(key, 3)
    with jax.enable_x64(True):
        clean = jnp.asarray(_clean_points(mixture_data, kernel.event_ndim, points_key))
        values = {name: jnp.asarray(value, dtype=float) for name, value in params.items()}
        rows = jax.random.randint(draws_key, (draws,), 0, len(clean))
        keys = jax.random.split(draws_key, draws)
        y, score = _drawn(program, keys, clean[rows], values)
        if (period := getattr(kernel, "period", None)) is not None:
            y = jnp.remainder(y, float(period))
        marginal = (_slopes if kernel.event_ndim == 0 else _gradients)(program, y, clean, values)
        _check_finite(y, score, marginal)
        fields = _networks(networks, networks_key, y, score, marginal)
        outputs = jnp.stack([jax.vmap(f)(y).reshape(draws, -1) for f in fields])
        return _compared(*(np.asarray(a) for a in (outputs, score.reshape(draws, -1), marginal.reshape(draws, -1))))


def _clean_points(data, event_ndim: int, key) -> np.ndarray:
    """The points of the clean law, with equal weights: quantiles of each component, or draws for events."""
    if not isinstance(data, Mapping):
        points = np.asarray(data)
        if points.dtype.kind != "f" or points.ndim < 1 or len(points) < 200 or not np.isfinite(points).all():
            raise DataError(
                given=f"data of shape {points.shape} and type {points.dtype}",
                expected="at least 200 clean values, finite floating-point numbers, along the first axis",
                fix='pass more points, or {"weights": .., "means": .., "scales": ..}',
            )
    else:
        points = _mixture_points(data, event_ndim, key)
    if event_ndim == 0 and points.ndim != 1:
        raise DataError(
            given=f"clean values of shape {points.shape} for a kernel that acts on each entry by itself",
            expected="one number for each clean value: the identity is that of one entry",
            fix="pass data.ravel()",
        )
    return points


def _mixture_points(data: Mapping[str, Any], event_ndim: int, key) -> np.ndarray:
    if set(data) != {"weights", "means", "scales"}:
        raise DataError(
            given=f"mixture data with {', '.join(map(str, data)) or 'nothing'}",
            expected="weights, means and scales",
            fix='pass {"weights": [0.3, 0.7], "means": [-2.0, 1.0], "scales": [0.5, 1.0]}, say',
        )
    weights, means, scales = (np.asarray(data[name], dtype=float) for name in ("weights", "means", "scales"))
    if weights.ndim != 1 or len(means) != len(weights) or len(scales) != len(weights) or (weights < 0).any():
        raise DataError(
            given=f"weights {weights.shape}, means {means.shape} and scales {scales.shape}",
            expected="one weight, not negative, one mean and one scale for each component",
            fix="give lists of equal length",
        )
    total = _POINTS if event_ndim == 0 else _EVENTS
    counts = np.diff(np.round(total * np.cumsum(np.concatenate([[0.0], weights / weights.sum()]))).astype(int))
    parts = []
    for k, (count, mean, scale) in enumerate(zip(counts, means, scales, strict=True)):
        if event_ndim == 0:
            z = np.asarray(jax.scipy.stats.norm.ppf((np.arange(count) + 0.5) / max(count, 1)))
        else:
            z = np.asarray(jax.random.normal(jax.random.fold_in(key, k), (count, *np.shape(mean)), dtype=float))
        parts.append(mean + scale * z)
    return np.concatenate(parts)


def _drawn(program, keys, clean, params):
    """(y, score) of one draw for each clean value."""
    return jax.jit(jax.vmap(lambda k, x: program.target(k, x, **params)))(keys, clean)


def _log_q(program, y, clean, params):
    """log mean_j p(y | x_j) of one noisy event."""
    each = jax.vmap(lambda x: jnp.sum(program.log_prob(y, x, **params)))(clean)
    return jax.nn.logsumexp(each) - jnp.log(len(clean))


def _slopes(program, y, clean, params):
    """d log q at each draw, as the slope of log q over a window of neighbouring draws."""
    order = jnp.argsort(y)
    sorted_y = y[order]
    log_q = jax.lax.map(lambda v: _log_q(program, v, clean, params), sorted_y, batch_size=_BATCH)
    m = max(1, round(_WINDOW * len(y)))
    index = jnp.arange(len(y))
    low, high = jnp.maximum(index - m, 0), jnp.minimum(index + m, len(y) - 1)
    slope = (log_q[high] - log_q[low]) / (sorted_y[high] - sorted_y[low])
    return jnp.zeros_like(slope).at[order].set(slope)


def _gradients(program, y, clean, params):
    """The gradient of log q at each draw, by autodiff."""
    return jax.lax.map(jax.grad(lambda v: _log_q(program, v, clean, params)), y, batch_size=_BATCH)


def _check_finite(y, score, marginal) -> None:
    for name, values in (("noisy values", y), ("scores", score), ("derivatives of log q", marginal)):
        bad = int(jnp.sum(~jnp.isfinite(values)))
        if bad:
            raise DataError(
                given=f"{bad} {name} that are not finite numbers",
                expected="clean values that the kernel takes",
                fix="pass an array of admissible clean values (positive ones for speckle, say)",
            )


def _networks(networks, key, y, score, marginal) -> list[Callable]:
    if networks is not None:
        return list(networks)
    flat = y.reshape(len(y), -1)
    low, centre, high = jnp.quantile(flat, jnp.asarray([0.25, 0.5, 0.75]), axis=0)
    size, count = jnp.median(jnp.abs(score)) + jnp.median(jnp.abs(marginal)), flat.shape[1]

    def network(k):
        inner, shift, outer = jax.random.split(jax.random.fold_in(key, k), 3)
        W = jax.random.normal(inner, (_UNITS, count), dtype=float)
        b = 2.0 * jax.random.normal(shift, (_UNITS,), dtype=float)
        V = size * jax.random.normal(outer, (count, _UNITS), dtype=float) / _UNITS**0.5

        def psi(v):
            z = (jnp.ravel(v) - centre) / (high - low)
            return (V @ jnp.tanh(W @ z + b)).reshape(v.shape)

        return psi

    return [network(k) for k in range(_NETWORKS)]


def _compared(psi: np.ndarray, score: np.ndarray, marginal: np.ndarray) -> IdentityCheck:
    """psi: (networks, draws, entries); score and marginal: (draws, entries)."""
    count, draws = psi.shape[:2]
    esm, dsm = (0.5 * np.sum((psi - target) ** 2, -1) for target in (marginal, score))
    constant = 0.5 * np.sum(marginal**2, -1) - 0.5 * np.sum(score**2, -1)
    excess = np.sum(psi * (score - marginal), -1)
    mean, spread = excess.mean(1), np.atleast_2d(np.cov(excess))
    gram = np.einsum("jde,kde->jk", psi, psi) / draws
    between = np.linalg.solve(gram, mean)
    wald = draws * mean @ np.linalg.solve(spread, mean)
    return IdentityCheck(
        esm=esm.mean(1),
        dsm=dsm.mean(1),
        constant=float(constant.mean()),
        excess=mean,
        error=np.sqrt(np.diag(spread) / draws),
        variance_esm=esm.var(1),
        variance_dsm=dsm.var(1),
        distance=float(np.sqrt(between @ gram @ between)),
        noise=float(np.sqrt(np.trace(np.linalg.solve(gram, spread)) / draws)),
        p_value=float(jax.scipy.special.gammaincc(count / 2, wald / 2)),
        draws=draws,
    )
