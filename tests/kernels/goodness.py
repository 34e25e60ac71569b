"""Do draws follow their law? p-values of Kolmogorov-Smirnov tests, and of exact moments for coupled kernels.

Only the sampler of the generated module is run, in float64 and from fixed keys. Recipes of primitive draws run
operation by operation, so that what JAX compiles is shared by all kernels; a numerical inverse is compiled for its
kernel, and maps over keys, so that its table is made once for each clean value.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad
from scipy.special import roots_legendre
from scipy.stats import chi2, kstest, norm

from symdsm.codegen.build import module_source
from symdsm.codegen.program import load_source
from tests.kernels.case import Case

DRAWS = 4000


def module_sample(kernel) -> tuple[Callable, bool]:
    """The `sample` of the kernel's generated module, not verified, and whether it inverts a CDF numerically."""
    source = module_source(kernel._declaration, kernel.digest)
    return load_source(source, "sampler").sample, "inverse_cdf" in source


def sampler(sample: Callable, inverse: bool) -> Callable[..., np.ndarray]:
    """column(x, params, key) gives DRAWS draws at one clean value of a `sample` from `module_sample`."""
    mapped = jax.jit(jax.vmap(lambda key, x, params: sample(key, x, **params), (0, None, None)))

    def column(x: float, params: dict, key: int = 0) -> np.ndarray:
        root = jax.random.fold_in(jax.random.key(2026), key)
        with jax.enable_x64(True):
            params = {name: jnp.asarray(v, float) for name, v in params.items()}
            if not inverse:
                return np.asarray(sample(root, jnp.full(DRAWS, x, float), **params))
            return np.asarray(mapped(jax.random.split(root, DRAWS), jnp.asarray(x, float), params))

    return column


def case_p_values(case: Case, column: Callable[..., np.ndarray]) -> list[float]:
    """One for each clean value of a case, angles reduced to the turn on which the case's law lives."""
    found = []
    for i, x in enumerate(case.clean):
        y = column(x, case.params, i)
        if case.circular or case.periodic:
            low, high = case.edges(x, case.params)
            y = low + np.mod(y - low, high - low)
        found.append(kstest(y, case.law(x, case.params).cdf).pvalue if not np.isnan(y).any() else 0.0)
    return found


def density_p_value(y: np.ndarray, density: Callable, low: float, high: float) -> float:
    """Draws against a density: its integral up to the first draw by `quad`, then by Gauss's rule between draws."""
    y = np.sort(y)
    first = quad(density, low, y[0], limit=200)[0]
    nodes, weights = roots_legendre(6)
    half = np.diff(y)[:, None] / 2
    steps = (half * weights * density((y[:-1, None] + half) + half * nodes)).sum(1)
    cdf = first + np.concatenate([[0.0], np.cumsum(steps)])
    return kstest(cdf, "uniform").pvalue


def quadratic(log_density: Callable, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and precision of a Gaussian from its log density alone, by differences, which are exact for it."""
    unit = np.eye(int(np.prod(shape)))
    f = lambda v: float(log_density(v.reshape(shape)))  # noqa: E731
    zero, up, down = f(0 * unit[0]), np.array([f(v) for v in unit]), np.array([f(-v) for v in unit])
    n = len(unit)
    precision = np.diag(2 * zero - up - down)
    for a in range(n):
        for b in range(a):
            precision[a, b] = precision[b, a] = up[a] + up[b] - zero - f(unit[a] + unit[b])
    return np.linalg.solve(precision, (up - down) / 2), precision


def whitened(y: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """(draws, n), of independent standard entries when y has this mean and precision."""
    return (y.reshape(len(y), -1) - mean) @ np.linalg.cholesky(precision)


def gaussian_p_values(y: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> list[float]:
    """Every whitened entry against the normal law, the squared length against chi-squared."""
    z = whitened(y, mean, precision)
    return [kstest(z.ravel(), norm.cdf).pvalue, kstest((z**2).sum(1), chi2(z.shape[1]).cdf).pvalue]


def moment_p_values(y: np.ndarray, log_density: Callable, chains: int) -> list[float]:
    """Stein's identities E[s] = 0, E[s . (y - c)] = -n and E[s . tanh(y - c) + sum sech^2(y - c)] = 0 for any c.

    s is the gradient of the hand-written log density; they hold for every density without edges and jumps. Draws are
    in the order of `Program.draws`, the chain running fastest; standard errors count its effective sample size.
    """
    from numpyro.diagnostics import effective_sample_size

    with jax.enable_x64(True):
        score = np.asarray(jax.jit(jax.vmap(jax.grad(log_density)))(jnp.asarray(y, float)), float)
    s, y = score.reshape(len(y), -1), np.asarray(y, float).reshape(len(y), -1)
    u = y - np.median(y, axis=0)
    stein = np.column_stack([s, (s * u).sum(1) + s.shape[1], (s * np.tanh(u) + 1 / np.cosh(u) ** 2).sum(1)])
    rows = len(stein) // chains * chains
    size = effective_sample_size(stein[:rows].reshape(-1, chains, stein.shape[1]).swapaxes(0, 1))
    error = stein.std(0) / np.sqrt(np.minimum(size, len(stein)))
    return list(2 * norm.sf(np.abs(stein.mean(0)) / error))
