r"""Exact draws, and mean squared scores, of the known laws on the simplex and the sphere.

Each is read off the gradient g of the log density, a function of y; `zero` is an array of zeros of y's shape and
type. The source of these functions becomes part of the emitted modules.

    Dirichlet         a = 1 + g(1, .., 1).  y = softmax(log G), G_i ~ Gamma(a_i): in logs, so that small shapes do not
                      underflow.
    logistic-normal   l'(u) = y g(y) + 1, y = exp(u), is affine: H = -dl'/du, H m = l'(0), H 1 = 0. With H + c 11' =
                      L L' a draw is u = m + L^{-T} e and y = softmax(u), where the part of u along 1 drops out.
    von Mises-Fisher  e = g(0), k = |e|, m = e/k. With w = m'y, y = w m + sqrt(1 - w^2) v, v uniform in the tangent
                      directions; w by rejection (Ulrich 1984, Wood 1994): with b = (n-1)/(2k + sqrt(4k^2 + (n-1)^2)),
                      w0 = (1-b)/(1+b), z ~ Beta((n-1)/2, (n-1)/2) and w = (1-(1+b)z)/(1-(1-b)z) accept when
                          k (w - w0) + (n-1) log((1 - w0 w)/(1 - w0^2)) >= log(uniform).
                      The code works with 1 - w and 1 - w0, which keep their digits at large k.

At least half of the proposals are accepted for every n and k (0.66 for n = 2 and large k), so the loop's bound of 500
is reached with a probability below 2^-500; it is there because a loop in compiled code must end.

The mean squared score of an isotropic logistic-normal law, precision t (I - 11'/n) in u, follows from 1/y_i =
sum_k exp(u_k - u_i) and E[(a'z + 1)(b'z + 1) e^(c'z)] = e^(|c|^2/2) [(1 + a'c)(1 + b'c) + a'b], z normal.

References: G. Ulrich, Applied Statistics 33, 1984; A. T. A. Wood, Communications in Statistics: Simulation and
Computation 23, 1994; L. Devroye, "Non-Uniform Random Variate Generation", 1986, chapter XI.4.
"""

import inspect

import jax
import jax.numpy as jnp

from symdsm.codegen import special
from symdsm.codegen.arrays import clean_writer
from symdsm.codegen.arrays_index import size_text
from symdsm.symbolic.indexed import IndexedDensity

__all__ = ["LAWS", "emit_from_gradient", "helpers"]


def _dirichlet_draw(key, field, zero):
    concentration = 1.0 + field(zero + 1.0)
    value = jax.nn.softmax(jax.random.loggamma(key, concentration))
    return jnp.maximum(value, jnp.finfo(value.dtype).tiny)


def _dirichlet_information(field, zero):
    concentration, n = 1.0 + field(zero + 1.0), zero.size
    total, pulled, finite = jnp.sum(concentration), concentration != 1, concentration > 2
    poles = jnp.where(finite, 1 / jnp.where(finite, concentration - 2, 1.0), jnp.inf)
    count = jnp.sum(pulled)
    inner = ((n - 1) * jnp.sum(jnp.where(pulled, poles, 0.0)) + count * (n - count)) / n
    return jnp.where(count == 0, 0.0, (total - 1) * (total - 2) * inner)


def _gaussian_in_logs(field, zero):
    """Mean, Cholesky factor of H + (t/n) 11', and t = trace H / (n - 1)."""

    def slope(u):
        return 1.0 + jnp.exp(u) * field(jnp.exp(u))

    curvature = -jax.jacfwd(slope)(zero)
    scale = jnp.trace(curvature) / (zero.size - 1)
    factor = jnp.linalg.cholesky(curvature + scale / zero.size)
    return jax.scipy.linalg.cho_solve((factor, True), slope(zero)), factor, scale


def _logistic_normal_draw(key, field, zero):
    mean, factor, _ = _gaussian_in_logs(field, zero)
    noise = jax.random.normal(key, zero.shape, zero.dtype)
    value = jax.nn.softmax(mean + jax.scipy.linalg.solve_triangular(factor, noise, lower=True, trans=1))
    return jnp.maximum(value, jnp.finfo(value.dtype).tiny)


def _logistic_normal_information(field, zero):
    mean, _, scale = _gaussian_in_logs(field, zero)
    n, x = zero.size, jax.nn.softmax(mean)
    first, second, square = jnp.sum(1 / x), jnp.sum(1 / x**2), jnp.sum(x**2)
    a, b, e, pairs = (1 - 1 / n) * scale, scale / n, jnp.exp(1 / scale), first**2 - second
    own = n * (1 + a) + 2 * e * a * (first - n) + e**4 * (1 + a) * (square * second - n)
    own += e**3 * (1 + a) * ((1 - square) * second - 2 * first + 2 * n)
    across = 2 * n * (n - 1) * (1 - b) - 2 * e * b * (2 * n - 3) * (first - n)
    across -= e**3 * b * (square * pairs - 2 * (first - n))
    across -= e**2 * b * ((1 - square) * pairs - 4 * n * first + 4 * first + 4 * (first - n) + 2 * n * (n - 1))
    return own - (own + across) / n


def _von_mises_fisher_draw(key, field, zero):
    pull, rest = field(zero), zero.size - 1.0
    kappa = jnp.linalg.norm(pull)
    centre = pull / kappa
    b = rest / (2 * kappa + jnp.sqrt(4 * kappa**2 + rest**2))
    gap = 2 * b / (1 + b)

    def propose(state):
        count, key, _, _ = state
        key, first, second = jax.random.split(key, 3)
        z = jax.random.beta(first, rest / 2, rest / 2, dtype=zero.dtype)
        away = 2 * b * z / (1 - (1 - b) * z)
        ratio = rest * jnp.log((away + gap - away * gap) / (gap * (2 - gap))) - kappa * (away - gap)
        return count + 1, key, away, ratio >= jnp.log(jax.random.uniform(second, dtype=zero.dtype))

    key, last = jax.random.split(key)
    start = (0, key, jnp.zeros_like(kappa), jnp.zeros_like(kappa, bool))
    _, _, away, _ = jax.lax.while_loop(lambda state: ~state[3] & (state[0] < 500), propose, start)
    noise = jax.random.normal(last, zero.shape, zero.dtype)
    noise -= centre * jnp.vdot(centre, noise)
    value = (1 - away) * centre + jnp.sqrt(away * (2 - away)) * noise / jnp.linalg.norm(noise)
    return value / jnp.linalg.norm(value)


def _von_mises_fisher_information(field, zero):
    kappa, n = jnp.linalg.norm(field(zero)), zero.size
    return (n - 1) * kappa * special.bessel_i_ratio(n / 2 - 1, kappa)


LAWS = {
    "Dirichlet": {"sample": _dirichlet_draw, "fisher": _dirichlet_information},
    "logistic-normal": {"sample": _logistic_normal_draw},
    "isotropic logistic-normal": {"sample": _logistic_normal_draw, "fisher": _logistic_normal_information},
    "von Mises-Fisher": {"sample": _von_mises_fisher_draw, "fisher": _von_mises_fisher_information},
}
_DOCS = {"sample": "One draw, exact.", "fisher": "E of the squared tangent score, summed."}


def helpers(law: str) -> list[str]:
    """The source of the functions of a law."""
    shared = [_gaussian_in_logs] * ("logistic" in law)
    return [inspect.getsource(function).strip() for function in (*shared, *LAWS[law].values())]


def emit_from_gradient(d: IndexedDensity, law: str, name: str) -> str:
    """`def sample(key, x, /, *, ...)` or `def fisher(x, /, *, ...)` of a known law, from `gradient` of the module."""
    writer = clean_writer(d)
    x, length = writer.names[d.clean], size_text(d.shapes[d.noisy][0])
    arguments = ", ".join([x, *(f"{p}={p}" for p in writer.parameters)])
    key = "key, " * (name == "sample")
    field = writer.lines.name("field")
    body = [
        f"if {length} < 2:",
        f'    raise ValueError(f"an event on a manifold needs at least two entries, got {{{length}}}")',
        "",
        f"def {field}(value):",
        f"    return gradient(value, {arguments})",
        "",
        f"return {LAWS[law][name].__name__}({key}{field}, jnp.zeros({length}, jnp.result_type({x}, float)))",
    ]
    return writer.function(name, body, _DOCS[name], "key" * (name == "sample"))
